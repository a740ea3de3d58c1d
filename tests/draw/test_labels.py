"""Label chips: inside the image, apart from each other, at their masks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from drawings import clip, ellipse, placed, scene

from zsavs.draw import card, overlay
from zsavs.draw.colours import PAPER


@pytest.mark.parametrize(("height", "width"), [(855, 640), (360, 640), (64, 64), (200, 1200)])
@pytest.mark.parametrize("count", [1, 3, 8, 60])
def test_labels_stay_inside_and_never_cover_each_other(height: int, width: int, count: int) -> None:
    for seed in range(1 if count == 60 else 3):
        _, masks = scene(height, width, count, seed)
        phrases = [("dog", "a siren far away", "x" * 80)[i % 3] for i in range(count)]
        labels = placed(masks, phrases, np.linspace(0, 1, count).tolist())
        assert len(labels) >= min(count, 3 if height > 64 else 1)
        for label in labels:
            x0, y0, x1, y1 = label.box
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height
        for a, b in itertools.combinations([label.box for label in labels], 2):
            assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
        assert sum(label.chip[..., 3].size for label in labels) <= 0.35 * height * width


def test_labels_sit_at_their_masks_and_the_surest_is_placed_first() -> None:
    masks = np.stack([ellipse(400, 600, x, 200, 60, 80) for x in (100, 300, 500)])
    labels = placed(masks, ["a", "b", "c"], [0.2, 0.9, 0.5])
    assert [label.index for label in labels] == [1, 2, 0]
    for label in labels:
        x0, y0, x1, y1 = label.box
        assert abs((x0 + x1) / 2 - (100, 300, 500)[label.index]) < 5
        assert 100 < y1 <= 120  # just above the mask, which starts in row 120
        assert y0 > 70


def test_a_label_avoids_another_mask() -> None:
    masks = np.zeros((2, 400, 400), np.bool_)
    masks[0, 150:250, 150:250] = True
    masks[1, 40:149, 100:300] = True  # right above the first one
    label = next(label for label in placed(masks, ["dog", "cat"], [0.9, 0.1]) if label.index == 0)
    assert label.box[1] >= 250  # so it goes below


def test_type_grows_with_the_image_and_tiny_images_have_none() -> None:
    heights = []
    for size in (64, 640, 3000):
        mask = np.zeros((1, size, size), np.bool_)
        mask[0, size // 3 : size // 2, size // 3 : size // 2] = True
        heights.append(placed(mask, ["dog"], [0.87])[0].chip.shape[0])
    assert 12 <= heights[0] < heights[1] < heights[2]
    assert 3.5 < heights[2] / heights[1] < 6
    for shape in ((1, 1), (1, 5000), (5000, 1), (20, 20)):
        assert placed(np.ones((1, *shape), np.bool_), ["dog"], [0.87]) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (2, 3)])
def test_odd_shapes_are_drawn(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 90, np.uint8)
    masks = np.ones((2, *shape), np.bool_)
    masks[1, shape[0] // 2 :] = False
    drawn = overlay(image, masks, ["dog", "cat"], [0.9, 0.8], np.array([[0, 0, 1, 1], [9, 9, 9, 9]]))
    assert drawn.size == (shape[1], shape[0])
    assert (np.asarray(drawn) != image).any()
    assert 1000 <= card(image, masks, ["dog", "cat"], [], None, clip(0.01), [("dog", 1.0)]).width <= 1400


HOSTILE = {
    "empty": "",
    "blank": " \u00a0\u3000",
    "control": "\n\t\x00\x1b[31m",
    "emoji": "dog 🐶👩‍👩‍👧",
    "right to left": "שלום עולם",
    "bidi override": "\u202edog\u202c",
    "no font": "鳥のさえずり ไทย",
    "surrogate": "dog \ud800",
    "stacked marks": "z" + "\u0301" * 200,
    "200 characters": "barking " * 25,
    "one long word": "x" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_labels_are_drawn(name: str) -> None:
    label = HOSTILE[name]
    image, _ = scene(200, 300, 0)
    masks = ellipse(200, 300, 150, 120, 50, 40)[None]
    for scores in ([], [0.5]):
        assert overlay(image, masks, [label], scores).size == (300, 200)
    page = np.asarray(card(image, masks, [label], [0.5], None, clip(), [(label, 0.5)], title=label))
    for edge in (page[:30], page[-40:], page[:, :40], page[:, -40:]):  # nothing runs into the margins
        assert (edge == PAPER).all()


def test_a_long_phrase_is_cut_and_keeps_its_score_and_no_word_leaves_no_chip() -> None:
    masks = ellipse(400, 600, 300, 200, 90, 90)[None]
    (long,) = placed(masks, ["barking " * 25], [0.87])
    assert 0.3 * 600 < long.chip.shape[1] < 0.55 * 600
    assert placed(masks, [""], []) == []
    assert placed(masks, ["\n\u200b"], []) == []
    (score_only,) = placed(masks, [""], [0.87])
    (short,) = placed(masks, ["dog"], [0.87])
    assert score_only.chip.shape[1] < short.chip.shape[1]
