"""Suites of score maps against masks: AVSBench-object, the BAaV table, sound source localisation, AVSBench-Robust."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from zsavs.errors import InputError, UnknownName
from zsavs.metrics import arrays, exact, functional
from zsavs.metrics.arrays import Mask, Scores
from zsavs.metrics.streaming import Count, InteractiveSuccess, MaxF, Mean, Success
from zsavs.metrics.suite import ScoreInput, Suite, choice, keys, score_pair, sigmoid

__all__ = ["CONDITIONS", "AVSBench", "AVSBenchCompat", "BAaV", "Robust", "SoundSourceLocalisation"]

log = logging.getLogger(__name__)

#: The only step from a score map to a mask, strict as in all the published code.
MASK_THRESHOLD = 0.5
#: Conditions of the "robust" suite; in all but the first nothing in view makes the sound.
CONDITIONS = ("positive", "silence", "noise", "offscreen")


class AVSBench(Suite):
    """AVSBench-object, S4 and MS3, without the quirks: no number depends on batches or order.

    J is the published M_J: the mean over frames of IoU at 0.5, an empty target scored by the share of empty pixels.
    On S4 and MS3 it equals the published number, whose batches are even. F is the maximum over 255 thresholds of one
    mean curve over all frames with a target; the published F takes the maximum per batch ("avsbench_compat"). F@0.5
    is the F of the mask at 0.5. The frames with an empty target, 9 % of MS3, are reported on their own, too.

    Numbers: J, F, F@0.5; F_threshold, at which F is reached (chosen on the scored data); J_sounding and J_empty, J
    over the frames with and without a target; FPR_empty, the predicted share of the frames without; n_frames,
    n_empty. F is NaN, with a warning, in a set without any target.

    Definition: OpenNLPLab/AVSBench at f7414af, avs_scripts/avs_s4/utils/utility.py.
    """

    name = "avsbench"
    takes = "scores"

    def __init__(self) -> None:
        super().__init__()
        self._sounding, self._empty, self._all = Mean(), Mean(), Mean()
        self._f, self._fixed, self._fpr = MaxF(), Mean(), Mean()

    def update(self, scores: ArrayLike, targets: ArrayLike) -> None:
        """Take in one frame or more.

        Args:
            scores: (H, W) or (N, H, W) float in [0, 1].
            targets: same shape, bool.

        Raises:
            InputError: another dtype or range, or shapes that differ.
        """
        maps, masks = score_pair(scores, targets, self.name)
        predicted, empty = maps > MASK_THRESHOLD, ~masks.any((1, 2))
        ious = functional.jaccards(predicted, masks)
        self._all.update(ious)
        self._sounding.update(ious[~empty])
        self._empty.update(ious[empty])
        self._fpr.update(functional.false_positive_shares(predicted, masks)[empty])
        self._f.update(maps, masks)
        self._fixed.update(functional.f_measures(predicted, masks))

    def compute(self) -> dict[str, float]:
        """The numbers named above."""
        if self._all.defined and not self._f.frames:
            log.warning("avsbench: every target is empty, so F is undefined (NaN).")
        return {
            "J": self._all.compute(),
            "F": self._f.compute(),
            "F@0.5": self._fixed.compute(),
            "F_threshold": self._f.best_threshold(),
            "J_sounding": self._sounding.compute(),
            "J_empty": self._empty.compute(),
            "FPR_empty": self._fpr.compute(),
            "n_frames": self._all.defined,
            "n_empty": self._empty.defined,
        }


class AVSBenchCompat(Suite):
    """AVSBench-object as published, where the batch matters: each ``update`` is one batch of the loader.

    What differs from "avsbench": J and F are computed per batch and averaged over batches, each batch weighing the
    same; the maximum over thresholds is taken per batch, so F falls as batches grow; a batch without any target
    adds an F of 0. Frames of a batch must have one size, as in the loader. Which batch a paper used: the released
    script 4 videos (20 frames), most follow-ups 1 video (5 frames), AVSegFormer 2, COMBO-AVS 8.

    Args:
        input: what the score maps are. "probabilities" in [0, 1] (CAVP's protocol; 0 and 1 for masks); "logits",
            through a sigmoid in float32 (AVSBench's own); "raw_logits", J from the sigmoid and F from thresholds 0 to
            1 on the logits themselves (TAViS, AV2T-SAM), which sweeps probabilities from 0.5 to 0.731 only.

    Numbers: J, F, n_batches, n_frames.

    Definition: ``mask_iou`` and ``Eval_Fmeasure`` in OpenNLPLab/AVSBench at f7414af,
    avs_scripts/avs_s4/utils/utility.py; raw logits: Sssssuperior/TAViS at 00212fe, utility.py, and bok-bok/AV2T-SAM at
    d7cac49.
    """

    name = "avsbench_compat"
    takes = "scores"

    def __init__(self, input: ScoreInput = "probabilities") -> None:
        super().__init__(input=choice(input, ("probabilities", "logits", "raw_logits"), "avsbench_compat: input"))
        self._j, self._f, self._frames = Mean(), Mean(), Count()

    def update(self, scores: ArrayLike, targets: ArrayLike) -> None:
        """Take in one batch: all frames of all its videos.

        Args:
            scores: (N, H, W) float, in [0, 1] or logits, as ``input`` says.
            targets: same shape, bool.

        Raises:
            InputError: a single frame instead of a batch, another dtype or range, or shapes that differ.
        """
        if np.ndim(scores) == 2:
            raise InputError(
                "avsbench_compat: an update is one batch of the published loader, (frames, H, W), and the number "
                "depends on it; stack the frames of the batch, or use the suite 'avsbench', which takes frames."
            )
        kind = self.options["input"]
        maps, masks = score_pair(scores, targets, self.name, kind)
        maps = maps.astype(np.float32)  # as in the published code, where a value may tie with a threshold
        probabilities = maps if kind == "probabilities" else sigmoid(maps)
        f = MaxF()
        f.update(maps if kind == "raw_logits" else probabilities, masks)
        ious = functional.jaccards(probabilities > MASK_THRESHOLD, masks)
        self._j.update(exact.mean(ious))
        self._f.update(f.compute() if f.frames else 0.0)
        self._frames.update(len(ious))

    def compute(self) -> dict[str, float]:
        """The numbers named above."""
        return {
            "J": self._j.compute(),
            "F": self._f.compute(),
            "n_batches": self._j.defined,
            "n_frames": self._frames.compute(),
        }


class _OracleArea(Suite):
    """What the two localisation protocols share: thresholds from the target's own area, and what hard maps do there.

    Args:
        hard_maps: "literal" scores a float map of two values as the published code does, 0 in the oracle columns,
            warns once and counts it in n_hard_maps; "refuse" raises InputError. Bool arrays are always refused.
    """

    takes = "scores"

    def __init__(self, hard_maps: Literal["literal", "refuse"] = "literal") -> None:
        super().__init__(hard_maps=choice(hard_maps, ("literal", "refuse"), f"{self.name}: hard_maps"))
        self._items, self._empty, self._hard = Count(), Count(), Count()

    def _checked(self, scores: ArrayLike, targets: ArrayLike) -> tuple[Scores, Mask]:
        """Both as (N, H, W); refuses masks, and maps that are masks in disguise if told to."""
        functional.refuse_masks(scores, self.name)
        maps, masks = score_pair(scores, targets, self.name)
        if self.options["hard_maps"] == "refuse":
            functional.refuse_hard(maps, self.name)
        return maps, masks

    def _count(self, maps: Scores, masks: Mask) -> None:
        """Count the items, the empty targets and the maps that are masks in disguise."""
        hard = sum(arrays.is_hard(score_map) for score_map in maps)
        self._hard.update(hard)
        self._items.update(len(masks))
        self._empty.update(int((~masks.any((1, 2))).sum()))

    def _counted(self) -> dict[str, float]:
        if self._hard.compute():
            log.warning(
                "%s: a score map holds only the two values of a mask, so the columns with an oracle threshold score it "
                "0 whatever its quality, as published; hand over soft maps. Every such map is counted in n_hard_maps.",
                self.name,
            )
        items = {"n_items": self._items, "n_empty": self._empty, "n_hard_maps": self._hard}
        return {name: count.compute() for name, count in items.items()}


class BAaV(_OracleArea):
    """The BAaV table, under the names of its columns: four of the six know the size of the target.

    cIoU (share of items with an oracle IoU of at least 0.5, not a mean), AUC, mIoU and Fscore keep as many pixels as
    the target has: an upper bound, never zero-shot performance. J and F threshold at 0.5: the honest columns. The
    released script prints mIoU and J under each other's label.

    As published and unlike the defaults elsewhere: an empty target scores 0, in J too; an item with an empty target
    and an empty oracle mask has an undefined IoU, which turns mIoU into NaN and counts as a failure in cIoU and AUC;
    two-valued maps score 0 in the oracle columns (see ``hard_maps``). Feed maps and targets of 224 x 224.

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
        """Take in one item or more.

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
            "mIoU": _poisoned(self._iou),
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

    Every map is stretched to [0, 1] first. The plain columns threshold it at its median, so half the image is
    foreground; the ``_adap`` ones know the size of the target and are an upper bound. cIoU and IIoU are shares of
    items, and of images with all their sounds, that reach an IoU of 0.5. The published tables score against boxes
    painted on 224 x 224, zsavs' readers give masks: say which. Undefined items (empty target and empty mask) turn
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
        """Take in one item or more.

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
        maps = np.stack([_stretched(score_map) for score_map in maps])
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
        numbers["mIoU_persample"] = _poisoned(self._iou)
        return {**numbers, **self._counted(), "n_undefined": self._iou.undefined + self._iou_adap.undefined}


class Robust(Suite):
    """AVSBench-Robust: does the sound decide? The same frames with their sound, and with sounds of nothing in view.

    With a sound of nothing in view the right answer is an empty mask, whatever the image shows, so the target is
    not looked at and FPR is the predicted share of the frame. The paper's G-mIoU, G-F and G-FPR are aggregated by
    hand from tables and not computed here.

    Numbers: J, F and F@0.5 of the positive frames, as in "avsbench"; for each condition that was fed, FPR_<condition>
    (of "positive", the predicted share, right or wrong) and empty_<condition>, the share of frames with an empty
    mask; FPR_negative and empty_negative over all negative frames; n_<condition>.

    Definition: ``calculate_FPR`` in jiali-home/AVSBench-Robust at 67c0f2e,
    training_evaluation/code/AVSegFormer/scripts/s4/test.py, as a mean over frames.
    """

    name = "robust"
    takes = "scores"
    needs = ("condition",)

    def __init__(self) -> None:
        super().__init__()
        self._j, self._f, self._fixed = Mean(), MaxF(), Mean()
        self._fpr = {condition: Mean() for condition in (*CONDITIONS, "negative")}
        self._empty = {condition: Mean() for condition in (*CONDITIONS, "negative")}

    def update(self, scores: ArrayLike, targets: ArrayLike, *, condition: str) -> None:
        """Take in one frame or more, all heard under one condition.

        Args:
            scores: (H, W) or (N, H, W) float in [0, 1].
            targets: same shape, bool; only their shape matters unless the condition is "positive".
            condition: one of :data:`CONDITIONS`.

        Raises:
            UnknownName: another condition.
            InputError: another dtype or range, or shapes that differ.
        """
        if condition not in CONDITIONS:
            raise UnknownName("condition of the robust suite", condition, CONDITIONS)
        maps, masks = score_pair(scores, targets, self.name)
        predicted = maps > MASK_THRESHOLD
        shares = functional.false_positive_shares(predicted, np.zeros_like(masks))
        for group in (condition,) if condition == "positive" else (condition, "negative"):
            self._fpr[group].update(shares)
            self._empty[group].update(shares == 0)
        if condition == "positive":
            self._j.update(functional.jaccards(predicted, masks))
            self._f.update(maps, masks)
            self._fixed.update(functional.f_measures(predicted, masks))

    def compute(self) -> dict[str, float]:
        """The numbers named above."""
        numbers = {"J": self._j.compute(), "F": self._f.compute(), "F@0.5": self._fixed.compute()}
        for condition, fpr in self._fpr.items():
            if fpr.defined:
                numbers[f"FPR_{condition}"] = fpr.compute()
                numbers[f"empty_{condition}"] = self._empty[condition].compute()
                numbers[f"n_{condition}"] = fpr.defined
        return numbers


def group_of(name: str) -> str:
    """The image that an item belongs to: its name without extension and without the last "_" part.

    >>> group_of("a_b_10467_a.jpg"), group_of("x_y.mp4_3")
    ('a_b_10467', 'x_y.mp4')
    """
    stem, dot, extension = name.rpartition(".")
    return (stem if dot and extension.isalnum() else name).rpartition("_")[0] or name


def _stretched(score_map: Scores) -> Scores:
    """The (H, W) map with its smallest value at 0 and its largest at 1; a constant one as it is."""
    low, high = score_map.min(), score_map.max()
    return score_map if low == high else (score_map - low) / (high - low)


def _poisoned(mean: Mean) -> float:
    """The mean as numpy takes it: NaN if anything in it is NaN."""
    return float("nan") if mean.undefined else mean.compute()
