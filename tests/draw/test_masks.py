"""Masks over an image: what changes, what does not, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from drawings import clip, ellipse, placed, scene
from PIL import Image

from zsavs.draw import card, mask_layer, overlay, palette
from zsavs.draw import text as text_module
from zsavs.errors import AudioError, ContractError, ImageError


def test_nothing_found_leaves_the_image_as_it_is() -> None:
    image, masks = scene(60, 90, 0)
    drawn = overlay(image, masks, [], [], None)
    assert drawn.mode == "RGB"
    assert drawn.size == (90, 60)
    np.testing.assert_array_equal(np.asarray(drawn), image)


def test_only_the_mask_its_contour_and_its_label_change() -> None:
    image, _ = scene(240, 320, 0)
    before = image.copy()
    mask = ellipse(240, 320, 150, 130, 60, 50)
    drawn = np.asarray(overlay(image, mask[None], ["dog"], [0.87]))
    label = placed(mask[None], ["dog"], [0.87])[0]

    may_change = ellipse(240, 320, 150, 130, 64, 54)
    x0, y0, x1, y1 = label.box
    may_change[y0:y1, x0:x1] = True
    np.testing.assert_array_equal(drawn[~may_change], image[~may_change])
    assert (drawn[mask] != image[mask]).any(axis=-1).mean() > 0.99
    assert (drawn[y0:y1, x0:x1] != image[y0:y1, x0:x1]).any()
    np.testing.assert_array_equal(image, before)


def test_the_contour_has_the_colour_of_the_mask_and_a_width_that_grows_with_the_image() -> None:
    widths = []
    for size in (200, 1600):
        image = np.full((size, size, 3), 128, np.uint8)
        mask = np.zeros((1, size, size), np.bool_)
        mask[0, size // 4 : -size // 4, size // 4 : -size // 4] = True
        row = np.asarray(overlay(image, mask, [""], []))[size // 2, : size // 2]
        widths.append(int((np.abs(row.astype(int) - palette(1)[0]).max(axis=-1) < 45).sum()))
        assert abs(int(np.abs(row.astype(int) - palette(1)[0]).max(axis=-1).argmin()) - size // 4) <= widths[-1]
    assert 1 <= widths[0] <= 3
    assert 4 <= widths[1] <= 8


def test_a_mask_one_pixel_wide_still_gets_its_colour() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    masks = np.zeros((1, 100, 100), np.bool_)
    masks[0, 50, 20:80] = True
    drawn = np.asarray(overlay(image, masks, [""], [])).astype(int)
    assert np.abs(drawn[50, 30:70] - palette(1)[0]).max() < 60


def test_overlapping_masks_blend_to_the_mean_of_their_colours_whatever_their_order() -> None:
    image = np.full((200, 200, 3), 100, np.uint8)
    masks = np.zeros((2, 200, 200), np.bool_)
    masks[0, 20:180, 20:140] = True
    masks[1, 20:180, 60:180] = True
    drawn = np.asarray(overlay(image, masks, ["", ""], [])).astype(float)
    first, second, both = drawn[100, 40], drawn[100, 160], drawn[100, 100]
    np.testing.assert_allclose(both, (first + second) / 2, atol=1)
    assert np.abs(first - second).max() > 40


def test_the_layer_over_the_image_is_the_overlay() -> None:
    image, masks = scene(200, 300, 4)
    args = (masks, ["a", "b", "c", "d"], [0.1, 0.2, 0.3, 0.4])
    layer = mask_layer(*args)
    assert (layer.mode, layer.size) == ("RGBA", (300, 200))
    assert np.asarray(layer)[..., 3].min() == 0
    base = Image.fromarray(image).convert("RGBA")
    base.alpha_composite(layer)
    difference = np.asarray(base)[..., :3].astype(int) - np.asarray(overlay(image, *args))
    assert np.abs(difference).max() <= 3


def test_a_box_is_drawn_only_where_the_mask_is_empty() -> None:
    image = np.full((100, 100, 3), 100, np.uint8)
    masks = np.zeros((2, 100, 100), np.bool_)
    masks[0, 10:40, 10:40] = True
    boxes = np.array([[5, 5, 90, 45], [20, 60, 140, 90]], np.float32)
    drawn = np.asarray(overlay(image, masks, ["", ""], [], boxes))
    np.testing.assert_array_equal(drawn[60, 50], palette(2)[1])  # its top edge
    np.testing.assert_array_equal(drawn[75, 60], (100, 100, 100))  # nothing inside
    np.testing.assert_array_equal(drawn[5, 70], (100, 100, 100))  # nothing for the box of a mask with pixels


def test_the_same_input_gives_the_same_bytes() -> None:
    image, masks = scene(150, 200, 5)
    args = (masks, ["a", "dog", "ß", "犬", "e"], [0.5, 0.5, 0.2, 0.9, 0.1])
    assert overlay(image, *args).tobytes() == overlay(image.copy(), *args).tobytes()
    first = card(image, *args, None, clip(), [("dog", 0.5)], "title").tobytes()
    text_module.set_line.cache_clear()
    text_module._font.cache_clear()
    assert card(image, *args, None, clip(), [("dog", 0.5)], "title").tobytes() == first


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"image": np.zeros((8, 9, 3), np.float32)}, ImageError, "uint8"),
        ({"image": np.zeros((8, 9), np.uint8)}, ImageError, "height, width, 3"),
        ({"image": np.zeros((0, 9, 3), np.uint8)}, ImageError, "no pixels"),
        ({"image": [[0]]}, ImageError, "list"),
        ({"masks": np.zeros((1, 8, 9), np.uint8)}, ContractError, "bool"),
        ({"masks": np.zeros((8, 9), np.bool_)}, ContractError, "N, H, W"),
        ({"masks": np.zeros((1, 9, 8), np.bool_)}, ContractError, "height and width of the image"),
        ({"phrases": "d"}, ContractError, "phrases"),
        ({"phrases": ["a", "b"]}, ContractError, "phrases"),
        ({"phrases": [None]}, ContractError, "phrases"),
        ({"scores": [0.1, 0.2]}, ContractError, "scores"),
        ({"scores": [float("nan")]}, ContractError, "scores"),
        ({"scores": ["high"]}, ContractError, "scores"),
        ({"boxes": np.zeros((2, 4))}, ContractError, "boxes_xyxy"),
        ({"clip": np.zeros((1, 16))}, AudioError, "AudioClip"),
        ({"heard": [("dog", float("inf"))]}, ContractError, "heard"),
        ({"heard": [("dog", "loud")]}, ContractError, "heard"),
        ({"heard": ["dog"]}, ContractError, "heard"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(change: dict[str, Any], error: type, says: str) -> None:
    good: dict[str, Any] = {
        "image": np.zeros((8, 9, 3), np.uint8),
        "masks": np.zeros((1, 8, 9), np.bool_),
        "phrases": ["dog"],
        "scores": [0.5],
        "boxes": None,
    }
    with pytest.raises(error, match=says) as caught:
        card(**{**good, "clip": clip(), "heard": [], **change})
    assert "\n" not in str(caught.value)
    if change.keys() <= good.keys():
        with pytest.raises(error, match=says):
            overlay(*{**good, **change}.values())
