"""Metrics of label maps: per frame and class (AVSBench-semantic), and over one confusion matrix (VPO and others).

They are two different averages and give different numbers for the same predictions: the first is a mean over the
frames in which a class occurs, the second sums pixels over the whole set.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsavs.errors import InputError
from zsavs.metrics.f_measure_curve import f_from_counts
from zsavs.metrics.input_checks import Labels, check_labels, check_same_shape

__all__ = ["FrameScores", "confusion_matrix", "confusion_summary", "semantic_frame_scores", "semantic_summary"]


class FrameScores(NamedTuple):
    """IoU and F of each class on one frame.

    Attributes:
        iou: (C,) float64 in [0, 1], 0 for a class that is neither predicted nor there.
        f: (C,) float64 in [0, 1], F with beta squared 0.3 of the hard label map, likewise.
        present: (C,) bool, the class is predicted or there: the frames that count for it.
    """

    iou: NDArray[np.float64]
    f: NDArray[np.float64]
    present: NDArray[np.bool_]


def semantic_frame_scores(
    labels: ArrayLike, target: ArrayLike, num_classes: int = 71, beta2: float = 0.3
) -> FrameScores:
    """IoU and F of every class on one frame, as AVSBench-semantic counts them.

    A class that is wrongly predicted scores 0 and counts as present, so it lowers the mean of that class, too.

    Args:
        labels: predicted classes, (H, W) integers in [0, num_classes); 0 is the background.
        target: reference, same shape.
        num_classes: classes with the background; 71 in AVSBench-semantic.
        beta2: beta squared of F.

    Raises:
        InputError: labels that are no classes, more than one frame, or shapes that differ.

    Definition: ``_batch_miou_fscore`` in OpenNLPLab/AVSBench at f7414af,
    avs_scripts/avss/utils/compute_color_metrics.py.

    >>> semantic_frame_scores(np.array([[0, 1]]), np.array([[0, 2]]), num_classes=4).iou.tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    predicted, actual = _label_pair(labels, target, num_classes, None, "semantic_frame_scores")
    if len(predicted) != 1:
        raise InputError(f"semantic_frame_scores takes one frame, got {len(predicted)}; loop over them.")
    hits = np.bincount(predicted[predicted == actual].ravel(), minlength=num_classes)
    in_prediction = np.bincount(predicted.ravel(), minlength=num_classes)
    in_target = np.bincount(actual.ravel(), minlength=num_classes)
    union = in_prediction + in_target - hits
    f = np.nan_to_num(f_from_counts(hits, in_prediction, in_target, beta2))
    return FrameScores(hits / np.maximum(union, 1), f, union > 0)


def semantic_summary(iou: ArrayLike, f: ArrayLike, count: ArrayLike) -> dict[str, float]:
    """The means over classes that are in use in the field, from sums over frames.

    Args:
        iou: (C,) sums over frames of ``FrameScores.iou``.
        f: (C,) sums over frames of ``FrameScores.f``.
        count: (C,) number of frames with the class present.

    Returns:
        mIoU, F: over all C classes, background included, a class that never occurs as 0 (the published numbers; with
        classes that no test video holds their ceiling is below 1); mIoU_present, F_present: over the classes that
        occur; mIoU_foreground, F_foreground: over classes 1 to C - 1, a class that never occurs as 0. NaN without any
        frame.

    Raises:
        InputError: the three differ in length, or there are fewer than two classes.

    Definition: avs_scripts/avss/test.py in OpenNLPLab/AVSBench at f7414af.
    """
    sums = [np.asarray(values, np.float64) for values in (iou, f, count)]
    if len({values.shape for values in sums}) != 1 or sums[0].ndim != 1 or sums[0].size < 2:
        raise InputError("semantic_summary: iou, f and count must be three lists of one length, a number per class.")
    iou_sum, f_sum, frames = sums
    present = frames > 0
    summary = {}
    for name, total in (("mIoU", iou_sum), ("F", f_sum)):
        per_class = total / np.maximum(frames, 1)
        defined = bool(present.any())
        summary[name] = float(per_class.mean()) if defined else float("nan")
        summary[f"{name}_present"] = float(per_class[present].mean()) if defined else float("nan")
        summary[f"{name}_foreground"] = float(per_class[1:].mean()) if defined else float("nan")
    return summary


def confusion_matrix(
    labels: ArrayLike, target: ArrayLike, num_classes: int, ignore_index: int | None = 255
) -> NDArray[np.int64]:
    """Pixels by class, (C, C) int64: rows are the reference, columns the prediction.

    Args:
        labels: predicted classes, (H, W) or (N, H, W) integers in [0, num_classes).
        target: reference, same shape; pixels equal to ``ignore_index`` are left out.
        num_classes: classes with the background.
        ignore_index: label of pixels that do not count; None if there is none.

    Raises:
        InputError: labels that are no classes, or shapes that differ.

    Definition: ``ForegroundDetect._fast_hist`` in cyh-0/CAVP at 96a6c34, utils/eval_utils.py.

    >>> confusion_matrix(np.array([[0, 1, 1]]), np.array([[0, 0, 255]]), num_classes=2).tolist()
    [[1, 1], [0, 0]]
    """
    predicted, actual = _label_pair(labels, target, num_classes, ignore_index, "confusion_matrix")
    counted = slice(None) if ignore_index is None else actual != ignore_index
    cells = num_classes * actual[counted].astype(np.int64) + predicted[counted]
    return np.bincount(cells.ravel(), minlength=num_classes**2).reshape(num_classes, num_classes)


def confusion_summary(confusion: ArrayLike, beta2: float = 0.3) -> dict[str, float]:
    """The dataset-level numbers of CAVP, which every VPO table uses, unrounded and from integer counts.

    Not comparable with :func:`zsavs.metrics.functional.jaccard`: one S4 model has 0.894 here and 0.788 there.

    Args:
        confusion: (C, C) integers, rows are the reference, from :func:`confusion_matrix`, summed over the set.
        beta2: beta squared of F.

    Returns:
        mIoU: mean over all C classes, one that never occurs as 0; accuracy: share of pixels that are right; F and F1
        (beta squared 1): means over the classes that occur; FDR: share of wrong pixels among the predicted ones, mean
        over the predicted classes. NaN where there is nothing to average.

    Raises:
        InputError: not a square integer matrix, or negative counts.

    Definition: ``MIoU`` and ``ForegroundDetect`` in cyh-0/CAVP at 96a6c34, utils/eval_utils.py, which round to four
    decimals and count in float32.
    """
    matrix = square(confusion, "confusion_summary")
    hits, predicted, actual = np.diag(matrix), matrix.sum(0), matrix.sum(1)
    pixels = int(matrix.sum())
    iou = hits / np.maximum(predicted + actual - hits, 1)
    with np.errstate(invalid="ignore"):
        discovery = (predicted - hits) / predicted
    return {
        "mIoU": float(iou.mean()) if pixels else float("nan"),
        "accuracy": int(hits.sum()) / pixels if pixels else float("nan"),
        "F": nan_mean(f_from_counts(hits, predicted, actual, beta2)),
        "F1": nan_mean(f_from_counts(hits, predicted, actual, 1.0)),
        "FDR": nan_mean(discovery),
    }


def nan_mean(values: NDArray[np.float64]) -> float:
    """Mean of what is not NaN; NaN, and no warning, if there is nothing."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def square(confusion: ArrayLike, what: str) -> NDArray[np.int64]:
    """Check a confusion matrix: square, integer, no negative counts (InputError otherwise)."""
    matrix = np.asarray(confusion)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.issubdtype(matrix.dtype, np.integer):
        raise InputError(f"{what} takes a square integer confusion matrix, got {matrix.dtype} of shape {matrix.shape}.")
    if (matrix < 0).any():
        raise InputError(f"{what}: counts of pixels cannot be negative; the matrix has overflowed or is not one.")
    return matrix.astype(np.int64)


def _label_pair(
    labels: ArrayLike, target: ArrayLike, num_classes: int, ignore_index: int | None, what: str
) -> tuple[Labels, Labels]:
    predicted = check_labels(labels, num_classes, f"{what}: labels")
    actual = check_labels(target, num_classes, f"{what}: target", ignore_index)
    check_same_shape(predicted, actual, what)
    return predicted, actual
