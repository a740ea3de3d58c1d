"""Suites of label maps: AVSBench-semantic, CAVP and VPO, TAViS, open vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsavs.errors import InputError
from zsavs.metrics import functional
from zsavs.metrics.base_suite import Suite, choice, per_class, sigmoid
from zsavs.metrics.f_measure_curve import f_curve, f_from_counts
from zsavs.metrics.input_checks import Mask, Scores, check_labels, check_logits, check_same_shape, check_scores
from zsavs.metrics.semantic import confusion_summary, nan_mean, semantic_summary
from zsavs.metrics.streaming import ClassMeans, Confusion, Count, Mean

__all__ = ["AVSBENCH_OV_BASE", "AVSS", "CAVP", "AVSSCompat", "OpenVocabulary", "TAViSSemantic"]

#: The 40 base classes of AVSBench-OV as AVSBench-semantic class ids; the other 30 of 1 to 70 are novel.
AVSBENCH_OV_BASE = (
    *(2, 4, 6, 7, 8, 9, 10, 11, 12, 16, 17, 18, 19, 20, 21, 26, 27, 28, 29, 31),
    *(35, 36, 37, 38, 40, 41, 43, 44, 46, 47, 48, 52, 55, 58, 59, 60, 62, 63, 67, 70),
)


class _FrameMeans(Suite):
    """What the two AVSBench-semantic suites share: checked frames and sums per class."""

    takes = "labels"

    def __init__(self, num_classes: int = 71) -> None:
        super().__init__(num_classes=at_least(num_classes, 2, f"{self.name}: num_classes"))
        self._means, self._frames, self._agnostic = ClassMeans(num_classes), Count(), Mean()

    def per_class(self) -> dict[str, NDArray[np.float64]]:
        """(C,) IoU, F and number of frames for each class; NaN for a class that never occurred."""
        iou, f, frames = self._means.sums()
        return {"IoU": per_class(iou, frames), "F": per_class(f, frames), "frames": frames.astype(np.float64)}

    def _take(self, labels: ArrayLike, targets: ArrayLike, background: int) -> None:
        num_classes = self._means.num_classes
        predicted = check_labels(labels, num_classes, f"{self.name}: labels")
        actual = check_labels(targets, num_classes, f"{self.name}: targets")
        check_same_shape(predicted, actual, self.name)
        self._means.update(predicted, actual)
        self._agnostic.update(functional.jaccards(predicted != background, actual != background))
        self._frames.update(len(actual))


class AVSS(_FrameMeans):
    """AVSBench-semantic: mean over frames per class, then mean over classes; only frames that exist count.

    mIoU and F are the published averages, over all 71 classes with the background, a class that never occurs as 0:
    axe, clipper, harmonica and utv are in no test video, which puts the ceiling at about 67/71. The published runs
    also score black padding frames ("avss_compat").

    Args:
        num_classes: classes with the background.

    Numbers: mIoU, F; with ``_present`` over the classes that occur, with ``_foreground`` over classes 1 and up; J, the
    mean over frames of IoU of sounding against background, whatever the class; n_frames, n_classes that occur.

    Definition: avs_scripts/avss/utils/compute_color_metrics.py and test.py in OpenNLPLab/AVSBench at f7414af; J with
    the background at 0 as corrected in cyh-0/CAVP at 96a6c34, utils/avsbench_metrics.py.
    """

    name = "avss"

    def update(self, labels: ArrayLike, targets: ArrayLike) -> None:
        """Add one frame or more.

        Args:
            labels: predicted classes, (H, W) or (N, H, W) integers in [0, num_classes), 0 the background.
            targets: same shape.

        Raises:
            InputError: not integers, labels that are no classes, or shapes that differ.
        """
        self._take(labels, targets, background=0)

    def compute(self) -> dict[str, float]:
        """The numbers named above."""
        iou, f, frames = self._means.sums()
        return {
            **semantic_summary(iou, f, frames),
            "J": self._agnostic.compute(),
            "n_frames": self._frames.compute(),
            "n_classes": int((frames > 0).sum()),
        }


class AVSSCompat(_FrameMeans):
    """AVSBench-semantic as published.

    What differs from "avss": the loader pads every 5-frame video (v1s, v1m) to 10 with black frames whose target and,
    in practice, prediction are all background, and scores them, which raises the numbers of the background class; the
    published "without background" drops the last class (70, woman) instead of class 0; its binary mIoU takes class 70
    for the background.

    Args:
        num_classes: classes with the background.

    Numbers: mIoU, F; mIoU_noBg, F_noBg without the last class; binary_mIoU; n_frames without and n_padding, the
    number of padding frames.

    Definition: avs_scripts/avss/utils/compute_color_metrics.py, test.py and color_dataloader.py in
    OpenNLPLab/AVSBench at f7414af.
    """

    name = "avss_compat"
    allows = ("padding",)

    def __init__(self, num_classes: int = 71) -> None:
        super().__init__(num_classes)
        self._padding = Count()

    def update(self, labels: ArrayLike, targets: ArrayLike, *, padding: int = 0) -> None:
        """Add the frames of a video and its padding.

        Args:
            labels: predicted classes, (H, W) or (N, H, W) integers in [0, num_classes), 0 the background.
            targets: same shape.
            padding: all-background frames that the loader appends to this video: 5 for v1s and v1m, 0 for v2. Frame by
                frame, 1 with every frame of a 5-frame video comes to the same.

        Raises:
            InputError: not integers, labels that are no classes, shapes that differ, or negative padding.
        """
        at_least(padding, 0, "avss_compat: padding")
        self._take(labels, targets, background=self._means.num_classes - 1)
        for _ in range(padding):
            background = np.arange(self._means.num_classes) == 0
            self._means.add(background, background, background)
        self._agnostic.update(np.ones(padding))
        self._padding.update(padding)

    def compute(self) -> dict[str, float]:
        """The numbers named above."""
        iou, f, frames = self._means.sums()
        summary = semantic_summary(iou, f, frames)
        kept = {name: np.nan_to_num(values[:-1]) for name, values in self.per_class().items()}
        return {
            "mIoU": summary["mIoU"],
            "F": summary["F"],
            "mIoU_noBg": float(kept["IoU"].mean()) if self._frames.compute() else float("nan"),
            "F_noBg": float(kept["F"].mean()) if self._frames.compute() else float("nan"),
            "binary_mIoU": self._agnostic.compute(),
            "n_frames": self._frames.compute(),
            "n_padding": self._padding.compute(),
        }


class CAVP(Suite):
    """One confusion matrix over the whole set: every VPO number, and the first AVSBench tables of CAVP.

    Not comparable with the per-frame numbers of the AVSBench suites. The published code counts in float32, which
    drifts beyond 2**24 pixels, and rounds to four decimals; here the counts are integers and nothing is rounded.

    Args:
        num_classes: classes with the background: 22 for VPO, 71 for AVSBench-semantic, 2 for masks.
        ignore_index: label of target pixels that do not count.

    Numbers: mIoU (absent classes as 0), accuracy, F, F1, FDR; n_pixels.

    Definition: ``MIoU`` and ``ForegroundDetect`` in cyh-0/CAVP at 96a6c34, utils/eval_utils.py.
    """

    name = "cavp"
    takes = "labels"

    def __init__(self, num_classes: int = 22, ignore_index: int = 255) -> None:
        num_classes = at_least(num_classes, 2, "cavp: num_classes")
        super().__init__(num_classes=num_classes, ignore_index=ignore_index)
        self._confusion = Confusion(num_classes, ignore_index)

    def update(self, labels: ArrayLike, targets: ArrayLike) -> None:
        """Add one image or more.

        Args:
            labels: predicted classes, (H, W) or (N, H, W) integers in [0, num_classes).
            targets: same shape, pixels of ``ignore_index`` left out.

        Raises:
            InputError: not integers, labels that are no classes, or shapes that differ.
        """
        self._confusion.update(labels, targets)

    def per_class(self) -> dict[str, NDArray[np.float64]]:
        """(C,) IoU and F of each class; NaN for one that neither occurs nor is predicted."""
        matrix = self._confusion.compute()
        return {"IoU": class_ious(matrix), "F": f_from_counts(np.diag(matrix), matrix.sum(0), matrix.sum(1), beta2=0.3)}

    def compute(self) -> dict[str, float]:
        """The numbers named above."""
        matrix = self._confusion.compute()
        return {**confusion_summary(matrix), "n_pixels": int(matrix.sum())}


class OpenVocabulary(Suite):
    """AVSBench-OV: one confusion matrix, averaged over all, base and novel classes, and their harmonic mean.

    A training-free method has no seen classes; for it the split only compares the two lists. Means are over
    the classes that occur. The class-wise numbers of the same code, which do not count false positives on the
    background, are left out on purpose.

    Args:
        num_classes: classes with the background.
        base: class ids of the base (seen) classes; without it, the 40 of AVSBench-OV.
        novel: class ids of the novel (unseen) classes; without it, every other class but the background.

    Numbers: mIoU, accuracy, mean_accuracy, freq_weighted_IoU, each also with ``_base``, ``_novel`` and ``_harmonic``;
    n_pixels.

    Definition: ``scores_gzsl`` in ruohaoguo/ovavss at baa883c, demo_video/avsbench_eval.py.
    """

    name = "open_vocabulary"
    takes = "labels"

    def __init__(
        self, num_classes: int = 71, base: Sequence[int] = AVSBENCH_OV_BASE, novel: Sequence[int] | None = None
    ) -> None:
        num_classes = at_least(num_classes, 2, "open_vocabulary: num_classes")
        if novel is None:
            novel = [c for c in range(1, num_classes) if c not in set(base)]
        if not all(0 <= c < num_classes for c in (*base, *novel)):
            raise InputError(f"open_vocabulary: base and novel must hold class ids from 0 to {num_classes - 1}.")
        super().__init__(num_classes=num_classes, base=list(base), novel=list(novel))
        self._confusion = Confusion(num_classes)

    def update(self, labels: ArrayLike, targets: ArrayLike) -> None:
        """Add one frame or more.

        Args:
            labels: predicted classes, (H, W) or (N, H, W) integers in [0, num_classes).
            targets: same shape, pixels of 255 left out.

        Raises:
            InputError: not integers, labels that are no classes, or shapes that differ.
        """
        self._confusion.update(labels, targets)

    def per_class(self) -> dict[str, NDArray[np.float64]]:
        """(C,) IoU of each class; NaN for one that neither occurs nor is predicted."""
        return {"IoU": class_ious(self._confusion.compute())}

    def compute(self) -> dict[str, float]:
        """The numbers named above."""
        matrix = self._confusion.compute()
        hits, actual, pixels = np.diag(matrix), matrix.sum(1), int(matrix.sum())
        iou, recall = class_ious(matrix), per_class(hits, actual)
        weighted = np.nan_to_num(iou) * actual / max(pixels, 1)
        numbers: dict[str, float] = {}
        everything = np.arange(len(matrix))
        for suffix, which in (("", everything), ("_base", self.options["base"]), ("_novel", self.options["novel"])):
            ids = np.asarray(which, np.intp)
            seen = int(actual[ids].sum())
            numbers[f"mIoU{suffix}"] = nan_mean(iou[ids])
            numbers[f"accuracy{suffix}"] = int(hits[ids].sum()) / seen if seen else float("nan")
            numbers[f"mean_accuracy{suffix}"] = nan_mean(recall[ids])
            numbers[f"freq_weighted_IoU{suffix}"] = float(weighted[ids].sum()) if pixels else float("nan")
        for name in ("mIoU", "accuracy", "mean_accuracy", "freq_weighted_IoU"):
            numbers[f"{name}_harmonic"] = harmonic(numbers[f"{name}_base"], numbers[f"{name}_novel"])
        return {**numbers, "n_pixels": pixels}


class TAViSSemantic(Suite):
    """Per-class IoU and best F of TAViS: every class is a binary problem, averaged over all images.

    What differs from "avss": scores per class instead of one label per pixel; an image without a class adds a 0 to
    it, so a rare class cannot score high; classes that never occur are left out of the final mean; F is the best of
    255 thresholds for each image and class, 0 to 1 on whatever the scores are.

    Args:
        input: what the class scores are. "raw_logits": IoU of sigmoid > 0.5, F from thresholds on the logits
            themselves, as published. "probabilities" in [0, 1]: both on them.

    Numbers: mIoU, F, n_images.

    Definition: utility_semantic.py in Sssssuperior/TAViS at 00212fe, one call over all images.
    """

    name = "tavis_semantic"
    takes = "class_scores"

    def __init__(self, num_classes: int = 71, input: Literal["raw_logits", "probabilities"] = "raw_logits") -> None:
        num_classes = at_least(num_classes, 1, "tavis_semantic: num_classes")
        kind = choice(input, ("raw_logits", "probabilities"), "tavis_semantic: input")
        super().__init__(num_classes=num_classes, input=kind)
        self._means, self._images = ClassMeans(num_classes), Count()

    def update(self, class_scores: ArrayLike, targets: ArrayLike) -> None:
        """Add one image or more.

        Args:
            class_scores: (C, H, W) or (N, C, H, W) float, in [0, 1] or logits, as ``input`` says.
            targets: (H, W) or (N, H, W) integers in [0, num_classes).

        Raises:
            InputError: another dtype, range or number of classes, labels that are no classes, or shapes that differ.
        """
        num_classes = self._means.num_classes
        actual = check_labels(targets, num_classes, "tavis_semantic: targets")
        given = np.asarray(class_scores)
        wanted = (num_classes, *actual.shape[1:])
        if given.shape not in (wanted, (len(actual), *wanted)):
            raise InputError(
                f"tavis_semantic: class_scores must be (N, C, H, W) = {(len(actual), *wanted)}, got {given.shape}."
            )
        check = check_scores if self.options["input"] == "probabilities" else check_logits
        maps = check(given.reshape(-1, *wanted[1:]), "tavis_semantic: class_scores").reshape(-1, *wanted)
        maps = maps.astype(np.float32)  # as in the published code, where a value may tie with a threshold
        for scores, target in zip(maps, actual, strict=True):
            self._take(scores, target == np.arange(num_classes)[:, None, None])

    def per_class(self) -> dict[str, NDArray[np.float64]]:
        """(C,) IoU and F of each class, averaged over all images; 0 for a class that never occurred."""
        images = max(self._images.compute(), 1)
        iou, f, _ = self._means.sums()
        return {"IoU": iou / images, "F": f / images}

    def compute(self) -> dict[str, float]:
        """The numbers named above."""
        values = self.per_class()
        _, f, frames = self._means.sums()
        return {
            "mIoU": nan_mean(np.where(frames > 0, values["IoU"], np.nan)),
            "F": nan_mean(np.where(f > 0, values["F"], np.nan)),
            "n_images": self._images.compute(),
        }

    def _take(self, scores: Scores, targets: Mask) -> None:
        """One image as C binary problems; (C, H, W) scores and masks."""
        masks = (scores if self.options["input"] == "probabilities" else sigmoid(scores)) > 0.5
        ious = functional.localisation_ious(masks, targets)
        f = [
            float(f_curve(score_map, target).max()) if target.any() else 0.0
            for score_map, target in zip(scores, targets, strict=True)
        ]
        self._means.add(np.nan_to_num(ious), f, ~np.isnan(ious))
        self._images.update()


def at_least(value: int, least: int, what: str) -> int:
    """Return an integer option if it is large enough, else raise InputError."""
    if value < least:
        raise InputError(f"{what} must be at least {least}, got {value}.")
    return value


def class_ious(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """(C,) IoU of each class of a confusion matrix; NaN for one that neither occurs nor is predicted."""
    hits = np.diag(matrix)
    return per_class(hits, matrix.sum(0) + matrix.sum(1) - hits)


def harmonic(base: float, novel: float) -> float:
    """Harmonic mean of two numbers; 0 if one of them is 0 or undefined, as published."""
    return 2 / (1 / base + 1 / novel) if base > 0 and novel > 0 else 0.0
