"""The metrics of :mod:`zsavs.metrics.functional` for sets that do not fit in memory: updated, merged and stored.

Each class calls the same per-frame code as its function and adds up integers (:mod:`zsavs.metrics.exact_sums`), so that
order, batches and processes make no difference: ``merge`` of two halves equals one pass, bit for bit. The memory taken
does not grow with the set, but for :class:`InteractiveSuccess`, which keeps one number per group.

``state()`` is JSON-able, and ``load(state)`` on a new object with the same settings restores it exactly.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsavs.errors import InputError, ResultFileError
from zsavs.metrics import exact_sums, functional
from zsavs.metrics.f_measure_curve import f_curve, thresholds
from zsavs.metrics.input_checks import Labels, Mask, Scores
from zsavs.metrics.semantic import confusion_matrix, semantic_frame_scores

__all__ = ["ClassMeans", "Confusion", "Count", "InteractiveSuccess", "MaxF", "Mean", "Stream", "Success"]


class Stream(ABC):
    """A metric that is updated piece by piece and can be merged, stored and restored."""

    @abstractmethod
    def merge(self, other: Self) -> Self:
        """Add everything ``other`` was updated with; returns self."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """The state so far, as JSON-able lists and numbers."""

    @abstractmethod
    def load(self, state: Mapping[str, Any]) -> None:
        """Replace the state by a stored one.

        Raises:
            ResultFileError: the state is of another metric or of other settings, or damaged.
        """


class Tally(Stream):
    """A stream whose state is a few integer arrays that are only added to.

    Args:
        arrays: name to int64 array of zeros.
    """

    def __init__(self, **arrays: NDArray[np.int64]) -> None:
        self._arrays = arrays

    def merge(self, other: Self) -> Self:
        """Add the arrays of ``other``; InputError if it was made with other settings."""
        shapes, others = ({k: v.shape for k, v in tally._arrays.items()} for tally in (self, other))
        if shapes != others:
            raise InputError(f"cannot merge {type(self).__name__} of {shapes} with {type(other).__name__} of {others}.")
        for name, array in other._arrays.items():
            self._arrays[name] += array
        return self

    def state(self) -> dict[str, Any]:
        """The arrays as nested lists of integers."""
        return {name: array.tolist() for name, array in self._arrays.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore the arrays; see :meth:`Stream.load`."""
        restored = {}
        for name, array in self._arrays.items():
            try:
                restored[name] = np.array(state[name], dtype=object)
                intact = restored[name].shape == array.shape and all(type(n) is int for n in restored[name].flat)
            except (KeyError, TypeError, ValueError):
                intact = False
            if not intact:
                raise ResultFileError(
                    f"stored state: {name!r} should be integers of shape {array.shape}; "
                    "the file is damaged or was written with other settings, so run the evaluation again."
                )
        self._arrays = {name: array.astype(np.int64) for name, array in restored.items()}


class Count(Tally):
    """A number of items."""

    def __init__(self) -> None:
        super().__init__(count=np.zeros(1, np.int64))

    def update(self, number: int = 1) -> None:
        """Count ``number`` more."""
        self._arrays["count"] += number

    def compute(self) -> int:
        """How many."""
        return int(self._arrays["count"][0])


class Mean(Tally):
    """Mean of numbers in [0, 1], NaN left out and counted; of per-frame values it is the mean over frames."""

    def __init__(self) -> None:
        super().__init__(total=exact_sums.zeros(1), defined=np.zeros(1, np.int64), undefined=np.zeros(1, np.int64))

    @property
    def defined(self) -> int:
        """How many numbers were not NaN."""
        return int(self._arrays["defined"][0])

    @property
    def undefined(self) -> int:
        """How many numbers were NaN."""
        return int(self._arrays["undefined"][0])

    def update(self, values: ArrayLike) -> None:
        """Add a number in [0, 1] or NaN, or (N,) of them."""
        array = np.atleast_1d(np.asarray(values, np.float64))
        defined = array[~np.isnan(array)]
        exact_sums.add(self._arrays["total"], defined[:, None])
        self._arrays["defined"] += defined.size
        self._arrays["undefined"] += array.size - defined.size

    def compute(self) -> float:
        """The mean; NaN of nothing."""
        return float(exact_sums.value(self._arrays["total"])[0]) / self.defined if self.defined else float("nan")


class MaxF(Tally):
    """Streaming version of :func:`zsavs.metrics.functional.max_f_measure`.

    Args:
        count: number of thresholds.
        beta2: beta squared.
    """

    def __init__(self, count: int = 255, beta2: float = 0.3) -> None:
        super().__init__(curve=exact_sums.zeros(count), frames=np.zeros(1, np.int64))
        self._grid, self._beta2 = thresholds(count), beta2

    @property
    def frames(self) -> int:
        """How many frames had a target."""
        return int(self._arrays["frames"][0])

    def update(self, maps: Scores, targets: Mask) -> None:
        """Add checked (N, H, W) score maps and targets; frames with an empty target are skipped."""
        for score_map, target in zip(maps, targets, strict=True):
            if target.any():
                exact_sums.add(self._arrays["curve"], f_curve(score_map, target, self._grid.size, self._beta2))
                self._arrays["frames"] += 1

    def compute(self) -> float:
        """The best F of the mean curve; NaN if no frame had a target."""
        return float(exact_sums.value(self._arrays["curve"]).max()) / self.frames if self.frames else float("nan")

    def best_threshold(self) -> float:
        """The lowest threshold that reaches it; NaN if no frame had a target."""
        return float(self._grid[exact_sums.value(self._arrays["curve"]).argmax()]) if self.frames else float("nan")


class Success(Tally):
    """Streaming version of :func:`~zsavs.metrics.functional.success_rate` at 0.5 and of its area, ``success_auc``.

    Args:
        undefined_fail: count NaN as a failure instead of leaving it out, as the published code does.
    """

    def __init__(self, undefined_fail: bool = False) -> None:
        super().__init__(hits=np.zeros(functional.SUCCESS_THRESHOLDS.size, np.int64), items=np.zeros(1, np.int64))
        self._undefined_fail = undefined_fail

    def update(self, ious: ArrayLike) -> None:
        """Add (N,) IoUs in [0, 1] or NaN."""
        values = np.asarray(ious, np.float64)
        self._arrays["items"] += values.size if self._undefined_fail else np.count_nonzero(~np.isnan(values))
        self._arrays["hits"] += (values[:, None] >= functional.SUCCESS_THRESHOLDS).sum(0)  # NaN reaches nothing

    def rate(self) -> float:
        """Share of items that reach an IoU of 0.5; NaN of nothing."""
        items = int(self._arrays["items"][0])
        return int(self._arrays["hits"][10]) / items if items else float("nan")

    def auc(self) -> float:
        """Area under the success rate over IoU thresholds 0 to 1; NaN of nothing."""
        return functional.area_under(self._arrays["hits"], int(self._arrays["items"][0]))


class InteractiveSuccess(Stream):
    """Streaming version of :func:`~zsavs.metrics.functional.interactive_iou` and of its area, ``interactive_auc``.

    Keeps the smallest IoU of each group, because a group may be spread over batches and processes.
    """

    def __init__(self) -> None:
        self._minima: dict[str, float] = {}

    def update(self, ious: ArrayLike, groups: Sequence[str]) -> None:
        """Add (N,) IoUs in [0, 1] or NaN, which is left out, with N group keys."""
        self._take(functional.group_minima(ious, groups, "interactive IoU"))

    def merge(self, other: Self) -> Self:
        """Add the groups of ``other``; a group seen by both keeps the smaller IoU."""
        self._take(other._minima)
        return self

    def state(self) -> dict[str, Any]:
        """Group to smallest IoU, sorted by name."""
        return {"minima": dict(sorted(self._minima.items()))}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore the groups; see :meth:`Stream.load`."""
        minima = state.get("minima")
        if not isinstance(minima, dict) or not all(
            isinstance(v, (int, float)) and 0 <= v <= 1 for v in minima.values()
        ):
            raise ResultFileError("stored state: 'minima' should map groups to IoUs; run the evaluation again.")
        self._minima = {str(group): float(iou) for group, iou in minima.items()}

    def rate(self) -> float:
        """Share of groups whose items all reach 0.5; NaN without groups."""
        return functional.success_rate(list(self._minima.values()))

    def auc(self) -> float:
        """Area under that share over IoU thresholds 0 to 1; NaN without groups."""
        return functional.success_auc(list(self._minima.values()))

    def _take(self, minima: Mapping[Any, float]) -> None:
        for group, iou in minima.items():
            self._minima[group] = min(iou, self._minima.get(group, 1.0))


class ClassMeans(Tally):
    """Sums over frames of IoU and F per class: what :func:`zsavs.metrics.functional.semantic_summary` takes.

    Args:
        num_classes: classes with the background.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__(
            iou=exact_sums.zeros(num_classes), f=exact_sums.zeros(num_classes), count=np.zeros(num_classes, np.int64)
        )
        self.num_classes = num_classes

    def update(self, labels: Labels, targets: Labels) -> None:
        """Add (N, H, W) label maps by the rules of AVSBench-semantic."""
        for predicted, actual in zip(labels, targets, strict=True):
            self.add(*semantic_frame_scores(predicted, actual, self.num_classes))

    def add(self, iou: ArrayLike, f: ArrayLike, count: ArrayLike) -> None:
        """Add one frame's (C,) numbers, IoU and F in [0, 1], count a number of frames."""
        exact_sums.add(self._arrays["iou"], iou)
        exact_sums.add(self._arrays["f"], f)
        self._arrays["count"] += np.asarray(count, np.int64)

    def sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """(C,) sums of IoU and of F, and the number of frames that count for each class."""
        return exact_sums.value(self._arrays["iou"]), exact_sums.value(self._arrays["f"]), self._arrays["count"].copy()


class Confusion(Tally):
    """Streaming version of :func:`zsavs.metrics.functional.confusion_matrix`, in int64, which never drifts.

    Args:
        num_classes: classes with the background.
        ignore_index: label of target pixels that do not count.
    """

    def __init__(self, num_classes: int, ignore_index: int | None = 255) -> None:
        super().__init__(matrix=np.zeros((num_classes, num_classes), np.int64))
        self._ignore_index = ignore_index

    def update(self, labels: ArrayLike, targets: ArrayLike) -> None:
        """Add (H, W) or (N, H, W) integer label maps; InputError for labels that are no classes."""
        matrix = self._arrays["matrix"]
        matrix += confusion_matrix(labels, targets, len(matrix), self._ignore_index)

    def compute(self) -> NDArray[np.int64]:
        """(C, C) pixels, rows are the reference, columns the prediction."""
        return self._arrays["matrix"].copy()
