"""Suites of score maps against binary masks: AVSBench-object, and AVSBench-Robust."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import ArrayLike

from zsavs.errors import InputError, UnknownName
from zsavs.metrics import exact_sums, functional
from zsavs.metrics.base_suite import MASK_THRESHOLD, ScoreInput, Suite, choice, score_pair, sigmoid
from zsavs.metrics.streaming import Count, MaxF, Mean

__all__ = ["CONDITIONS", "AVSBench", "AVSBenchCompat", "Robust"]

log = logging.getLogger(__name__)

#: Conditions of the "robust" suite; in all but the first no source is in view.
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
        """Add one frame or more.

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
        """Add one batch: all frames of all its videos.

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
        self._j.update(exact_sums.mean(ious))
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


class Robust(Suite):
    """AVSBench-Robust: the same frames with their own audio, and with audio whose sources are not in view.

    Where no source is in view the right result is an empty mask, whatever the image shows, so the target is ignored
    and FPR is the predicted share of the frame. The paper's G-mIoU, G-F and G-FPR are aggregated by
    hand from tables and not computed here.

    Numbers: J, F and F@0.5 of the positive frames, as in "avsbench"; for each condition that occurred, FPR_<condition>
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
        """Add one frame or more, all of one condition.

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
