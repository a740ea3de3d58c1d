"""From evidence to selected regions: the last step of every verifier."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zsavs.media.regions import box_iou
from zsavs.types import Proposals, Query

__all__ = ["TrustGrounder", "one_for_each_object", "select"]

#: Two boxes that overlap this much are the same object, whatever they are called.
SAME_OBJECT_IOU = 0.8
#: A prior below this counts as this, so that evidence stays finite.
_LEAST_PRIOR = 1e-6


def select(query: Query, proposals: Proposals, evidence: NDArray[np.float32], size_hw: tuple[int, int]) -> Proposals:
    """The proposals with scores, and with those selected that there is evidence for; one phrase for an object.

    The score is the geometric mean of the query's weight, the grounder's score and the verifier's
    ``sigmoid(evidence)``, times the query's prior over the box where it has one. The prior is evidence, too: its
    logarithm is added, so that an unlikely region needs so much more evidence from the verifier. Regions with evidence
    of at least 0 are selected, but of several that are the same object only the one with the highest score.

    Args:
        query: the query.
        proposals: R region proposals for it.
        evidence: (R,) log evidence; 0 says nothing, below 0 speaks against.
        size_hw: height and width of the image that the boxes are in.

    Returns:
        The same regions in the same order, with evidence, score and selection.
    """
    if not len(proposals):
        return proposals
    verified = np.exp(-np.logaddexp(0, -evidence.astype(np.float64)))  # the sigmoid, without overflow
    scores = np.cbrt(query.weights[proposals.sources] * proposals.scores * verified)
    if query.prior is not None:
        priors = query.prior if query.prior.ndim == 3 else [query.prior] * len(query)
        in_boxes = np.array(
            [
                _prior_in(priors[source], box, size_hw)
                for source, box in zip(proposals.sources, proposals.boxes_xyxy, strict=True)
            ]
        )
        scores = scores * in_boxes
        evidence = (evidence + np.log(np.maximum(in_boxes, _LEAST_PRIOR))).astype(np.float32)
    scored = replace(proposals, scores=np.clip(scores, 0, 1).astype(np.float32), evidence=evidence)
    return replace(scored, selected=one_for_each_object(scored, evidence >= 0))


def one_for_each_object(proposals: Proposals, candidates: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of the candidates, without those that are the same object as one with a higher score.

    Args:
        proposals: R regions with scores.
        candidates: (R,) bool.

    Returns:
        (R,) bool.
    """
    selected = candidates.copy()
    overlap = box_iou(proposals.boxes_xyxy, proposals.boxes_xyxy)
    order = np.argsort(-proposals.scores, kind="stable")
    for place, row in enumerate(order):
        rivals = order[:place]
        selected[row] &= not (selected[rivals] & (overlap[row, rivals] > SAME_OBJECT_IOU)).any()
    return selected


def _prior_in(prior: NDArray[np.float32], box_xyxy: NDArray[np.float32], size_hw: tuple[int, int]) -> float:
    """Mean of the prior over the cells that a box touches."""
    height, width = prior.shape
    x0, y0, x1, y1 = box_xyxy * np.array([width / size_hw[1], height / size_hw[0]] * 2)
    return float(prior[_touched(y0, y1, height), _touched(x0, x1, width)].mean())


def _touched(low: float, high: float, count: int) -> slice:
    """The cells of a row of ``count`` that [low, high] touches, at least one."""
    first = int(np.clip(low, 0, count - 1))
    return slice(first, int(np.clip(np.ceil(high), first + 1, count)))


class TrustGrounder:
    """No rescoring: every region of the grounder is selected, one phrase for an object."""

    def verify(self, samples: list, queries: list, proposals: list) -> list[Proposals]:  # type: ignore[type-arg]
        """Evidence 0 for every region."""
        return [
            select(query, found, np.zeros(len(found), np.float32), sample.size_hw)
            for sample, query, found in zip(samples, queries, proposals, strict=True)
        ]
