"""One answer against one target, and what a metric suite is told of a batch of answers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.datasets.base import Target
from zsavs.errors import InputError
from zsavs.evaluation.summary import THRESHOLDS, defined
from zsavs.language.label_maps import ClassNames, label_map
from zsavs.media.resize import resize_map
from zsavs.metrics.functional import f_measure, false_positive_share, jaccard
from zsavs.metrics.suite import Suite
from zsavs.result import AVSResult

__all__ = ["Answer", "feed", "score", "source_count"]


class Answer(NamedTuple):
    """What was answered to an item of a data set, and what is right."""

    item: str
    target: Target
    result: AVSResult


def score(result: AVSResult, target: Target, *, curve: bool) -> dict[str, Any]:
    """J, F and false-positive share at 0.5, and what was heard and found: plain JSON values.

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
    """How many things sound in view: none where the mask is empty; one where the data set does not say how many."""
    return (len(target.sources) or 1) if target.mask.any() else 0


def feed(suite: Suite, answers: Sequence[Answer], classes: ClassNames) -> Suite:
    """Tell a suite about the answers of a batch; returns the suite.

    Args:
        classes: what phrases mean among the data set's classes, for a suite of label maps.

    Raises:
        InputError: the suite needs what the data set does not have.
    """
    if suite.name == "avsbench_compat":
        _feed_videos(suite, answers)
        return suite
    for item, target, result in answers:
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


def _feed_videos(suite: Suite, answers: Sequence[Answer]) -> None:
    """One update for each video, the batch that the published numbers are of; all together without videos."""
    for _, frames in groupby(answers, key=lambda answer: answer.target.group):
        video = list(frames)
        maps = [_map_at(result, target) for _, target, result in video]
        if len({m.shape for m in maps}) > 1:
            raise InputError(f"suite {suite.name!r} needs items of one size; use --suite avsbench.")
        suite.update(np.stack(maps), np.stack([target.mask for _, target, _ in video]))


def _map_at(result: AVSResult, target: Target) -> NDArray[np.float32]:
    """The score map at the target's size."""
    return resize_map(result.score_map, target.size_hw)
