"""Suites of score maps against masks for sound source localisation: the BAaV table, and SSLalignment."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from zsavs.metrics import functional
from zsavs.metrics.base_suite import MASK_THRESHOLD, Suite, choice, keys, score_pair
from zsavs.metrics.input_checks import Mask, Scores, is_two_valued
from zsavs.metrics.streaming import Count, InteractiveSuccess, Mean, Success

__all__ = ["BAaV", "SoundSourceLocalisation"]

log = logging.getLogger(__name__)


class _OracleArea(Suite):
    """What the two localisation protocols share: thresholds from the target's own area, and how hard masks score there.

    Args:
        hard_maps: "literal" scores a float map of two values as the published code does, 0 in the oracle columns,
            warns once and counts it in n_hard_maps; "refuse" raises InputError. Bool arrays are always refused.
    """

    takes = "scores"

    def __init__(self, hard_maps: Literal["literal", "refuse"] = "literal") -> None:
        super().__init__(hard_maps=choice(hard_maps, ("literal", "refuse"), f"{self.name}: hard_maps"))
        self._items, self._empty, self._hard = Count(), Count(), Count()

    def _checked(self, scores: ArrayLike, targets: ArrayLike) -> tuple[Scores, Mask]:
        """Both as (N, H, W); refuses bool arrays, and maps of two values if ``hard_maps`` says so."""
        functional.refuse_masks(scores, self.name)
        maps, masks = score_pair(scores, targets, self.name)
        if self.options["hard_maps"] == "refuse":
            functional.refuse_hard(maps, self.name)
        return maps, masks

    def _count(self, maps: Scores, masks: Mask) -> None:
        """Count the items, the empty targets and the maps of two values."""
        hard = sum(is_two_valued(score_map) for score_map in maps)
        self._hard.update(hard)
        self._items.update(len(masks))
        self._empty.update(int((~masks.any((1, 2))).sum()))

    def _counted(self) -> dict[str, float]:
        if self._hard.compute():
            log.warning(
                "%s: a score map holds only the two values of a mask, so the columns with an oracle threshold score it "
                "0 whatever its quality, as published; pass soft maps. Every such map is counted in n_hard_maps.",
                self.name,
            )
        items = {"n_items": self._items, "n_empty": self._empty, "n_hard_maps": self._hard}
        return {name: count.compute() for name, count in items.items()}


class BAaV(_OracleArea):
    """The BAaV table, under the names of its columns: four of the six know the size of the target.

    cIoU (share of items with an oracle IoU of at least 0.5, not a mean), AUC, mIoU and Fscore keep as many pixels as
    the target has: an upper bound, never zero-shot performance. J and F threshold at 0.5 and know nothing of the
    target. The released script prints mIoU and J under each other's label.

    As published and unlike the defaults elsewhere: an empty target scores 0, in J too; an item with an empty target
    and an empty oracle mask has an undefined IoU, which turns mIoU into NaN and counts as a failure in cIoU and AUC;
    two-valued maps score 0 in the oracle columns (see ``hard_maps``). Use maps and targets of 224 x 224.

    Numbers, as shares and not percent: the six columns; cIoU_fixed and AUC_fixed, the same at 0.5; n_items, n_empty,
    n_hard_maps, n_undefined.

    Definition: eval.py and utils/utils.py (``Evaluator_iiou``) in cid2rrrr/BAaV at 149358d.
    """

    name = "baav"

    def __init__(self, hard_maps: Literal["literal", "refuse"] = "literal") -> None:
        super().__init__(hard_maps)
        self._success, self._success_fixed = Success(undefined_fail=True), Success()
        self._iou, self._f, self._iou_fixed, self._f_fixed = Mean(), Mean(), Mean(), Mean()

    def update(self, scores: ArrayLike, targets: ArrayLike) -> None:
        """Add one item or more.

        Args:
            scores: (H, W) or (N, H, W) float in [0, 1], soft.
            targets: same shape, bool.

        Raises:
            InputError: a mask instead of scores, another range, or shapes that differ.
        """
        maps, masks = self._checked(scores, targets)
        self._count(maps, masks)
        oracle, fixed = functional.oracle_masks(maps, masks), maps > MASK_THRESHOLD
        ious = functional.localisation_ious(oracle, masks)
        self._success.update(ious)
        self._iou.update(ious)
        self._f.update(np.nan_to_num(functional.f_measures(oracle, masks)))
        ious_fixed = np.nan_to_num(functional.localisation_ious(fixed, masks))
        self._success_fixed.update(ious_fixed)
        self._iou_fixed.update(ious_fixed)
        self._f_fixed.update(np.nan_to_num(functional.f_measures(fixed, masks)))

    def compute(self) -> dict[str, float]:
        """The numbers named above."""
        return {
            "cIoU": self._success.rate(),
            "AUC": self._success.auc(),
            "mIoU": _nan_if_any(self._iou),
            "Fscore": self._f.compute(),
            "J": self._iou_fixed.compute(),
            "F": self._f_fixed.compute(),
            "cIoU_fixed": self._success_fixed.rate(),
            "AUC_fixed": self._success_fixed.auc(),
            **self._counted(),
            "n_undefined": self._iou.undefined,
        }


class SoundSourceLocalisation(_OracleArea):
    """Sound source localisation as in SSLalignment, for IS3, VGG-SS, Flickr and the like.

    Every map is min-max normalised to [0, 1] first. The plain columns threshold it at its median, so half the image is
    foreground; the ``_adap`` ones know the size of the target and are an upper bound. cIoU and IIoU are shares of
    items, and of images with all their sources, that reach an IoU of 0.5. The published tables score against boxes
    filled on 224 x 224, zsavs' readers give masks: say which. Undefined items (empty target and empty mask) turn
    mIoU, IIoU and IAUC into NaN, as published, and fail in cIoU and AUC.

    Numbers: cIoU, AUC, IIoU, IAUC, each also with ``_adap``; mIoU_persample, the mean IoU at the median; n_items,
    n_empty, n_hard_maps, n_undefined.

    Definition: test.py and utils.py (``Evaluator_iiou``) in kaistmm/SSLalignment at e7ae3c5.
    """

    name = "ssl"
    needs = ("names",)

    def __init__(self, hard_maps: Literal["literal", "refuse"] = "literal") -> None:
        super().__init__(hard_maps)
        self._iou, self._success, self._groups = Mean(), Success(undefined_fail=True), InteractiveSuccess()
        self._iou_adap, self._success_adap = Mean(), Success(undefined_fail=True)
        self._groups_adap = InteractiveSuccess()

    def update(self, scores: ArrayLike, targets: ArrayLike, *, names: str | Sequence[str]) -> None:
        """Add one item or more.

        Args:
            scores: (H, W) or (N, H, W) float in [0, 1], soft.
            targets: same shape, bool.
            names: file name or stem of each item; without its extension and its last "_" part it names the group,
                "dog_bus_100_dog.jpg" and "dog_bus_100_bus.jpg" both being of "dog_bus_100".

        Raises:
            InputError: a mask instead of scores, another range, shapes that differ, or another number of names.
        """
        maps, masks = self._checked(scores, targets)
        groups = [group_of(name) for name in keys(names, len(maps), self.name)]
        self._count(maps, masks)
        maps = np.stack([_normalised(score_map) for score_map in maps])
        halves = np.stack([functional.above_rank(score_map, (score_map.size + 1) // 2) for score_map in maps])
        for masks_at, iou, success, interactive in (
            (halves, self._iou, self._success, self._groups),
            (functional.oracle_masks(maps, masks), self._iou_adap, self._success_adap, self._groups_adap),
        ):
            ious = functional.localisation_ious(masks_at, masks)
            iou.update(ious)
            success.update(ious)
            interactive.update(ious, groups)

    def compute(self) -> dict[str, float]:
        """The numbers named above."""
        numbers = {}
        for suffix, iou, success, groups in (
            ("", self._iou, self._success, self._groups),
            ("_adap", self._iou_adap, self._success_adap, self._groups_adap),
        ):
            undefined = bool(iou.undefined)
            numbers[f"cIoU{suffix}"], numbers[f"AUC{suffix}"] = success.rate(), success.auc()
            numbers[f"IIoU{suffix}"] = float("nan") if undefined else groups.rate()
            numbers[f"IAUC{suffix}"] = float("nan") if undefined else groups.auc()
        numbers["mIoU_persample"] = _nan_if_any(self._iou)
        return {**numbers, **self._counted(), "n_undefined": self._iou.undefined + self._iou_adap.undefined}


def group_of(name: str) -> str:
    """The image that an item belongs to: its name without extension and without the last "_" part.

    >>> group_of("a_b_10467_a.jpg"), group_of("x_y.mp4_3")
    ('a_b_10467', 'x_y.mp4')
    """
    stem, dot, extension = name.rpartition(".")
    return (stem if dot and extension.isalnum() else name).rpartition("_")[0] or name


def _normalised(score_map: Scores) -> Scores:
    """The (H, W) map with its smallest value at 0 and its largest at 1; a constant one as it is."""
    low, high = score_map.min(), score_map.max()
    return score_map if low == high else (score_map - low) / (high - low)


def _nan_if_any(mean: Mean) -> float:
    """The mean as numpy computes it: NaN if anything in it is NaN."""
    return float("nan") if mean.undefined else mean.compute()
