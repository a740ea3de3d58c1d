"""No number depends on order, batches or processes, and a stored suite is restored exactly."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from golden import metric_recipe as recipe
from hypothesis import given, settings
from hypothesis import strategies as st

from zsavs.errors import InputError, ResultFileError
from zsavs.metrics import exact_sums, functional, streaming, suites
from zsavs.metrics.f_measure_curve import f_curve, thresholds

# Exact sums and the streaming twins


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_exact_sums_do_not_depend_on_the_order_and_agree_with_fsum(values, random):
    shuffled = values.copy()
    random.shuffle(shuffled)
    assert exact_sums.mean(values) == exact_sums.mean(shuffled)
    assert exact_sums.mean(values) == pytest.approx(math.fsum(values) / len(values), abs=1e-15)
    total, parts = exact_sums.zeros(1), exact_sums.zeros(1)
    exact_sums.add(total, np.array(values)[:, None])
    for value in shuffled:
        exact_sums.add(parts, [value])
    assert exact_sums.value(total).tolist() == exact_sums.value(parts).tolist()


def frames(count=12):
    kinds = itertools.cycle([("smooth", "ellipse"), ("q8", "rect"), ("lowmax", "empty"), ("uniform", "two")])
    pairs = [recipe.frame(50 + i, 18, 22, *kind) for i, kind in zip(range(count), kinds, strict=False)]
    return np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs]).astype(bool)


def test_max_f_equals_its_streaming_version_bit_for_bit():
    maps, targets = frames()
    stream = streaming.MaxF()
    stream.update(maps[:5], targets[:5])
    stream.update(maps[5:6], targets[5:6])
    stream.merge(rest := streaming.MaxF())
    rest.update(maps[6:7], targets[6:7])
    stream.merge(rest)
    stream.update(maps[7:], targets[7:])
    assert stream.compute() == functional.max_f_measure(maps, targets)
    assert stream.frames == 9
    at = f_curve_mean(maps, targets)
    assert stream.best_threshold() == thresholds()[at.argmax()]


def f_curve_mean(maps, targets):
    return np.mean([f_curve(m, t) for m, t in zip(maps, targets, strict=True) if t.any()], axis=0)


def test_mean_leaves_nan_out_and_counts_it():
    mean = streaming.Mean()
    assert math.isnan(mean.compute())
    mean.update([0.25, np.nan, 0.75])
    mean.update(0.5)
    assert (mean.compute(), mean.defined, mean.undefined) == (0.5, 3, 1)


def test_success_and_interactive_success_equal_their_functions():
    ious = np.random.default_rng(0).random(30).round(2)
    groups = [f"g{i % 7}" for i in range(30)]
    success, interactive, other = streaming.Success(), streaming.InteractiveSuccess(), streaming.InteractiveSuccess()
    success.update(ious[:10])
    success.update(np.append(ious[10:], np.nan))
    interactive.update(ious[:10], groups[:10])
    other.update(ious[10:], groups[10:])
    interactive.merge(other)
    assert (success.rate(), success.auc()) == (functional.success_rate(ious), functional.success_auc(ious))
    assert interactive.rate() == functional.interactive_iou(ious, groups)
    assert interactive.auc() == functional.interactive_auc(ious, groups)


def test_undefined_items_fail_where_asked():
    success = streaming.Success(undefined_fail=True)
    success.update([0.9, np.nan])
    assert success.rate() == 0.5


def test_confusion_and_class_means_equal_their_functions():
    pairs = [recipe.label_frame(i, 20, 24, 6, [1, 4], "noise") for i in range(4)]
    confusion, means = streaming.Confusion(6), streaming.ClassMeans(6)
    for labels, target in pairs:
        confusion.update(labels, target)
        means.update(labels[None], target[None])
    want = functional.confusion_matrix(np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs]), 6)
    assert np.array_equal(confusion.compute(), want)
    scores = [functional.semantic_frame_scores(*pair, num_classes=6) for pair in pairs]
    iou, f, count = means.sums()
    np.testing.assert_allclose(iou, sum(s.iou for s in scores), atol=1e-14)
    np.testing.assert_allclose(f, sum(s.f for s in scores), atol=1e-14)
    assert np.array_equal(count, sum(s.present.astype(int) for s in scores))


def test_counts_beyond_float32_stay_exact():
    confusion = streaming.Confusion(2)
    confusion.load({"matrix": [[2**53 + 1, 0], [0, 1]]})
    confusion.update(np.zeros((1, 1), int), np.zeros((1, 1), int))
    assert confusion.compute()[0, 0] == 2**53 + 2


def test_streams_of_other_settings_do_not_merge_or_load():
    with pytest.raises(InputError, match="cannot merge"):
        streaming.Confusion(3).merge(streaming.Confusion(4))
    for state in (
        {},
        {"matrix": [[0.5, 0], [0, 0]]},
        {"matrix": [[1, 2]]},
        {"matrix": "no"},
        {"matrix": [[1], [2, 3]]},
    ):
        with pytest.raises(ResultFileError, match="'matrix' should be integers of shape"):
            streaming.Confusion(2).load(state)
    with pytest.raises(ResultFileError, match="'minima'"):
        streaming.InteractiveSuccess().load({"minima": {"a": 3}})


def test_stream_states_survive_json():
    maps, targets = frames(4)
    stream = streaming.MaxF()
    stream.update(maps, targets)
    restored = streaming.MaxF()
    restored.load(json.loads(json.dumps(stream.state())))
    restored.update(maps, targets)
    stream.update(maps, targets)
    assert restored.compute() == stream.compute()
    assert restored.frames == stream.frames


# Order, splits, storage


def binary_items(count=14):
    pairs = [("smooth", "ellipse"), ("q8", "rect"), ("lowmax", "empty"), ("uniform", "two"), ("zeros", "ring")]
    for i in range(count):
        scores, target = recipe.frame(900 + i, 26, 30, *pairs[i % len(pairs)])
        yield scores, target.astype(bool)


def label_items(count=10, classes=6):
    for i in range(count):
        kind = ("shift", "noise", "extra", "drop", "background")[i % 5]
        yield recipe.label_frame(700 + i, 20, 24, classes, [1 + i % 3, 4], kind)


def updates_of(name):
    """(options, updates): what a suite of that name is made with, and the arguments of its updates in turn."""
    items = list(binary_items())
    if name in ("avsbench", "baav"):
        return {}, [(item, {}) for item in items]
    if name == "avsbench_compat":
        batches = [items[i : i + 3] for i in range(0, len(items), 3)]
        return {}, [(tuple(np.stack(part) for part in zip(*batch, strict=True)), {}) for batch in batches]
    if name == "ssl":
        return {}, [(item, {"names": f"pair_{i // 2}_{i}.jpg"}) for i, item in enumerate(items)]
    if name == "robust":
        conditions = ("positive", "silence", "noise", "offscreen")
        return {}, [(item, {"condition": conditions[i % 4]}) for i, item in enumerate(items)]
    if name == "tavis_semantic":
        return {"num_classes": 6}, [((recipe.one_hot_logits(p[None], 6)[0] - 5, t), {}) for p, t in label_items()]
    if name == "avss_compat":
        return {"num_classes": 6}, [((p, t), {"padding": i % 2}) for i, (p, t) in enumerate(label_items())]
    options = {"num_classes": 6} | ({"base": [1, 2]} if name == "open_vocabulary" else {})
    return options, [(item, {}) for item in label_items()]


def run(name, options, updates):
    suite = suites.get(name, **options)
    for args, kwargs in updates:
        suite.update(*args, **kwargs)
    return suite


def same(got, want):
    """Equal to the bit, NaN included, and in the same order of names."""
    return json.dumps(got) == json.dumps(want)


@pytest.mark.parametrize("name", suites.names())
def test_no_number_depends_on_order_and_splits(name):
    options, updates = updates_of(name)
    want = run(name, options, updates).compute()
    assert all(isinstance(value, (int, float)) for value in want.values())
    assert same(run(name, options, updates[::-1]).compute(), want)
    shuffled = [updates[i] for i in np.random.default_rng(4).permutation(len(updates))]
    assert same(run(name, options, shuffled).compute(), want)
    for cut in (0, 1, 5):
        first, second = run(name, options, updates[:cut]), run(name, options, updates[cut:])
        assert same(first.merge(second).compute(), want)


@pytest.mark.parametrize("name", suites.names())
def test_a_stored_suite_is_restored_exactly(name):
    options, updates = updates_of(name)
    want = run(name, options, updates)
    half = run(name, options, updates[:5])
    before = half.compute()
    restored = suites.from_state(json.loads(json.dumps(half.state(), allow_nan=False)))
    assert type(restored) is type(half)
    assert restored.options == half.options
    assert same(restored.compute(), before)
    for args, kwargs in updates[5:]:
        restored.update(*args, **kwargs)
    assert same(restored.compute(), want.compute())
    assert same(restored.state(), want.state())
    assert same(half.compute(), before), "the restored suite shares memory with the stored one"


@pytest.mark.parametrize("name", sorted(set(suites.names()) - {"avsbench_compat", "robust", "avss_compat"}))
def test_one_update_of_many_equals_many_of_one(name):
    options, updates = updates_of(name)
    stacked = tuple(np.stack(part) for part in zip(*(args for args, _ in updates), strict=True))
    keywords = {key: [kwargs[key] for _, kwargs in updates] for key in updates[0][1]}
    together = run(name, options, [(stacked, keywords)])
    assert same(together.compute(), run(name, options, updates).compute())


@pytest.mark.parametrize("name", suites.names())
def test_updates_leave_their_arguments_alone_and_compute_can_be_repeated(name):
    options, updates = updates_of(name)
    copies = [tuple(array.copy() for array in args) for args, _ in updates]
    suite = run(name, options, updates)
    first = suite.compute()
    assert same(suite.compute(), first)
    for copy, (args, _) in zip(copies, updates, strict=True):
        assert all(np.array_equal(one, other) for one, other in zip(copy, args, strict=True))


@pytest.mark.parametrize("name", suites.names())
def test_an_empty_suite_has_no_numbers_and_says_so(name):
    numbers = suites.get(name).compute()
    for key, value in numbers.items():
        counted = key.startswith("n_")
        assert value == 0 if counted or key.endswith("_harmonic") else math.isnan(value), key


@pytest.mark.parametrize("name", suites.names())
def test_numbers_are_shares(name):
    numbers = run(name, *updates_of(name)).compute()
    assert all(math.isnan(v) or 0 <= v <= 1 + 1e-12 for k, v in numbers.items() if not k.startswith("n_"))
