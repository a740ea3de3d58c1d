"""The metric functions: definitions by hand, the histogram against the naive loop, ranges, errors."""

from __future__ import annotations

import doctest
import logging
import math

import numpy as np
import pytest
from golden import metric_recipe as recipe
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zsavs.errors import InputError
from zsavs.metrics import functional, semantic
from zsavs.metrics.f_measure_curve import curve_counts, f_curve, thresholds

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)
MASKS = SHAPES.flatmap(lambda shape: st.tuples(hnp.arrays(bool, shape), hnp.arrays(bool, shape)))


def edge_scores(dtype):
    """Values on the thresholds, one unit to either side of them, on the 8-bit grid, and anywhere else."""
    grid = thresholds().astype(dtype)
    zero, one = dtype(0), dtype(1)
    on = st.sampled_from([*grid, *np.nextafter(grid, zero), *np.nextafter(grid, one)])
    eight_bit = st.integers(0, 255).map(lambda k: dtype(k) / dtype(255))
    return st.one_of(on, eight_bit, st.floats(0, 1, width=np.finfo(dtype).bits).map(dtype)).map(
        lambda value: min(max(value, zero), one)
    )


def maps_and_masks(dtype):
    return SHAPES.flatmap(
        lambda shape: st.tuples(hnp.arrays(dtype, shape, elements=edge_scores(dtype)), hnp.arrays(bool, shape))
    )


# One frame, by hand


def test_jaccard_by_hand():
    mask = np.array([[1, 1, 0], [0, 0, 0]], bool)
    target = np.array([[0, 1, 1], [0, 0, 0]], bool)
    assert functional.jaccard(mask, target) == pytest.approx(1 / 3, abs=1e-15)
    assert functional.jaccard(mask, mask) == 1
    assert functional.jaccard(mask, ~mask) == 0
    assert functional.jaccard(~mask & False, target) == 0


def test_jaccard_of_an_empty_target_is_the_share_left_empty():
    nothing = np.zeros((2, 4), bool)
    some = nothing.copy()
    some[0, :2] = True
    assert functional.jaccard(nothing, nothing) == 1
    assert functional.jaccard(some, nothing) == 0.75
    assert functional.jaccard(~nothing, nothing) == 0


def test_a_stack_is_averaged_over_frames_and_not_over_pixels():
    masks = np.array([[[1, 0], [0, 0]], [[1, 1], [1, 1]]], bool)
    targets = np.array([[[1, 1], [0, 0]], [[1, 1], [1, 1]]], bool)
    assert functional.jaccard(masks, targets) == 0.75
    assert functional.f_measure(masks, targets) == pytest.approx((1.3 * 1 * 0.5 / (0.3 * 1 + 0.5) + 1) / 2, abs=1e-15)
    assert functional.false_positive_share(targets, masks) == 0.125


def test_f_measure_by_hand_and_conventions():
    mask = np.array([[1, 1, 1, 0]], bool)
    target = np.array([[0, 0, 1, 1]], bool)
    precision, recall = 1 / 3, 1 / 2
    want = 1.3 * precision * recall / (0.3 * precision + recall)
    assert functional.f_measure(mask, target) == pytest.approx(want, abs=1e-15)
    assert functional.f_measure(mask, target, beta2=1) == pytest.approx(0.4, abs=1e-15)
    assert functional.f_measure(np.zeros_like(mask), target) == 0
    assert functional.f_measure(~target, target) == 0
    assert math.isnan(functional.f_measure(mask, np.zeros_like(mask)))
    both = np.stack([target, np.zeros_like(target)])
    assert functional.f_measure(np.stack([mask, mask]), both) == functional.f_measure(mask, target)


def test_false_positive_share_counts_what_is_not_in_the_target():
    mask = np.array([[1, 1, 1, 0]], bool)
    target = np.array([[0, 0, 1, 1]], bool)
    assert functional.false_positive_share(mask, target) == 0.5
    assert functional.false_positive_share(mask, np.zeros_like(target)) == 0.75
    assert functional.false_positive_share(target, target) == 0


# The sweep


def naive_counts(scores, target):
    above = scores[..., None] >= thresholds()
    return above.sum((0, 1)), (above & target[..., None]).sum((0, 1))


@settings(deadline=None, max_examples=150)
@given(maps_and_masks(np.float32))
def test_the_histogram_counts_what_the_naive_loop_counts(pair):
    for got, want in zip(curve_counts(*pair), naive_counts(*pair), strict=True):
        assert np.array_equal(got, want)


@settings(deadline=None, max_examples=80)
@given(maps_and_masks(np.float64))
def test_so_it_does_in_double_precision(pair):
    for got, want in zip(curve_counts(*pair), naive_counts(*pair), strict=True):
        assert np.array_equal(got, want)


def test_every_threshold_is_inclusive_for_every_neighbour():
    grid = thresholds()
    values = np.unique(np.concatenate([grid, np.nextafter(grid, np.float32(0)), np.nextafter(grid, np.float32(1))]))
    target = np.arange(values.size) % 3 == 0
    for got, want in zip(
        curve_counts(values[None], target[None]), naive_counts(values[None], target[None]), strict=True
    ):
        assert np.array_equal(got, want)


@pytest.mark.parametrize("count", [2, 3, 19, 100, 256, 1000, 65536])
def test_other_numbers_of_thresholds(count):
    grid = thresholds(count)
    assert grid[0] == 0
    assert grid[-1] == 1
    assert (np.diff(grid) > 0).all()
    values = np.concatenate([grid[:200], np.nextafter(grid[-200:], np.float32(0))])[None]
    predicted, _ = curve_counts(values, np.ones(values.shape, bool), count)
    assert np.array_equal(predicted, values.size - np.searchsorted(np.sort(values[0]), grid))


def test_scores_outside_the_unit_range_count_as_below_or_above_every_threshold():
    logits = np.array([[-3.0, -1e-9, 0.0, 0.6, 1.0, 40.0]], np.float32)
    target = np.array([[1, 0, 1, 1, 0, 1]], bool)
    for got, want in zip(curve_counts(logits, target), naive_counts(logits, target), strict=True):
        assert np.array_equal(got, want)


@settings(deadline=None, max_examples=60)
@given(maps_and_masks(np.float32))
def test_max_f_is_the_best_of_the_published_formula(pair):
    scores, target = pair
    got = functional.max_f_measure(scores, target)
    if not target.any():
        assert math.isnan(got)
        return
    predicted, hits = naive_counts(scores, target)
    with np.errstate(invalid="ignore"):
        precision, recall = hits / (predicted + 1e-20), hits / (target.sum() + 1e-20)
        f = np.nan_to_num(1.3 * precision * recall / (0.3 * precision + recall))
    assert got == pytest.approx(f.max(), abs=1e-12)
    share = target.mean()
    assert got >= 1.3 * share / (0.3 * share + 1) - 1e-12  # threshold 0 predicts everything


def test_max_f_takes_one_maximum_of_the_mean_curve():
    scores, target = np.array([[[0.9, 0.6]], [[0.3, 0.1]]], np.float32), np.array([[[1, 0]], [[1, 0]]], bool)
    assert functional.max_f_measure(scores[0], target[0]) == 1
    assert functional.max_f_measure(scores[1], target[1]) == 1
    curve = (f_curve(scores[0], target[0]) + f_curve(scores[1], target[1])) / 2
    assert functional.max_f_measure(scores, target) == pytest.approx(curve.max(), abs=1e-15)
    assert functional.max_f_measure(scores, target) < 1


def test_max_f_skips_empty_targets_and_says_when_all_are(caplog):
    scores, target = recipe.frame(3, 20, 24, "smooth", "ellipse")
    target = target.astype(bool)
    with_empty = functional.max_f_measure(np.stack([scores, scores]), np.stack([target, target & False]))
    assert with_empty == functional.max_f_measure(scores, target)
    with caplog.at_level(logging.WARNING):
        assert math.isnan(functional.max_f_measure(scores, target & False))
    assert "every target is empty" in caplog.text


def test_max_f_takes_lists_of_frames_of_any_sizes():
    frames = [recipe.frame(seed, 20 + seed, 30 - seed, "smooth", "ellipse") for seed in (1, 2)]
    maps, targets = [f[0] for f in frames], [f[1].astype(bool) for f in frames]
    mean = (f_curve(maps[0], targets[0]) + f_curve(maps[1], targets[1])) / 2
    assert functional.max_f_measure(maps, targets) == pytest.approx(mean.max(), abs=1e-15)
    with pytest.raises(InputError, match="2 score maps and 1 targets"):
        functional.max_f_measure(maps, targets[:1])


def test_half_precision_scores_are_taken_at_their_value():
    scores, target = recipe.frame(5, 20, 24, "smooth", "ellipse")
    half = scores.astype(np.float16)
    want = functional.max_f_measure(half.astype(np.float32), target.astype(bool))
    assert functional.max_f_measure(half, target.astype(bool)) == want


# Localisation


def test_oracle_iou_keeps_what_is_above_the_nth_largest():
    scores = np.array([[0.9, 0.8, 0.7, 0.1]])
    target = np.array([[1, 1, 0, 0]], bool)
    assert functional.oracle_iou(scores, target) == 0.5  # n - 1 pixels
    tied = np.array([[0.9, 0.8, 0.8, 0.1]])
    assert functional.oracle_iou(tied, np.array([[1, 1, 1, 0]], bool)) == pytest.approx(1 / 3, abs=1e-15)
    assert functional.oracle_iou(scores, np.ones((1, 4), bool)) == 0.75


def test_oracle_iou_is_undefined_for_an_empty_target_and_zero_for_an_empty_result():
    scores, nothing = np.array([[0.9, 0.8, 0.7, 0.1]]), np.zeros((1, 4), bool)
    assert math.isnan(functional.oracle_iou(scores, nothing))
    target = np.array([[1, 1, 0, 0]], bool)
    assert functional.oracle_iou(np.stack([scores, scores]), np.stack([target, nothing])) == 0.5
    assert functional.oracle_iou(np.zeros((1, 4)), target) == 0
    assert functional.oracle_iou(np.full((1, 4), 0.3), target) == 0


@pytest.mark.parametrize(
    "hard",
    [
        np.array([[1.0, 1, 0, 0]]),
        np.array([[0.9, 0.9, 0.2, 0.2]]),
        np.ones((1, 4)),
        np.array([[True, True, False, False]]),
        np.array([[1, 1, 0, 0]]),
        np.array([[255, 255, 0, 0]], np.uint8),
    ],
    ids=["zeros and ones", "two values", "ones", "bool", "integers", "uint8"],
)
def test_oracle_iou_refuses_hard_masks_and_says_why(hard):
    with pytest.raises(InputError, match=r"soft.*as many pixels as the target.*perfect mask would score 0"):
        functional.oracle_iou(hard, np.array([[1, 1, 0, 0]], bool))


def test_success_rate_is_inclusive_and_leaves_nan_out():
    assert functional.success_rate([0.5, 0.49999, 1.0, np.nan]) == pytest.approx(2 / 3, abs=1e-15)
    assert functional.success_rate([0.3, 0.2], threshold=0.3) == 0.5
    assert math.isnan(functional.success_rate([np.nan]))
    assert math.isnan(functional.success_rate([]))


def test_success_auc_by_hand():
    assert functional.success_auc([1.0]) == pytest.approx(1, abs=1e-12)
    assert functional.success_auc([0.0]) == pytest.approx(0.025, abs=1e-12)
    # 0.15000000000000002 is 0.05 * 3 in floating point, which an IoU of 0.15 does not reach
    assert functional.success_auc([0.15]) == pytest.approx(0.125, abs=1e-12)
    assert functional.success_auc([0.05 * 3]) == pytest.approx(0.175, abs=1e-12)
    assert math.isnan(functional.success_auc([np.nan]))


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_auc_lies_within_a_step_of_the_mean(ious):
    assert -1e-12 <= functional.success_auc(ious) - np.mean(ious) + 0.025 <= 0.05 + 1e-12
    assert 0 <= functional.success_auc(ious) <= 1 + 1e-12


def test_interactive_iou_needs_every_source_of_an_image():
    ious, groups = [0.9, 0.4, 0.6, 0.5], ["a", "a", "b", "b"]
    assert functional.interactive_iou(ious, groups) == 0.5
    assert functional.interactive_iou(ious, [1, 2, 3, 4]) == 0.75
    assert functional.interactive_auc(ious, groups) == functional.success_auc([0.4, 0.5])
    assert functional.interactive_iou([*ious, np.nan], [*groups, "c"]) == 0.5
    with pytest.raises(InputError, match="4 items need as many group keys, got 1"):
        functional.interactive_iou(ious, ["a"])


# Classes


def test_semantic_frame_scores_by_hand():
    labels = np.array([[0, 0, 1, 1], [0, 0, 2, 2]])
    target = np.array([[0, 0, 1, 1], [0, 3, 1, 1]])
    iou, f, present = functional.semantic_frame_scores(labels, target, num_classes=5)
    assert iou.tolist() == [0.75, 0.5, 0, 0, 0]
    assert present.tolist() == [True, True, True, True, False]
    assert f[1] == pytest.approx(1.3 * 1 * 0.5 / (0.3 + 0.5), abs=1e-15)
    assert f[2:].tolist() == [0, 0, 0]


def test_semantic_summary_by_hand():
    summary = functional.semantic_summary([4, 1, 0], [2, 1, 0], [4, 2, 0])
    assert summary["mIoU"] == pytest.approx(0.5, abs=1e-15)
    assert summary["mIoU_present"] == 0.75
    assert summary["mIoU_foreground"] == 0.25
    assert summary["F"] == pytest.approx(1 / 3, abs=1e-15)
    assert all(math.isnan(v) for v in functional.semantic_summary([0, 0], [0, 0], [0, 0]).values())


def test_confusion_summary_by_hand():
    labels = np.array([[0, 0, 1, 1]])
    target = np.array([[0, 1, 1, 255]])
    matrix = functional.confusion_matrix(labels, target, num_classes=3)
    assert matrix.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    summary = functional.confusion_summary(matrix)
    assert summary["mIoU"] == pytest.approx((0.5 + 0.5 + 0) / 3, abs=1e-15)
    assert summary["accuracy"] == pytest.approx(2 / 3, abs=1e-15)
    assert summary["FDR"] == pytest.approx((0.5 + 0) / 2, abs=1e-15)
    assert summary["F1"] == pytest.approx(2 / 3, abs=1e-15)
    assert summary["F"] == pytest.approx((1.3 / (0.3 * 1 + 2) + 1.3 / (0.3 * 2 + 1)) / 2, abs=1e-15)
    assert all(math.isnan(v) for v in functional.confusion_summary(np.zeros((3, 3), int)).values())


@settings(deadline=None)
@given(st.integers(2, 6).flatmap(lambda c: hnp.arrays(np.int64, (2, 5, 6), elements=st.integers(0, c - 1))))
def test_the_two_class_averages_agree_on_one_frame(pair):
    labels, target = pair
    iou, f, present = functional.semantic_frame_scores(labels, target, num_classes=6)
    matrix = functional.confusion_matrix(labels, target, num_classes=6)
    assert matrix.sum() == labels.size
    summary = functional.confusion_summary(matrix)
    assert summary["mIoU"] == pytest.approx(iou.mean(), abs=1e-12)
    assert summary["F"] == pytest.approx(f[present].mean(), abs=1e-12)
    assert all(0 <= value <= 1 for value in summary.values())


def test_small_integer_labels_do_not_overflow():
    labels = np.full((3, 3), 70, np.uint8)
    assert functional.confusion_matrix(labels, labels, num_classes=71)[70, 70] == 9


# Ranges


@settings(deadline=None)
@given(MASKS)
def test_ranges_and_symmetry(pair):
    mask, target = pair
    j, fpr = functional.jaccard(mask, target), functional.false_positive_share(mask, target)
    assert 0 <= j <= 1
    assert 0 <= fpr <= 1
    assert functional.jaccard(mask[::-1, ::-1], target[::-1, ::-1]) == j
    assert functional.jaccard(target, target) == 1
    if mask.any() and target.any():
        assert functional.jaccard(target, mask) == j
    if target.any():
        f = functional.f_measure(mask, target)
        assert 0 <= f <= 1
        assert (f == 0) == (not (mask & target).any())
        assert functional.f_measure(target, target) == 1
        assert functional.f_measure(mask, target) <= functional.max_f_measure(mask.astype(np.float32), target) + 1e-12
    else:
        assert j == pytest.approx(1 - fpr, abs=1e-12)


# Errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, s: functional.jaccard(s, m), "jaccard: mask must be a bool array, got float32; threshold"),
        (lambda m, s: functional.jaccard(m, m.astype(int)), "jaccard: target must be a bool array, got int64"),
        (lambda m, s: functional.f_measure(m, m[:1]), r"f_measure: .* same shape, got \(2, 3\) and \(1, 3\)"),
        (lambda m, s: functional.jaccard(m[0], m[0]), r"must be \(H, W\) or \(N, H, W\)"),
        (lambda m, s: functional.jaccard(m[:0], m[:0]), "at least one pixel"),
        (lambda m, s: functional.false_positive_share(s, m), "false_positive_share: mask must be a bool"),
        (lambda m, s: functional.max_f_measure(m, m), "must be a float score map, got bool"),
        (lambda m, s: functional.max_f_measure(s * 3, m), r"must lie in \[0, 1\], got values from 0 to 3; apply a sig"),
        (lambda m, s: functional.max_f_measure(s - 1, m), r"must lie in \[0, 1\]"),
        (lambda m, s: functional.max_f_measure(s * np.nan, m), r"must lie in \[0, 1\].*NaN"),
        (lambda m, s: functional.max_f_measure(s, m, thresholds=1), "from 2 to 65536, got 1"),
        (lambda m, s: functional.oracle_iou(s, s), "oracle_iou: target must be a bool"),
        (lambda m, s: functional.success_rate([2.0]), r"IoUs must be a list of numbers in \[0, 1\]"),
        (lambda m, s: functional.success_auc(0.5), "got shape"),
        (lambda m, s: functional.semantic_frame_scores(s, m), "must be an integer label map, got float32"),
        (lambda m, s: functional.semantic_frame_scores(m.astype(int) * 71, m.astype(int)), "from 0 to 70, found 71"),
        (lambda m, s: functional.semantic_frame_scores(np.ones((2, 2, 2), int), np.ones((2, 2, 2), int)), "one frame"),
        (lambda m, s: functional.confusion_matrix(m * 255, m * 1, 2), "labels must hold labels from 0 to 1, found 255"),
        (lambda m, s: functional.confusion_matrix(m * 1, m * 7, 2), "from 0 to 1 or 255, found 7"),
        (lambda m, s: functional.confusion_matrix(m * 1, m * 255, 2, None), "from 0 to 1, found 255"),
        (lambda m, s: functional.confusion_summary(s), "square integer confusion matrix"),
        (lambda m, s: functional.confusion_summary(-np.eye(2, dtype=int)), "cannot be negative"),
        (lambda m, s: functional.semantic_summary([1], [1], [1]), "one length"),
    ],
)
def test_errors_say_what_was_expected_and_what_came(call, message):
    scores = np.array([[0, 0.5, 1], [0.2, 0.3, 0.4]], np.float32)
    with pytest.raises(InputError, match=message) as caught:
        call(scores > 0.35, scores)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("module", [functional, semantic])
def test_docstring_examples(module):
    names = {"np": np, **vars(module)}
    found = doctest.DocTestFinder().find(module, module.__name__, globs=names)
    runner = doctest.DocTestRunner(verbose=False)
    for test in found:
        runner.run(test)
    assert runner.tries > 1
    assert runner.failures == 0
