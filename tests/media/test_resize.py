"""Images and maps resized: areas averaged, half-pixel centres, no value skipped."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_files import noise_image

from zsavs.errors import ImageError
from zsavs.media.letterbox import letterbox
from zsavs.media.regions import crop_with_margin, highlight
from zsavs.media.resize import resize_map, shrink

# --- shrinking --------------------------------------------------------------------------------------------------------


def test_a_small_image_is_not_touched():
    image = noise_image(10, 10)
    assert shrink(image, 100) is image


def test_shrinking_averages_areas():
    image = noise_image(40, 60)
    expected = image.reshape(20, 2, 30, 2, 3).mean(axis=(1, 3))
    small = shrink(image, 600)
    assert small.shape == (20, 30, 3)
    assert np.abs(small - expected).max() <= 1


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 2000))
def test_shrinking_keeps_limit_and_shape(height, width, limit):
    small = shrink(np.full((height, width, 3), 77, np.uint8), limit)
    h, w = small.shape[:2]
    assert 1 <= h <= height
    assert 1 <= w <= width
    assert h * w <= limit or h * w == height * width <= limit
    assert (small == 77).all()
    if min(h, w) > 1:
        scale = (h * w / (height * width)) ** 0.5
        assert abs(h - height * scale) <= max(1, height / width)
        assert abs(w - width * scale) <= max(1, width / height)


@pytest.mark.parametrize("size_hw", [(1, 5000), (5000, 1)])
def test_a_line_can_be_shrunk(size_hw):
    small = shrink(np.zeros((*size_hw, 3), np.uint8), 100)
    assert sorted(small.shape[:2]) == [1, 100]


@pytest.mark.parametrize(
    "image", [np.zeros((3, 3)), np.zeros((3, 3, 4), np.uint8), np.zeros((0, 3, 3), np.uint8), None]
)
def test_what_is_no_image_array(image):
    for use in (
        lambda: shrink(image, 1),
        lambda: letterbox(image, (4, 4)),
        lambda: crop_with_margin(image, (0, 0, 1, 1)),
        lambda: highlight(image, (0, 0, 1, 1)),
    ):
        with pytest.raises(ImageError, match="image"):
            use()
    with pytest.raises(ImageError, match="max_pixels"):
        shrink(noise_image(3, 3), 0)


# --- maps -------------------------------------------------------------------------------------------------------------


def bilinear(values: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Half-pixel centres, border repeated, in float64."""
    for axis, new in enumerate(size_hw):
        old = values.shape[axis]
        place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        low = np.floor(place).astype(int)
        share = np.expand_dims(place - low, 1 - axis)
        high = np.minimum(low + 1, old - 1)
        values = np.take(values, low, axis) * (1 - share) + np.take(values, high, axis) * share
    return values


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 40), st.integers(0, 40))
def test_enlarging_is_bilinear(height, width, more, wider):
    values = np.random.default_rng(height).normal(0, 20, (height, width)).astype(np.float32)
    size_hw = (height + more, width + wider)
    enlarged = resize_map(values, size_hw)
    assert enlarged.shape == size_hw
    assert enlarged.dtype == np.float32
    np.testing.assert_allclose(enlarged, bilinear(values.astype(np.float64), size_hw), rtol=0, atol=1e-4)


def test_half_pixel_centres():
    np.testing.assert_allclose(resize_map(np.array([[0, 1]], np.float32), (1, 4)), [[0, 0.25, 0.75, 1]])


@pytest.mark.parametrize("size_hw", [(3, 5), (500, 301), (40, 40), (1, 1)])
def test_a_map_stays_within_its_range(size_hw):
    values = np.random.default_rng(1).normal(0, 1e3, (40, 40)).astype(np.float32)
    resized = resize_map(values, size_hw)
    assert values.min() <= resized.min()
    assert resized.max() <= values.max()
    assert (resize_map(np.full((7, 9), 0.1, np.float32), size_hw) == np.float32(0.1)).all()


def test_shrinking_a_map_skips_no_value():
    for place in range(64):
        values = np.zeros((1, 64), np.float32)
        values[0, place] = 64
        # In the mean each value has a weight of 1; at the border the filter is cut off and normalised.
        assert 4 < resize_map(values, (1, 8)).sum() < 12


def test_a_map_of_the_right_size_is_copied():
    values = np.random.default_rng(2).random((5, 6), np.float32)
    same = resize_map(values, (5, 6))
    np.testing.assert_array_equal(same, values)
    same[:] = 0
    assert values.any()


def test_a_map_may_be_a_view():
    values = np.random.default_rng(3).random((20, 30), np.float32)
    np.testing.assert_array_equal(resize_map(values.T[::2], (60, 40)), resize_map(values.T[::2].copy(), (60, 40)))


@pytest.mark.parametrize(
    ("shape", "size_hw"), [((3,), (2, 2)), ((0, 3), (2, 2)), ((2, 2, 2), (2, 2)), ((2, 2), (0, 2))]
)
def test_what_is_no_map(shape, size_hw):
    with pytest.raises(ImageError, match="map"):
        resize_map(np.zeros(shape, np.float32), size_hw)
