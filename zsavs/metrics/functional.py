"""The metrics of the field as pure functions: numpy in, floats out.

Conventions
    A mask is bool, a score map is float in [0, 1], a label map is integer; anything else is an InputError, because
    logits, probabilities and masks give different numbers and no range tells them apart. Shapes are (H, W) or
    (N, H, W); a stack gives the mean over its frames, never over its pixels. NaN means undefined: it is left out of
    every mean, and what is left out is said where it happens. Every sum is exact, so that the order of the frames and
    the way they were split never show, and the streaming versions (:mod:`zsavs.metrics.streaming`) give the same bits.

Metrics
    One frame or a stack: :func:`jaccard`, :func:`f_measure`, :func:`max_f_measure`, :func:`false_positive_share`.
    Localisation: :func:`oracle_iou`, :func:`success_rate`, :func:`success_auc`, :func:`interactive_iou`,
    :func:`interactive_auc`.
    Classes: :func:`semantic_frame_scores`, :func:`semantic_summary`, :func:`confusion_matrix`,
    :func:`confusion_summary` (they live in :mod:`zsavs.metrics.semantic`).
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsavs.errors import InputError
from zsavs.metrics import exact_sums
from zsavs.metrics.f_measure_curve import f_curve, f_from_counts
from zsavs.metrics.input_checks import Mask, Scores, check_masks, check_same_shape, check_scores, is_two_valued
from zsavs.metrics.semantic import confusion_matrix, confusion_summary, semantic_frame_scores, semantic_summary

__all__ = [
    "confusion_matrix",
    "confusion_summary",
    "f_measure",
    "false_positive_share",
    "interactive_auc",
    "interactive_iou",
    "jaccard",
    "max_f_measure",
    "oracle_iou",
    "semantic_frame_scores",
    "semantic_summary",
    "success_auc",
    "success_rate",
]

log = logging.getLogger(__name__)

#: IoU thresholds of the success curve: ``0.05 * i`` in float64, so 0.15 is 0.15000000000000002, as published.
SUCCESS_THRESHOLDS: NDArray[np.float64] = np.array([0.05 * i for i in range(21)])

_HARD_MASK = (
    "the threshold that keeps as many pixels as the target has then keeps none, and a perfect mask would score 0; "
    "pass the map before it was thresholded, or use jaccard and f_measure, which are meant for masks."
)


def jaccard(mask: ArrayLike, target: ArrayLike) -> float:
    """Intersection over union, mean over frames ("J", "M_J", "mIoU" of AVSBench-object).

    A frame whose target is empty scores the share of pixels that are rightly left empty: 1 for an empty mask, else
    1 minus the share of false positives, and not 0.

    Args:
        mask: prediction, (H, W) or (N, H, W) bool.
        target: reference, same shape, bool.

    Returns:
        A number in [0, 1].

    Raises:
        InputError: not bool, or shapes differ.

    Definition: ``mask_iou`` in OpenNLPLab/AVSBench at f7414af, avs_scripts/avs_s4/utils/utility.py, without its 1e-7.

    >>> jaccard(np.array([[True, True]]), np.array([[True, False]]))
    0.5
    """
    return exact_sums.mean(jaccards(*_mask_pair(mask, target, "jaccard")))


def f_measure(mask: ArrayLike, target: ArrayLike, beta2: float = 0.3) -> float:
    """F of a hard mask, (1 + beta2) P R / (beta2 P + R), mean over the frames whose target is not empty ("F@0.5").

    The one F that means the same for soft and hard predictions. Not the boundary F of DAVIS.

    Args:
        mask: prediction, (H, W) or (N, H, W) bool.
        target: reference, same shape, bool.
        beta2: beta squared; 0.3 throughout the field.

    Returns:
        A number in [0, 1]; 0 where prediction and target do not meet; NaN if every target is empty.

    Raises:
        InputError: not bool, or shapes differ.

    Definition: the summand of ``Eval_Fmeasure`` (OpenNLPLab/AVSBench at f7414af, avs_scripts/avs_s4/utils/utility.py)
    at one threshold, and of ``Evaluator_iiou.cal_CIOU`` (cid2rrrr/BAaV at 149358d, utils/utils.py).

    >>> round(f_measure(np.array([[True, True]]), np.array([[True, False]])), 4)
    0.5652
    """
    return exact_sums.mean(f_measures(*_mask_pair(mask, target, "f_measure"), beta2))


def max_f_measure(
    scores: ArrayLike | Sequence[ArrayLike],
    targets: ArrayLike | Sequence[ArrayLike],
    thresholds: int = 255,
    beta2: float = 0.3,
) -> float:
    """Best F over a sweep of thresholds, of one curve averaged over all frames whose target is not empty.

    The published code takes the maximum per batch and averages afterwards, so that its number moves with the batch
    size; this one does not. The published number is ``zsavs.metrics.suites.get("avsbench_compat")``. The threshold is
    chosen on the data that is scored: report :func:`f_measure` beside it. At threshold 0 every pixel is predicted,
    so even an empty prediction scores 1.3 a / (0.3 a + 1), a being the target's share of the frame.

    Args:
        scores: score maps, (H, W) or (N, H, W) float in [0, 1], or a list of (H, W) of any sizes.
        targets: references, bool, shaped like ``scores``.
        thresholds: how many, from 0 to 1, compared inclusively.
        beta2: beta squared.

    Returns:
        A number in [0, 1]; NaN, with a warning in the log, if every target is empty.

    Raises:
        InputError: scores that are not float in [0, 1], targets that are not bool, or shapes that differ.

    Definition: ``Eval_Fmeasure`` in OpenNLPLab/AVSBench at f7414af, avs_scripts/avs_s4/utils/utility.py.
    """
    total, frames = exact_sums.zeros(thresholds), 0
    for score_map, target in _frames(scores, targets):
        if target.any():
            exact_sums.add(total, f_curve(score_map, target, thresholds, beta2))
            frames += 1
    if not frames:
        log.warning("max_f_measure: every target is empty, so F is undefined (NaN).")
        return float("nan")
    return float(exact_sums.value(total).max()) / frames


def false_positive_share(mask: ArrayLike, target: ArrayLike) -> float:
    """Share of the frame's pixels that are predicted and not in the target, mean over frames.

    For an empty target (silence, noise, an off-screen source) it is the predicted share of the frame, the "FPR" of
    AVSBench-Robust. It is not a rate per negative pixel and not the false discovery rate of VPO.

    Args:
        mask: prediction, (H, W) or (N, H, W) bool.
        target: reference, same shape, bool.

    Returns:
        A number in [0, 1], lower is better.

    Raises:
        InputError: not bool, or shapes differ.

    Definition: ``calculate_FPR`` in jiali-home/AVSBench-Robust at 67c0f2e, .../AVSegFormer/scripts/s4/test.py, for
    which the target is empty.

    >>> false_positive_share(np.array([[True, True]]), np.array([[True, False]]))
    0.5
    """
    return exact_sums.mean(false_positive_shares(*_mask_pair(mask, target, "false_positive_share")))


def oracle_iou(scores: ArrayLike, target: ArrayLike) -> float:
    """IoU after keeping as many pixels as the target has: an upper bound, as it knows the area of the target.

    The threshold is the n-th largest score, n being the area of the target, and pixels strictly above it are kept: at
    most n - 1, and none of those tied at the threshold. Never a headline, never "zero-shot": the adaptive ("_adap")
    numbers of the localisation papers, and four of the six columns of the BAaV table.

    Args:
        scores: (H, W) or (N, H, W) float in [0, 1], soft: with the two values of a mask the threshold is the larger
            of them and a perfect mask scores 0, so hard masks are refused.
        target: reference, same shape, bool.

    Returns:
        A number in [0, 1], mean over the frames whose target is not empty; NaN if every target is empty.

    Raises:
        InputError: a hard mask, scores outside [0, 1], targets that are not bool, or shapes that differ.

    Definition: the adaptive threshold of cid2rrrr/BAaV at 149358d, eval.py, and of kaistmm/SSLalignment at e7ae3c5,
    test.py. They halve the frame where the target is empty; here that is undefined.
    """
    refuse_masks(scores, "oracle_iou")
    maps, masks = _score_pair(scores, target, "oracle_iou")
    refuse_hard(maps, "oracle_iou")
    ious = localisation_ious(oracle_masks(maps, masks), masks)
    return exact_sums.mean(ious[masks.any((1, 2))])


def success_rate(ious: ArrayLike, threshold: float = 0.5) -> float:
    """Share of items whose IoU reaches the threshold ("cIoU" of the localisation papers, which is not a mean IoU).

    Args:
        ious: (N,) in [0, 1]; NaN is left out.
        threshold: inclusive.

    Returns:
        A number in [0, 1]; NaN without any defined item.

    Definition: ``finalize_cIoU`` in kaistmm/SSLalignment at e7ae3c5 and cid2rrrr/BAaV at 149358d, utils.py.

    >>> success_rate([0.4, 0.5, 0.9, 0.1])
    0.5
    """
    values = _ious(ious, "success_rate")
    values = values[~np.isnan(values)]
    return int((values >= threshold).sum()) / values.size if values.size else float("nan")


def success_auc(ious: ArrayLike) -> float:
    """Area under the success rate against the IoU threshold, trapezoids over 0, 0.05, ..., 1 ("AUC").

    Args:
        ious: (N,) in [0, 1]; NaN is left out.

    Returns:
        A number in [0, 1]; NaN without any defined item.

    Definition: ``finalize_AUC`` in kaistmm/SSLalignment at e7ae3c5 and cid2rrrr/BAaV at 149358d, utils.py.

    >>> round(success_auc([1.0, 0.0]), 4)
    0.5125
    """
    values = _ious(ious, "success_auc")
    values = values[~np.isnan(values)]
    return area_under((values[:, None] >= SUCCESS_THRESHOLDS).sum(0), values.size)


def interactive_iou(ious: ArrayLike, groups: Sequence[Hashable], threshold: float = 0.5) -> float:
    """Share of groups in which every item reaches the threshold ("IIoU"): every source of an image is found.

    Args:
        ious: (N,) in [0, 1]; NaN is left out.
        groups: N keys; the items of one image, each with the audio of another of its sources, share a key.
        threshold: inclusive.

    Returns:
        A number in [0, 1]; NaN without any defined item.

    Raises:
        InputError: another number of keys than items.

    Definition: ``finalize_cIoU`` in kaistmm/SSLalignment at e7ae3c5, utils.py.

    >>> interactive_iou([0.9, 0.4, 0.6], ["a", "a", "b"])
    0.5
    """
    return success_rate(list(group_minima(ious, groups, "interactive_iou").values()), threshold)


def interactive_auc(ious: ArrayLike, groups: Sequence[Hashable]) -> float:
    """Area under :func:`interactive_iou` against the IoU threshold, as in :func:`success_auc` ("IAUC").

    Definition: ``finalize_IAUC`` in kaistmm/SSLalignment at e7ae3c5, utils.py.
    """
    return success_auc(list(group_minima(ious, groups, "interactive_auc").values()))


# Per frame, on checked (N, H, W) stacks: what the functions above average and their streaming versions add up.


def jaccards(masks: Mask, targets: Mask) -> NDArray[np.float64]:
    """(N,) IoUs; with an empty target, the share of pixels rightly left empty."""
    hits, predicted, actual = _counts(masks, targets)
    pixels = masks[0].size
    empty = actual == 0
    return np.where(empty, pixels - predicted, hits) / np.where(empty, pixels, predicted + actual - hits)


def f_measures(masks: Mask, targets: Mask, beta2: float = 0.3) -> NDArray[np.float64]:
    """(N,) F of hard masks; NaN with an empty target."""
    hits, predicted, actual = _counts(masks, targets)
    return np.where(actual == 0, np.nan, f_from_counts(hits, predicted, actual, beta2))


def false_positive_shares(masks: Mask, targets: Mask) -> NDArray[np.float64]:
    """(N,) shares of the frame that are predicted and not in the target."""
    hits, predicted, _ = _counts(masks, targets)
    return np.asarray((predicted - hits) / masks[0].size)


def localisation_ious(masks: Mask, targets: Mask) -> NDArray[np.float64]:
    """(N,) IoUs without a rule for empty targets: 0, or NaN if the mask is empty too."""
    hits, predicted, actual = _counts(masks, targets)
    with np.errstate(invalid="ignore"):
        return np.asarray(hits / (predicted + actual - hits))


def oracle_masks(maps: Scores, targets: Mask) -> Mask:
    """(N, H, W) masks of about the target's own area; half the frame, as published, where the target is empty."""
    areas = [int(np.count_nonzero(target)) or target.size // 2 for target in targets]
    return np.stack([above_rank(score_map, area) for score_map, area in zip(maps, areas, strict=True)])


def above_rank(score_map: Scores, count: int) -> Mask:
    """Pixels of a (H, W) map strictly above its ``count``-th largest value; with 0, above the largest: none."""
    rank = min(score_map.size - count, score_map.size - 1)
    return np.asarray(score_map > np.partition(score_map, rank, axis=None)[rank])


def area_under(hits: NDArray[np.int64], items: int) -> float:
    """Trapezoid over :data:`SUCCESS_THRESHOLDS` of hits / items; NaN without items."""
    if not items:
        return float("nan")
    rate = hits / items
    return float(((rate[1:] + rate[:-1]) / 2 * np.diff(SUCCESS_THRESHOLDS)).sum())


def group_minima(ious: ArrayLike, groups: Sequence[Hashable], what: str) -> dict[Hashable, float]:
    """The smallest defined IoU of every group that has one."""
    values = _ious(ious, what)
    if len(groups) != values.size:
        raise InputError(f"{what}: {values.size} items need as many group keys, got {len(groups)}.")
    minima: dict[Hashable, float] = {}
    for key, iou in zip(groups, values.tolist(), strict=True):
        if iou == iou:
            minima[key] = min(iou, minima.get(key, 1.0))
    return minima


def refuse_masks(values: ArrayLike, what: str) -> None:
    """Raise InputError for bool or integer arrays where the area of the target sets the threshold."""
    dtype = np.asarray(values).dtype
    if not np.issubdtype(dtype, np.floating):
        raise InputError(f"{what} needs soft float score maps, got {dtype}: {_HARD_MASK}")


def refuse_hard(maps: Scores, what: str) -> None:
    """Raise InputError if one of the (N, H, W) maps holds only the two values of a hard mask."""
    if any(is_two_valued(score_map) for score_map in maps):
        raise InputError(f"{what} needs soft score maps, got one with only the two values of a mask: {_HARD_MASK}")


def _counts(masks: Mask, targets: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(N,) numbers of pixels in both, in the prediction, in the target."""
    hits = np.array([np.count_nonzero(mask & target) for mask, target in zip(masks, targets, strict=True)])
    return hits, np.array([np.count_nonzero(m) for m in masks]), np.array([np.count_nonzero(t) for t in targets])


def _mask_pair(mask: ArrayLike, target: ArrayLike, what: str) -> tuple[Mask, Mask]:
    masks, targets = check_masks(mask, f"{what}: mask"), check_masks(target, f"{what}: target")
    check_same_shape(masks, targets, what)
    return masks, targets


def _score_pair(scores: ArrayLike, targets: ArrayLike, what: str) -> tuple[Scores, Mask]:
    maps, masks = check_scores(scores, f"{what}: scores"), check_masks(targets, f"{what}: target")
    check_same_shape(maps, masks, what)
    return maps, masks


def _frames(scores: Any, targets: Any) -> Iterable[tuple[Scores, Mask]]:
    """Checked (H, W) pairs of a stack, or of two lists whose frames may differ in size."""
    lists = isinstance(scores, (list, tuple)) and isinstance(targets, (list, tuple))
    if lists and len(scores) != len(targets):
        raise InputError(f"max_f_measure: got {len(scores)} score maps and {len(targets)} targets.")
    for one_scores, one_targets in zip(scores, targets, strict=True) if lists else [(scores, targets)]:
        yield from zip(*_score_pair(one_scores, one_targets, "max_f_measure"), strict=True)


def _ious(values: ArrayLike, what: str) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or (array < 0).any() or (array > 1).any():
        raise InputError(f"{what}: IoUs must be a list of numbers in [0, 1] or NaN, got shape {array.shape}.")
    return array
