"""The conventions of each suite by hand (empty targets, hard maps, quirks), and what suites refuse."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from zsavs.errors import InputError, ResultFileError, UnknownName
from zsavs.metrics import functional, suites
from zsavs.metrics.base_suite import sigmoid

# Conventions of each suite


def one(scores, target, name, **options):
    suite = suites.get(name, **options)
    suite.update(np.asarray(scores, np.float32), np.asarray(target, bool))
    return suite.compute()


EMPTY = [[0, 0], [0, 0]]
SOME = [[1, 0], [0, 0]]
LOW = [[0.1, 0.2], [0.3, 0.4]]
HIGH = [[0.9, 0.1], [0.2, 0.3]]


def test_avsbench_reports_empty_targets_apart(caplog):
    suite = suites.get("avsbench")
    suite.update(np.float32([HIGH, HIGH, LOW]), np.array([SOME, EMPTY, EMPTY], bool))
    numbers = suite.compute()
    assert numbers["J"] == pytest.approx((1 + 0.75 + 1) / 3, abs=1e-15)
    assert (numbers["J_sounding"], numbers["J_empty"], numbers["FPR_empty"]) == (1, 0.875, 0.125)
    assert (numbers["F"], numbers["F@0.5"], numbers["n_frames"], numbers["n_empty"]) == (1, 1, 3, 2)
    assert 0.3 < numbers["F_threshold"] < 0.31
    assert not caplog.text
    assert math.isnan(one(LOW, EMPTY, "avsbench")["F"])
    assert "every target is empty" in caplog.text


def test_masks_are_strictly_above_one_half():
    half = np.full((2, 2), 0.5)
    assert one(half, SOME, "avsbench")["J"] == 0
    assert one(half, EMPTY, "avsbench")["J"] == 1
    assert one(half, SOME, "baav")["J"] == 0


def test_avsbench_compat_counts_a_batch_without_targets_as_zero():
    suite = suites.get("avsbench_compat")
    suite.update(np.float32([HIGH]), np.array([SOME], bool))
    suite.update(np.float32([HIGH]), np.array([EMPTY], bool))
    assert suite.compute()["F"] == 0.5
    together = suites.get("avsbench_compat")
    together.update(np.float32([HIGH, HIGH]), np.array([SOME, EMPTY], bool))
    assert together.compute()["F"] == 1


def test_the_suites_of_logits_round_as_float32_does_whatever_they_are_given():
    """A logit in (0, 6e-8] is background in the published code, whose sigmoid of it is exactly one half."""
    tiny, target = np.full((1, 1, 1), 1e-9), np.ones((1, 1, 1), bool)
    for kind in ("logits", "raw_logits"):
        suite = suites.get("avsbench_compat", input=kind)
        suite.update(tiny, target)
        assert suite.compute()["J"] == 0
    suite = suites.get("tavis_semantic", num_classes=1)
    suite.update(tiny[None], np.zeros((1, 1, 1), int))
    assert suite.compute()["mIoU"] == 0


def test_a_float64_map_ties_with_the_thresholds_as_its_float32_copy_does():
    for k in range(1, 255):  # only the k-th threshold separates the two pixels, and only if the upper one ties with it
        maps, numbers = np.array([[[k / 254, (k - 0.5) / 254]]]), []
        for same in (maps, maps.astype(np.float32)):
            suite = suites.get("avsbench_compat")
            suite.update(same, np.array([[[True, False]]]))
            numbers.append(suite.compute()["F"])
        assert numbers[0] == numbers[1], k


def test_avsbench_compat_takes_the_maximum_per_batch():
    scores, targets = np.float32([[[0.9, 0.6]], [[0.3, 0.1]]]), np.array([[[1, 0]], [[1, 0]]], bool)
    apart, together = suites.get("avsbench_compat"), suites.get("avsbench_compat")
    together.update(scores, targets)
    for frame, target in zip(scores, targets, strict=True):
        apart.update(frame[None], target[None])
    assert apart.compute()["F"] == 1
    assert together.compute()["F"] < 1
    assert together.compute()["F"] == functional.max_f_measure(scores, targets)


def test_logits_just_above_zero_are_background_in_float32():
    logits, target = np.float32([[[3e-8, 1.0]]]), np.array([[[1, 1]]], bool)
    suite = suites.get("avsbench_compat", input="logits")
    suite.update(logits, target)
    assert suite.compute()["J"] == 0.5
    assert sigmoid(np.float32([-1000, 17])).tolist() == [0, 1]


def test_baav_scores_empty_targets_as_published():
    numbers = one(HIGH, EMPTY, "baav")
    assert (numbers["J"], numbers["F"], numbers["mIoU"], numbers["Fscore"], numbers["n_empty"]) == (0, 0, 0, 0, 1)
    undefined = one(np.zeros((2, 2)), EMPTY, "baav")
    assert math.isnan(undefined["mIoU"])
    assert (undefined["cIoU"], undefined["J"], undefined["n_undefined"], undefined["n_hard_maps"]) == (0, 0, 1, 0)


@pytest.mark.parametrize(("name", "column"), [("baav", "mIoU"), ("ssl", "AUC_adap")])
def test_hard_maps_score_the_literal_zero_with_a_warning_or_are_refused(name, column, caplog):
    target = np.array([[1, 1], [0, 0]], bool)
    hard, soft = target.astype(np.float32), np.float32([[0.9, 0.8], [0.1, 0.2]])
    names = {"names": "a_1"} if name == "ssl" else {}
    suite = suites.get(name)
    suite.update(soft, target, **names)
    assert not caplog.text
    suite.compute()
    assert not caplog.text
    suite.update(hard, target, **names)
    suite.update(hard, target, **names)
    assert suite.compute()["n_hard_maps"] == 2
    assert caplog.text.count("two values of a mask") == 1
    lone = suites.get(name)
    lone.update(hard, target, **names)
    assert lone.compute()[column] == pytest.approx(0 if column == "mIoU" else 0.025, abs=1e-12)

    for maps in (target, target.astype(np.uint8)):
        with pytest.raises(InputError, match="perfect mask would score 0"):
            suites.get(name).update(maps, target, **names)
    strict = suites.get(name, hard_maps="refuse")
    strict.update(soft, target, **names)
    with pytest.raises(InputError, match="perfect mask would score 0"):
        strict.update(hard, target, **names)


def test_ssl_normalises_maps_and_groups_by_name():
    target = np.array([[1, 1], [0, 0]], bool)
    suite = suites.get("ssl")
    suite.update(np.float32([[0.3, 0.31], [0.1, 0.2]]), target, names="dog_bus_1_dog.jpg")
    numbers = suite.compute()
    assert (numbers["mIoU_persample"], numbers["cIoU"], numbers["IIoU"]) == (0.5, 1, 1)  # strictly above the median
    suite.update(np.float32([[0.1, 0.2], [0.3, 0.31]]), target, names="dog_bus_1_bus.jpg")
    assert (suite.compute()["cIoU"], suite.compute()["IIoU"]) == (0.5, 0)
    other = suites.get("ssl")
    other.update(np.float32([[0.1, 0.2], [0.3, 0.31]]), target, names="dog_bus_2_bus.jpg")
    assert suite.merge(other).compute()["cIoU"] == pytest.approx(1 / 3, abs=1e-15)
    with pytest.raises(InputError, match="1 frames need as many names, got 2"):
        suite.update(np.float32(LOW), target, names=["a", "b"])
    assert suite.compute()["n_items"] == 3


def test_ssl_thresholds_the_normalised_map_where_neighbours_may_have_become_one():
    low, high = np.float32(0.4458731710910797), np.float32(0.4458732008934021)  # equal after a division by 0.7
    suite = suites.get("ssl")
    suite.update(np.float32([[0, 0.1, low, high, 0.7]]), np.array([[0, 0, 0, 1, 1]], bool), names="a_1")
    assert suite.compute()["mIoU_persample"] == 0.5


def test_ssl_without_a_target_and_without_a_prediction_is_undefined():
    suite = suites.get("ssl")
    suite.update(np.float32(LOW), np.array(SOME, bool), names="a_1")
    suite.update(np.zeros((2, 2), np.float32), np.array(EMPTY, bool), names="b_1")
    numbers = suite.compute()
    assert math.isnan(numbers["IIoU"])
    assert math.isnan(numbers["mIoU_persample"])
    assert numbers["n_undefined"] == 2
    assert not math.isnan(numbers["cIoU"])


def test_avss_counts_a_class_where_it_is_seen_or_predicted():
    suite = suites.get("avss", num_classes=4)
    suite.update(np.array([[0, 1]]), np.array([[0, 1]]))
    suite.update(np.array([[0, 1]]), np.array([[0, 2]]))
    numbers = suite.compute()
    assert numbers["mIoU"] == pytest.approx((1 + 0.5 + 0 + 0) / 4, abs=1e-15)
    assert numbers["mIoU_present"] == 0.5
    assert numbers["mIoU_foreground"] == pytest.approx(0.5 / 3, abs=1e-15)
    assert (numbers["J"], numbers["n_frames"], numbers["n_classes"]) == (1, 2, 3)
    empty = suites.get("avss", num_classes=4)
    empty.update(np.zeros((1, 2), int), np.zeros((1, 2), int))
    assert empty.compute()["mIoU_present"] == 1


def test_padding_raises_the_background_only():
    plain, padded = suites.get("avss_compat", num_classes=3), suites.get("avss_compat", num_classes=3)
    labels, target = np.array([[1, 1, 0, 0]]), np.array([[1, 0, 0, 0]])
    plain.update(labels, target)
    padded.update(labels, target, padding=5)
    before, after = plain.per_class()["IoU"], padded.per_class()["IoU"]
    assert before[0] == pytest.approx(2 / 3, abs=1e-15)
    assert after[0] == pytest.approx((2 / 3 + 5) / 6, abs=1e-15)
    assert before[1] == after[1] == 0.5
    assert padded.compute()["n_padding"] == 5
    with pytest.raises(InputError, match="padding must be at least 0, got -1"):
        padded.update(labels, target, padding=-1)


def test_cavp_says_f_of_each_class():
    suite = suites.get("cavp", num_classes=4)
    suite.update(np.array([[0, 1, 1, 1]]), np.array([[0, 1, 2, 2]]))
    f = suite.per_class()["F"]
    third = 1.3 * (1 / 3) / (0.3 / 3 + 1)  # precision 1/3, recall 1
    assert f.tolist() == pytest.approx([1.0, third, 0.0, np.nan], nan_ok=True)
    assert suite.compute()["F"] == pytest.approx(np.nanmean(f))


def test_cavp_ignores_255_in_the_target_only():
    suite = suites.get("cavp", num_classes=3)
    suite.update(np.array([[0, 1, 2]], np.uint8), np.array([[0, 1, 255]], np.uint8))
    assert suite.compute()["accuracy"] == 1
    assert suite.compute()["n_pixels"] == 2
    with pytest.raises(InputError, match="labels must hold labels from 0 to 2, found 255"):
        suite.update(np.array([[0, 1, 255]]), np.array([[0, 1, 2]]))


def test_open_vocabulary_splits_are_options_that_are_checked():
    suite = suites.get("open_vocabulary", num_classes=4, base=[1])
    assert suite.options == {"num_classes": 4, "base": [1], "novel": [2, 3]}
    suite.update(np.array([[0, 1, 2, 2]]), np.array([[0, 1, 2, 3]]))
    numbers = suite.compute()
    assert (numbers["mIoU_base"], numbers["mIoU_novel"]) == (1, 0.25)
    assert numbers["mIoU_harmonic"] == pytest.approx(0.4, abs=1e-15)
    nothing_right = suites.get("open_vocabulary", num_classes=4, base=[1])
    nothing_right.update(np.array([[0, 2, 2, 2]]), np.array([[0, 1, 2, 3]]))
    assert nothing_right.compute()["mIoU_base"] == nothing_right.compute()["mIoU_harmonic"] == 0
    with pytest.raises(InputError, match="class ids from 0 to 70"):
        suites.get("open_vocabulary", base=[1, 71])


def test_tavis_takes_probabilities_only_when_told():
    scores, target = np.float32([[[0.9, 0.2]], [[0.1, 0.8]]]), np.array([[0, 1]])
    logits, probabilities = (
        suites.get("tavis_semantic", num_classes=2, input=i) for i in ("raw_logits", "probabilities")
    )
    logits.update(scores, target)
    probabilities.update(scores, target)
    assert logits.compute()["mIoU"] == 0.5  # every positive number is above one half after the sigmoid
    assert probabilities.compute()["mIoU"] == 1
    assert probabilities.compute()["F"] == 1
    with pytest.raises(InputError, match=r"must be \(N, C, H, W\) = \(1, 2, 1, 2\), got \(3, 1, 2\)"):
        logits.update(np.zeros((3, 1, 2), np.float32), target)


def test_robust_ignores_the_targets_of_negative_conditions():
    suite = suites.get("robust")
    suite.update(np.float32(HIGH), np.array(SOME, bool), condition="positive")
    suite.update(np.float32(HIGH), np.array(SOME, bool), condition="silence")
    suite.update(np.float32(LOW), np.array(SOME, bool), condition="noise")
    numbers = suite.compute()
    assert (numbers["J"], numbers["F@0.5"], numbers["FPR_positive"]) == (1, 1, 0.25)
    assert (numbers["FPR_silence"], numbers["empty_silence"]) == (0.25, 0)
    assert (numbers["FPR_noise"], numbers["empty_noise"]) == (0, 1)
    assert (numbers["FPR_negative"], numbers["empty_negative"], numbers["n_negative"]) == (0.125, 0.5, 2)
    assert "FPR_offscreen" not in numbers
    with pytest.raises(UnknownName, match="did you mean 'positive'"):
        suite.update(np.float32(LOW), np.array(SOME, bool), condition="postive")


# Errors


def test_unknown_names_and_options():
    with pytest.raises(UnknownName, match="no metric suite named 'avs-bench'; did you mean 'avsbench'"):
        suites.get("avs-bench")
    with pytest.raises(UnknownName, match=r"option of the suite 'cavp' named 'classes'.*num_classes"):
        suites.get("cavp", classes=3)
    with pytest.raises(InputError, match=r"avsbench_compat: input must be one of .*, got 'sigmoid'"):
        suites.get("avsbench_compat", input="sigmoid")
    with pytest.raises(InputError, match="num_classes must be at least 2, got 1"):
        suites.get("cavp", num_classes=1)
    with pytest.raises(InputError, match="cannot be its options"):
        suites.get("cavp", num_classes="many")


@pytest.mark.parametrize("name", ["avsbench", "baav", "robust", "ssl"])
def test_binary_suites_take_score_maps_in_range_and_bool_targets(name):
    suite, extra = suites.get(name), {"ssl": {"names": "a_1"}, "robust": {"condition": "positive"}}.get(name, {})
    scores, target = np.float32(LOW), np.array(SOME, bool)
    for bad, other in (
        (scores * 9, target),
        (scores - 1, target),
        (scores * np.float32("nan"), target),
        (target, target),
        (scores, scores),
        (scores, target.astype(np.uint8)),
        (scores[:1], target),
        (scores[0], target[0]),
    ):
        with pytest.raises(InputError, match=name):
            suite.update(bad, other, **extra)
    assert suite.state() == suites.get(name).state(), "a refused update left something behind"


@pytest.mark.parametrize("name", ["avss", "avss_compat", "cavp", "open_vocabulary"])
def test_label_suites_take_integer_class_maps(name):
    suite = suites.get(name)
    labels = np.array([[0, 1], [2, 3]])
    for bad, other in ((labels / 2, labels), (labels, labels > 1), (labels + 99, labels), (labels[:1], labels)):
        with pytest.raises(InputError):
            suite.update(bad, other)
    assert suite.state() == suites.get(name).state()


def test_avsbench_compat_asks_for_batches():
    with pytest.raises(InputError, match="one batch of the published loader"):
        suites.get("avsbench_compat").update(np.float32(LOW), np.array(SOME, bool))
    with pytest.raises(InputError, match=r"must lie in \[0, 1\].*sigmoid"):
        suites.get("avsbench_compat").update(np.float32([LOW]) * 9, np.array([SOME], bool))


def test_only_suites_of_the_same_rules_merge():
    with pytest.raises(InputError, match="cannot merge suite 'cavp'"):
        suites.get("cavp").merge(suites.get("cavp", num_classes=3))
    with pytest.raises(InputError, match="the rules differ"):
        suites.get("avsbench").merge(suites.get("baav"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.update(format=99),
        lambda state: state.update(parts={}),
        lambda state: state.pop("parts"),
        lambda state: state.update(options={"colour": 1}),
        lambda state: state.update(suite=None),
        lambda state: state["parts"]["f"].update(frames=[0.5]),
        lambda state: state["parts"]["f"].update(frames=[[1]]),
        lambda state: state["parts"].update(f=3),
    ],
)
def test_damaged_states_are_refused(spoil):
    state = json.loads(json.dumps(suites.get("avsbench").state()))
    spoil(state)
    with pytest.raises(ResultFileError, match="stored state"):
        suites.from_state(state)


def test_states_of_unknown_suites():
    with pytest.raises(UnknownName, match="metric suite"):
        suites.from_state({"suite": "avsbunch"})
    with pytest.raises(ResultFileError, match="expected suite 'cavp'"):
        type(suites.get("cavp")).from_state(suites.get("avss").state())
