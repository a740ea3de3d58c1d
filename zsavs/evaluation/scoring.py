"""Scores of one result against one target, and the update of a metric suite with the results of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.datasets.base import Target
from zsavs.errors import InputError
from zsavs.evaluation.summary import THRESHOLDS, defined
from zsavs.language.label_maps import ClassMapper, label_map
from zsavs.media.resize import resize_map
from zsavs.metrics.base_suite import Suite
from zsavs.metrics.functional import f_measure, false_positive_share, jaccard
from zsavs.result import AVSResult

__all__ = ["ScoredItem", "score", "source_count", "update_suite"]


class ScoredItem(NamedTuple):
    """An item of a data set: its id, its target and a strategy's result."""

    item: str
    target: Target
    result: AVSResult


def score(result: AVSResult, target: Target, *, curve: bool) -> dict[str, Any]:
    """J, F and false-positive share at 0.5, the phrases of the query and those of the regions: plain JSON values.

    Args:
        curve: add J at the thresholds of :data:`zsavs.evaluation.summary.THRESHOLDS`.
    """
    scores = _map_at(result, target)
    mask = scores > 0.5
    row: dict[str, Any] = {
        "J": float(jaccard(mask, target.mask)),
        "F": defined(f_measure(mask, target.mask)),
        "false_positive_share": float(false_positive_share(mask, target.mask)),
        "empty": float(not mask.any()),
        "seconds": round(sum(result.timings.values()), 6),
        "heard": list(result.queries.phrases),
        "found": list(result.phrases),
    }
    if curve:
        row["curve"] = [float(jaccard(scores > threshold, target.mask)) for threshold in THRESHOLDS]
    return row


def source_count(target: Target) -> int:
    """Number of sources in view: none where the mask is empty; one where the data set does not say how many."""
    return (len(target.sources) or 1) if target.mask.any() else 0


def update_suite(suite: Suite, scored: Sequence[ScoredItem], classes: ClassMapper) -> Suite:
    """Update a suite with the results of a batch; returns the suite.

    Args:
        suite: updated in place.
        scored: the items of the batch.
        classes: which of the data set's classes a phrase stands for, for a suite of label maps.

    Raises:
        InputError: the suite needs what the data set does not have.
    """
    if suite.name == "avsbench_compat":
        _update_by_video(suite, scored)
        return suite
    for item, target, result in scored:
        # The group is what stands before the last "_"; a data set that names no group has it in the id.
        name = f"{target.group}_{item.replace('_', '-')}" if target.group else item
        extra: dict[str, Any] = {"names": name, "condition": target.condition, "padding": target.padding}
        extra = {key: value for key, value in extra.items() if key in (*suite.needs, *suite.allows)}
        if suite.takes == "labels":
            if target.labels is None:
                raise InputError(f"suite {suite.name!r} needs label maps, the data set has masks only.")
            suite.update(label_map(result.phrases, result.masks, classes, target.size_hw), target.labels, **extra)
        else:
            suite.update(_map_at(result, target), target.mask, **extra)
    return suite


def _update_by_video(suite: Suite, scored: Sequence[ScoredItem]) -> None:
    """One update for each video, which is the batch of the published numbers; one for all without videos."""
    for _, frames in groupby(scored, key=lambda item: item.target.group):
        video = list(frames)
        maps = [_map_at(result, target) for _, target, result in video]
        if len({m.shape for m in maps}) > 1:
            raise InputError(f"suite {suite.name!r} needs items of one size; use --suite avsbench.")
        suite.update(np.stack(maps), np.stack([target.mask for _, target, _ in video]))


def _map_at(result: AVSResult, target: Target) -> NDArray[np.float32]:
    """The score map at the target's size."""
    return resize_map(result.score_map, target.size_hw)
