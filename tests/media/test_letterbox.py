"""Letterboxes, and the exact way back for boxes and maps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_files import noise_image

from zsavs.errors import ImageError
from zsavs.media.letterbox import letterbox

SHAPES = [
    ((37, 101), (64, 64)),
    ((101, 37), (64, 80)),
    ((480, 640), (416, 416)),
    ((1, 50), (33, 20)),
    ((50, 50), (50, 50)),
]


@pytest.mark.parametrize(("image_hw", "canvas_hw"), SHAPES)
def test_a_letterbox_holds_the_whole_image_in_the_middle(image_hw, canvas_hw):
    fill = (255, 0, 255)
    canvas, back = letterbox(np.full((*image_hw, 3), 7, np.uint8), canvas_hw, fill)
    assert canvas.shape == (*canvas_hw, 3)
    content = (canvas == 7).all(axis=-1)
    rows, columns = np.flatnonzero(content.any(axis=1)), np.flatnonzero(content.any(axis=0))
    assert content.sum() == len(rows) * len(columns) == back.content_hw[0] * back.content_hw[1]
    assert (canvas[~content] == fill).all()
    assert len(rows) == canvas_hw[0] or len(columns) == canvas_hw[1]
    assert abs(rows[0] - (canvas_hw[0] - 1 - rows[-1])) <= 1
    assert abs(columns[0] - (canvas_hw[1] - 1 - columns[-1])) <= 1
    assert (back.top, back.left) == (rows[0], columns[0])


def test_a_image_that_fits_is_unchanged():
    image = noise_image(30, 40)
    canvas, back = letterbox(image, (30, 40))
    np.testing.assert_array_equal(canvas, image)
    canvas, back = letterbox(image, (50, 40))
    np.testing.assert_array_equal(canvas[10:40], image)
    np.testing.assert_array_equal(back.map_to_image(canvas[..., 1].astype(np.float32)), image[..., 1])


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 12_000), st.integers(1, 12_000), st.integers(16, 1400), st.integers(16, 1400), st.integers(0, 99))
def test_boxes_come_back(height, width, canvas_height, canvas_width, seed):
    _, back = letterbox(np.zeros((2, 2, 3), np.uint8), (4, 4))
    scale = min(canvas_height / height, canvas_width / width)
    content = (max(1, round(height * scale)), max(1, round(width * scale)))
    back = type(back)((height, width), content, (canvas_height, canvas_width), seed % 7, seed % 5)
    corners = np.random.default_rng(seed).uniform(0, 1, (20, 4)) * [width, height, width, height]
    np.testing.assert_allclose(back.boxes_to_image(back.boxes_from_image(corners)), corners, rtol=0, atol=1e-4)
    assert back.boxes_to_image(np.zeros((0, 4))).shape == (0, 4)


@pytest.mark.parametrize(("image_hw", "canvas_hw"), SHAPES)
def test_the_whole_image_is_the_whole_content(image_hw, canvas_hw):
    _, back = letterbox(np.zeros((*image_hw, 3), np.uint8), canvas_hw)
    height, width = image_hw
    (box,) = back.boxes_from_image([[0, 0, width, height]])
    np.testing.assert_allclose(
        box, [back.left, back.top, back.left + back.content_hw[1], back.top + back.content_hw[0]], atol=1e-9
    )


def test_a_box_lands_on_the_same_pixels():
    image = np.zeros((60, 200, 3), np.uint8)
    image[20:40, 50:100] = 255
    canvas, back = letterbox(image, (100, 100))
    (box,) = back.boxes_from_image([[50, 20, 100, 40]])
    bright = np.argwhere(canvas[..., 0] > 127)
    np.testing.assert_allclose(box, [*bright.min(axis=0)[::-1], *(bright.max(axis=0)[::-1] + 1)], atol=0.51)


@pytest.mark.parametrize(("image_hw", "canvas_hw"), SHAPES)
@pytest.mark.parametrize("map_hw", [None, (16, 16), (13, 29), (7, 5), (1, 1), (200, 300)])
def test_nothing_of_the_padding_enters_a_map(image_hw, canvas_hw, map_hw):
    """A map that is 1 wherever it touches content alone, and -1000 wherever it touches padding."""
    _, back = letterbox(np.zeros((*image_hw, 3), np.uint8), canvas_hw)
    height, width = map_hw or canvas_hw
    y0, x0 = np.arange(height) * canvas_hw[0] / height, np.arange(width) * canvas_hw[1] / width
    pure_y = (y0 >= back.top) & (y0 + canvas_hw[0] / height <= back.top + back.content_hw[0] + 1e-9)
    pure_x = (x0 >= back.left) & (x0 + canvas_hw[1] / width <= back.left + back.content_hw[1] + 1e-9)
    if not pure_y.any():
        pure_y[:] = True
    if not pure_x.any():
        pure_x[:] = True
    values = np.where(pure_y[:, None] & pure_x, 1, -1000).astype(np.float32)
    seen = back.map_to_image(values)
    assert seen.shape == image_hw
    assert seen.dtype == np.float32
    assert (seen == 1).all()


@pytest.mark.parametrize("map_hw", [(90, 120), (45, 60), (23, 31)])
@pytest.mark.parametrize("image_hw", [(200, 61), (61, 200), (300, 400)])
def test_a_map_comes_back_to_its_place(map_hw, image_hw):
    """A map that tells its own position, sampled at the centres of the map's pixels."""
    canvas_hw = (90, 120)
    _, back = letterbox(np.zeros((*image_hw, 3), np.uint8), canvas_hw)
    for axis in (0, 1):
        place = (np.arange(map_hw[axis]) + 0.5) * canvas_hw[axis] / map_hw[axis]
        values = np.broadcast_to(place[:, None] if axis == 0 else place, map_hw).astype(np.float32)
        seen = back.map_to_image(values)
        offset = (back.top, back.left)[axis]
        expected = (np.arange(image_hw[axis]) + 0.5) * back.content_hw[axis] / image_hw[axis] + offset
        got = seen[:, image_hw[1] // 2] if axis == 0 else seen[image_hw[0] // 2]
        # Where the content ends the outermost value is repeated: at most one and a half values of the map.
        step = canvas_hw[axis] / map_hw[axis]
        inner = (expected > offset + 1.5 * step) & (expected < offset + back.content_hw[axis] - 1.5 * step)
        assert inner.sum() > 5
        np.testing.assert_allclose(got[inner], expected[inner], atol=0.01 * step)
        np.testing.assert_allclose(got, expected, atol=1.5 * step)


def test_letterbox_refuses():
    with pytest.raises(ImageError, match="side"):
        letterbox(noise_image(3, 3), (0, 3))
    _, back = letterbox(noise_image(3, 5), (8, 8))
    with pytest.raises(ImageError, match="boxes"):
        back.boxes_to_image(np.zeros(4))
    with pytest.raises(ImageError, match="map"):
        back.map_to_image(np.zeros((2, 2, 2), np.float32))


def test_the_image_may_lie_at_the_top_left() -> None:
    image = np.full((20, 40, 3), 200, np.uint8)
    canvas, back = letterbox(image, (80, 80), centred=False)
    assert (back.top, back.left, back.content_hw) == (0, 0, (40, 80))
    assert (canvas[:40] == 200).all()
    assert (canvas[40:] == 114).all()
    assert back.boxes_to_image(np.array([[20, 10, 60, 30]])).tolist() == [[10, 5, 30, 15]]
