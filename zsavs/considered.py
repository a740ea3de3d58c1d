"""All that a pipeline considered for one sample: enough to answer once more by other thresholds, without any model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.composition import Composition, compose
from zsavs.errors import InputError
from zsavs.result import AVSResult
from zsavs.types import AVSample, Proposals, Query
from zsavs.verification.selection import one_for_each_object
from zsavs.version import __version__

__all__ = ["Considered", "Thresholds"]


@dataclass(frozen=True)
class Thresholds:
    """What a region needs to be in the answer. The defaults change nothing of what the verifier selected.

    Args:
        min_weight: the weight that its source must have, in [0, 1].
        min_evidence: the evidence that it must have. Above 0, regions that were selected fall out; below 0, regions
            that were turned down for lack of evidence come in, unless they are the same object as a surer one.
        min_score: the score that it must have, in [0, 1].
        without: rows of the proposals that are left out whatever they score.

    Raises:
        InputError: a threshold is no number.
    """

    min_weight: float = 0.0
    min_evidence: float = 0.0
    min_score: float = 0.0
    without: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        for name in ("min_weight", "min_evidence", "min_score"):
            if np.isnan(getattr(self, name)):
                raise InputError(f"thresholds: {name} must be a number, got NaN.")


@dataclass(frozen=True, eq=False)
class Considered:
    """What each stage of a pipeline said of one sample (:meth:`zsavs.Pipeline.consider`).

    Args:
        sample: the image and its audio.
        query: what was looked for.
        proposals: R verified regions, selected or not, in the coordinates of the image that the models were given.
        logits: (R, h, w) float32, their mask logits.
        timings: seconds for each stage.
        meta: what the pipeline is made of.
    """

    sample: AVSample
    query: Query
    proposals: Proposals
    logits: NDArray[np.float32] = field(repr=False)
    timings: Mapping[str, float] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    def best(self, count: int) -> Considered:
        """The same with fewer regions, to keep: all that are selected, and of the others the likeliest.

        Args:
            count: how many regions in all, if there are not more that are selected.
        """
        found = self.proposals
        order = np.lexsort((-found.scores, -found.evidence, ~found.selected))
        rows = np.sort(order[: max(count, int(found.selected.sum()))])
        return replace(self, proposals=found.rows(rows), logits=self.logits[rows])

    def select(self, thresholds: Thresholds = Thresholds()) -> NDArray[np.bool_]:
        """Which of the regions are in the answer: (R,) bool."""
        found = self.proposals
        if not len(found):
            return found.selected
        least, evidence = thresholds.min_evidence, found.evidence
        selected = found.selected & ((evidence >= least) if least > 0 else True)
        if least < 0:
            turned_down = ~selected & (evidence < 0) & (evidence >= least)
            # Those that are selected stay: only what comes in gives way to them.
            selected = selected | (turned_down & one_for_each_object(found, selected | turned_down))
        selected = selected & (self.query.weights[found.sources] >= thresholds.min_weight)
        selected = selected & (found.scores >= thresholds.min_score)
        return np.asarray(selected & ~np.isin(np.arange(len(found)), list(thresholds.without)))

    def compose(self, thresholds: Thresholds = Thresholds()) -> Composition:
        """The masks of the regions that are in the answer, surest first, and the score map of all."""
        proposals = replace(self.proposals, selected=self.select(thresholds))
        return compose(self.logits, proposals, self.sample.size_hw)

    def result(self, composed: Composition | None = None) -> AVSResult:
        """The answer.

        Args:
            composed: the masks, of :meth:`compose`; those of the verifier's own selection if left out.
        """
        composed = self.compose() if composed is None else composed
        query, sources = self.query, self.proposals.sources[composed.rows]
        return AVSResult(
            masks=composed.masks,
            boxes_xyxy=composed.boxes_xyxy,
            phrases=tuple(query.phrases[source] for source in sources),
            scores=self.proposals.scores[composed.rows],
            score_map=composed.score_map,
            queries=Query(query.phrases, query.weights, times=query.times),
            timings=self.timings,
            meta={"zsavs": __version__, **_files_of(self.sample), **self.meta, **_noted(query, self.proposals)},
            frame=self.sample.image,
            audio=self.sample.audio,
        )


def _files_of(sample: AVSample) -> dict[str, str]:
    """The names of a sample and of its audio file, where it has one, as entries of the result's meta."""
    return {"sample": sample.name, **({"audio": sample.audio.source} if sample.audio.source else {})}


def _noted(query: Query, regions: Proposals) -> dict[str, Any]:
    """The notes of the query and of its regions as an entry of the result's meta, where there are any."""
    notes = {**query.notes, **regions.notes}
    return {"notes": notes} if notes else {}
