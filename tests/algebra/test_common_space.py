"""The closed-form common space: the algebra is right, and the gate does what a raw product cannot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from paired_world import Rows, World, make_world, unit

from zsavs.algebra.common_space import _STRENGTHS, RidgeMap, gate, ridge


# --------------------------------------------------------------------------------- ridge
def fit(x: Rows, y: Rows, penalty: float) -> tuple[Rows, Rows, Rows]:
    """Ridge regression with an unpenalised intercept, by the textbook: the matrix and the two means."""
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    centred = x - x_mean
    matrix = np.linalg.solve(centred.T @ centred + penalty * np.eye(x.shape[1]), centred.T @ (y - y_mean))
    return matrix, x_mean, y_mean


def left_out_error(x: Rows, y: Rows, penalty: float) -> float:
    """Fit K times without one label and add up the squared errors on the labels left out."""
    error = 0.0
    for i in range(len(x)):
        rest = np.arange(len(x)) != i
        matrix, x_mean, y_mean = fit(x[rest], y[rest], penalty)
        error += float(((y[i] - y_mean - (x[i] - x_mean) @ matrix) ** 2).sum())
    return error


@pytest.fixture
def labels(rng: np.random.Generator) -> tuple[Rows, Rows]:
    concepts = rng.standard_normal((14, 5))
    x = concepts @ rng.standard_normal((5, 9)) + 0.4 * rng.standard_normal((14, 9)) + 2
    y = concepts @ rng.standard_normal((5, 7)) + 0.4 * rng.standard_normal((14, 7)) - 1
    return unit(x), unit(y)


def test_the_strength_is_the_one_that_brute_force_leave_one_out_chooses(labels: tuple[Rows, Rows]) -> None:
    x, y = labels
    errors = {strength: left_out_error(x, y, strength * len(x)) for strength in _STRENGTHS}
    best = min(errors, key=errors.__getitem__)
    assert best not in (_STRENGTHS[0], _STRENGTHS[-1]), "the example is worth something only inside the grid"
    assert ridge(x, y).strength == best


def test_the_closed_form_error_is_that_of_refitting(labels: tuple[Rows, Rows], monkeypatch: pytest.MonkeyPatch) -> None:
    """With one strength in the grid, the left-out predictions decide the retrieval share: compare those too."""
    x, y = labels
    for strength in _STRENGTHS:
        monkeypatch.setattr("zsavs.algebra.common_space._STRENGTHS", (strength,))
        centred = y - y.mean(axis=0)
        hits = 0
        for i in range(len(x)):
            rest = np.arange(len(x)) != i
            matrix, x_mean, y_mean = fit(x[rest], y[rest], strength * len(x))
            prediction = y_mean + (x[i] - x_mean) @ matrix - y.mean(axis=0)
            hits += int((unit(centred) @ prediction).argmax() == i)
        assert ridge(x, y).retrieval == pytest.approx(hits / len(x)), strength


def test_the_matrix_is_the_ridge_solution(labels: tuple[Rows, Rows]) -> None:
    x, y = labels
    answer = ridge(x, y)
    matrix, x_mean, y_mean = fit(x, y, answer.strength * len(x))
    assert answer.matrix == pytest.approx(matrix, abs=1e-9)
    assert answer.target_mean == pytest.approx(y_mean)
    mapped = answer((x - x_mean).astype(np.float32))
    assert mapped.dtype == np.float32
    assert mapped == pytest.approx(unit((x - x_mean) @ matrix), abs=1e-5)
    assert answer.centred_targets(y) == pytest.approx(unit(y - y_mean), abs=1e-5)


def test_a_rotation_is_found_and_its_retrieval_is_perfect(rng: np.random.Generator) -> None:
    x = unit(rng.standard_normal((40, 6)))
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    answer = ridge(x, x @ turn)
    assert answer.retrieval == 1.0
    probe = unit(rng.standard_normal((5, 6)))
    assert answer(probe) == pytest.approx(probe @ turn, abs=1e-4)


def test_unrelated_spaces_are_seen_to_be_unrelated(rng: np.random.Generator) -> None:
    x, y = unit(rng.standard_normal((60, 20))), unit(rng.standard_normal((60, 30)))
    assert ridge(x, y).retrieval < 0.15


@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_few_labels_are_no_error(count: int, rng: np.random.Generator) -> None:
    answer = ridge(unit(rng.standard_normal((count, 5))), unit(rng.standard_normal((count, 4))))
    assert np.isfinite(answer.matrix).all()
    assert np.isfinite(answer(rng.standard_normal((2, 5)))).all()
    assert 0 <= answer.retrieval <= 1


def test_repeated_labels_and_nearly_flat_spaces_are_no_error(rng: np.random.Generator) -> None:
    """Text embeddings lie in a narrow cone; some labels embed to the same row."""
    x = unit(5 + 1e-4 * rng.standard_normal((30, 16))).astype(np.float32)
    x[1] = x[0]
    y = unit(rng.standard_normal((30, 8)))
    answer = ridge(x, y)
    assert np.isfinite(answer.matrix).all()
    assert np.isfinite(answer(x - x.mean(axis=0))).all()


def test_a_row_without_direction_stays_zero() -> None:
    answer = RidgeMap(np.eye(3), np.zeros(3), 1.0, 1.0)
    assert answer(np.zeros((1, 3))).tolist() == [[0, 0, 0]]


# ---------------------------------------------------------------------------------- gate
finite = st.floats(-1, 1).map(lambda value: round(value, 4))


@given(st.lists(finite, min_size=1, max_size=8).filter(lambda x: np.linalg.norm(x) > 1e-3))
def test_a_row_gated_with_itself_is_itself(values: list[float]) -> None:
    row = unit(np.array([values]))
    assert gate(row, row) == pytest.approx(row, abs=1e-6)


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=8))
def test_the_gate_keeps_agreement_only(pairs: list[tuple[float, float]]) -> None:
    a, v = np.array(pairs).T
    (gated,) = gate(a[None], v)
    assert gated.dtype == np.float32
    agree = a * v > 0
    assert (gated[~agree] == 0).all()
    assert (np.sign(gated[agree]) * np.sign(v[agree]) >= 0).all(), "two negatives stay negative"
    assert np.linalg.norm(gated) == pytest.approx(1, abs=1e-5) or not gated.any()


def test_the_gate_by_hand() -> None:
    (gated,) = gate(np.array([[4.0, -1.0, 3.0, 0.0]]), np.array([1.0, -9.0, -3.0, 5.0]))
    assert gated == pytest.approx(np.array([2.0, -3.0, 0.0, 0.0]) / np.sqrt(13))


def test_the_gate_takes_many_audio_rows_with_one_image(rng: np.random.Generator) -> None:
    a, v = rng.standard_normal((6, 5)), rng.standard_normal(5)
    assert np.array_equal(gate(a, v), np.concatenate([gate(row[None], v) for row in a]))


# -------------------------------------------------- the numerical trap, in a world of our own
@pytest.fixture(scope="module")
def world() -> World:
    return make_world(0)


def accuracy(scores: Rows, targets: NDArray[np.int64]) -> float:
    return float((scores.argmax(axis=1) == targets).mean())


def test_the_gate_finds_what_is_both_heard_and_seen_and_the_raw_product_does_not(world: World) -> None:
    mapping = ridge(world.x, world.y)
    heard = mapping(world.sounds - world.sound_bank.mean(axis=0))
    seen = unit(world.images - world.picture_bank.mean(axis=0))
    labels = mapping.centred_targets(world.y)
    sound_only = accuracy(
        (world.sounds - world.sound_bank.mean(axis=0)) @ unit(world.x - world.x.mean(axis=0)).T, world.targets
    )
    image_only = accuracy(seen @ labels.T, world.targets)
    gated = accuracy(
        np.concatenate([gate(a[None], v) for a, v in zip(heard, seen, strict=True)]) @ labels.T, world.targets
    )

    # Two spaces cannot even be multiplied without a map or a cut; the first 512 coordinates stand for any such choice.
    raw = accuracy((world.sounds[:, :512] * world.images) @ world.y.T, world.targets)
    in_one_space = accuracy((heard * seen) @ labels.T, world.targets)

    # One modality alone cannot tell the target from its own second source: about one half.
    assert 0.3 < sound_only < 0.65
    assert 0.3 < image_only < 0.65
    assert gated > 0.9
    assert raw < 0.1, "chance is 0.014"
    assert in_one_space < 0.3, "a plain product is no better for being taken in the common space"
    assert mapping.retrieval > 0.9
