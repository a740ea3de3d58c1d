"""Masks, boxes and the score map agree with each other, whatever a segmenter says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from zsavs.composition import UNSELECTED_CEILING, compose
from zsavs.errors import ContractError
from zsavs.media.regions import tight_box
from zsavs.result import AVSResult
from zsavs.types import Proposals


def regions(scores: Any, selected: Any = None) -> Proposals:
    count = len(scores)
    return Proposals(
        np.tile(np.array([0, 0, 1, 1], np.float32), (count, 1)),
        np.asarray(scores, np.float32),
        np.arange(count),
        selected=np.ones(count, np.bool_) if selected is None else np.asarray(selected, np.bool_),
    )


def logits(*rows: Any) -> NDArray[np.float32]:
    return np.array(rows, np.float32)


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-np.float64(x))))


SHAPE = (3, 4)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_masks_and_score_map_agree_for_any_logits(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 4))
    values = st.floats(-30, 30, width=32) | st.sampled_from([0.0, -0.0, 1e-7, -1e-7, 1e-30, 3e38, -3e38, 88.8, -88.8])
    maps = data.draw(hnp.arrays(np.float32, (count, *SHAPE), elements=values))
    unit = st.floats(0, 1, width=32)
    scores = data.draw(hnp.arrays(np.float32, (count,), elements=unit))
    selected = data.draw(hnp.arrays(np.bool_, (count,)))
    whole = compose(maps, regions(scores, selected), SHAPE)

    assert np.array_equal(whole.masks.any(axis=0), whole.score_map > 0.5)
    assert whole.score_map.dtype == np.float32
    assert whole.masks.dtype == np.bool_
    assert not np.signbit(whole.score_map).any(), "no negative zeros, which would not survive 16 bits"
    levels = np.rint(whole.score_map * np.float32(65535)).astype(np.uint16)
    assert np.array_equal(levels.astype(np.float32) / np.float32(65535), whole.score_map), "16 bits hold the map"
    assert all(mask.any() for mask in whole.masks)
    assert all(selected[whole.rows])
    assert np.all(np.diff(scores[whole.rows]) <= 0), "surest first"
    for mask, box, row in zip(whole.masks, whole.boxes_xyxy, whole.rows, strict=True):
        inside = np.abs(maps[row]) > 1e-6  # closer to 0 the sigmoid is 0.5 in float32
        assert np.array_equal(mask[inside], (maps[row] > 0)[inside])
        assert tuple(box) == tight_box(mask)
    # The result's own checks pass, and it can be saved.
    result = AVSResult(whole.masks, whole.boxes_xyxy, ("x",) * len(whole.rows), scores[whole.rows], whole.score_map)
    assert AVSResult.load(result.to_json()).score_map.tobytes() == whole.score_map.tobytes()


def test_a_selected_region_keeps_its_probability() -> None:
    whole = compose(logits([[2.0, -2.0], [0.5, -8.0]]), regions([0.3]), (2, 2))
    wanted = [[sigmoid(2), sigmoid(-2)], [sigmoid(0.5), sigmoid(-8)]]
    assert np.abs(whole.score_map - wanted).max() <= 0.51 / 65535
    assert whole.masks.tolist() == [[[True, False], [True, False]]]
    assert whole.boxes_xyxy.tolist() == [[0, 0, 1, 2]]


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_a_logit_of_zero_is_background(zero: float) -> None:
    whole = compose(logits([[zero, 1e-3]]), regions([1.0]), (1, 2))
    assert whole.masks.tolist() == [[[False, True]]]
    assert whole.score_map[0, 0] < 0.5 < whole.score_map[0, 1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("selected", [True, False])
def test_logits_that_are_not_finite_are_refused(bad: float, selected: bool) -> None:
    with pytest.raises(ContractError, match="must be finite"):
        compose(logits([[0.0, bad]]), regions([1.0], [selected]), (1, 2))


@pytest.mark.parametrize(
    "maps",
    [np.zeros((2, 2, 2), np.float32), np.zeros((2, 2), np.float32), np.zeros((0, 2, 2), np.float32)],
)
def test_another_number_of_maps_than_regions_is_refused(maps: Any) -> None:
    with pytest.raises(ContractError, match=r"expected \(1, h, w\) mask logits, got shape"):
        compose(maps, regions([1.0]), (2, 2))


@pytest.mark.parametrize("maps", [np.ones((1, 2, 2), np.bool_), np.ones((1, 2, 2), np.uint8)])
def test_masks_in_place_of_logits_are_refused(maps: Any) -> None:
    with pytest.raises(ContractError, match="logits"):
        compose(maps, regions([1.0]), (2, 2))


def test_unselected_regions_stay_below_one_half_and_in_order() -> None:
    """A region at probability 1 each: the map ranks them by score, none becomes foreground."""
    scores = [0.2, 1.0, 0.6]
    maps = np.full((3, 1, 3), -30, np.float32)
    for number in range(3):
        maps[number, 0, number] = 30
    whole = compose(maps, regions(scores, [False] * 3), (1, 3))
    assert len(whole.masks) == 0
    assert whole.masks.shape == (0, 1, 3)
    assert whole.score_map[0] == pytest.approx(np.array(scores) * UNSELECTED_CEILING, abs=1e-5)
    assert whole.score_map.max() < 0.5


def test_an_unselected_region_never_hides_a_selected_one() -> None:
    maps = logits([[0.2, -5.0]], [[9.0, 9.0]])
    whole = compose(maps, regions([0.1, 1.0], [True, False]), (1, 2))
    assert whole.score_map[0, 0] == pytest.approx(sigmoid(0.2), abs=1e-5)
    assert whole.masks.tolist() == [[[True, False]]]


def test_where_regions_overlap_the_larger_value_counts() -> None:
    whole = compose(logits([[1.0, 3.0]], [[2.0, 0.5]]), regions([0.5, 0.9]), (1, 2))
    assert whole.score_map[0] == pytest.approx([sigmoid(2), sigmoid(3)], abs=1e-5)
    assert whole.rows.tolist() == [1, 0]


def test_equal_scores_keep_their_order() -> None:
    whole = compose(np.ones((4, 1, 1), np.float32), regions([0.5, 0.7, 0.5, 0.7]), (1, 1))
    assert whole.rows.tolist() == [1, 3, 0, 2]


def test_a_selected_region_without_a_pixel_leaves_no_mask_but_its_probability() -> None:
    whole = compose(logits([[-1.0, -2.0]], [[1.0, -9.0]]), regions([0.9, 0.5]), (1, 2))
    assert whole.rows.tolist() == [1]
    assert whole.score_map[0, 1] == pytest.approx(sigmoid(-2), abs=1e-5)


def test_maps_of_another_size_are_stretched() -> None:
    small = np.full((1, 4, 6), -6, np.float32)
    small[0, 1:3, 2:4] = 6  # the middle of a 4 x 6 map
    whole = compose(small, regions([1.0]), (40, 60))
    assert whole.score_map.shape == (40, 60)
    x0, y0, x1, y1 = whole.boxes_xyxy[0]
    assert [x0, y0, x1, y1] == pytest.approx([20, 10, 40, 30], abs=1), "no shift by half a pixel"
    large = compose(small.repeat(3, axis=1).repeat(3, axis=2), regions([1.0]), (4, 6))
    assert np.array_equal(large.masks[0], small[0] > 0), "and shrunk"


def test_no_regions() -> None:
    whole = compose(np.zeros((0, 5, 5), np.float32), Proposals.nothing(), SHAPE)
    assert whole.masks.shape == (0, *SHAPE)
    assert whole.boxes_xyxy.shape == (0, 4)
    assert whole.boxes_xyxy.dtype == np.float32
    assert not whole.score_map.any()


def test_the_segmenters_logits_are_left_alone() -> None:
    maps = logits([[1.0, -1.0]])
    maps.flags.writeable = False
    compose(maps, regions([0.5], [False]), (1, 2))
