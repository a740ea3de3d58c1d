"""Regions of an image: crops with a margin, and all but one region blurred."""

from __future__ import annotations

import numpy as np
import pytest
from image_files import noise_image
from PIL import Image

from zsavs.errors import ImageError
from zsavs.media.regions import box_iou, crop_with_margin, highlight, tight_box


def test_crop_adds_a_margin_and_stays_in_the_image():
    image = noise_image(100, 200)
    np.testing.assert_array_equal(crop_with_margin(image, (50, 20, 100, 40)), image[18:42, 45:105])
    np.testing.assert_array_equal(crop_with_margin(image, (50.5, 20.2, 99.5, 39.8), 0), image[20:40, 50:100])
    np.testing.assert_array_equal(crop_with_margin(image, (-50, -20, 30, 10), 0), image[:10, :30])
    np.testing.assert_array_equal(crop_with_margin(image, (0, 0, 200, 100), 0.5), image)


@pytest.mark.parametrize(
    ("box", "pixel"),
    [
        ((5.2, 7.2, 5.2, 7.2), (7, 5)),
        ((5, 7, 5, 7), (7, 5)),
        ((500, 600, 700, 800), (9, 19)),
        ((-9, -9, -5, -5), (0, 0)),
        ((20, 10, 20, 10), (9, 19)),
    ],
)
def test_a_crop_has_at_least_one_pixel(box, pixel):
    image = noise_image(10, 20)
    np.testing.assert_array_equal(crop_with_margin(image, box, 0), image[pixel][None, None])


def test_a_crop_does_not_hold_on_to_the_image():
    image = noise_image(10, 10)
    crop = crop_with_margin(image, (1, 1, 5, 5))
    assert crop.flags.owndata
    assert crop.flags.c_contiguous


@pytest.mark.parametrize("box", [(0, 0, 1), (3, 0, 1, 1), (0, 3, 1, 1), (0, 0, np.nan, 1), (0, 0, np.inf, 1)])
def test_what_is_no_box(box):
    for use in (crop_with_margin, highlight):
        with pytest.raises(ImageError, match="box"):
            use(noise_image(5, 5), box)


def test_a_negative_margin_is_refused():
    with pytest.raises(ImageError, match="margin"):
        crop_with_margin(noise_image(5, 5), (0, 0, 1, 1), -0.1)


def test_highlight_keeps_the_region_and_blurs_the_rest():
    image = noise_image(120, 160)
    seen = highlight(image, (40.2, 30.7, 80, 60))
    np.testing.assert_array_equal(seen[30:60, 40:80], image[30:60, 40:80])
    outside = np.ones((120, 160), bool)
    outside[30:60, 40:80] = False
    assert seen[outside].std() < 0.1 * image[outside].std()
    assert abs(seen[outside].mean() - image[outside].mean()) < 2


def test_highlight_leaves_no_halo():
    """A bright object on a dark ground: around it the blur is brighter than the ground, not darker."""
    image = np.full((90, 90, 3), 100, np.uint8)
    image[30:60, 30:60] = 250
    seen = highlight(image, (30, 30, 60, 60))
    ring = seen[28, 30:60]
    assert ring.min() > 110
    flat = highlight(np.full((90, 90, 3), 100, np.uint8), (30, 30, 60, 60))
    assert (flat == 100).all()


def test_highlight_by_mask():
    image = noise_image(60, 80)
    box = (10, 20, 30, 50)
    mask = np.zeros((60, 80), bool)
    mask[20:50, 10:30] = True
    by_box = highlight(image, box)
    np.testing.assert_array_equal(highlight(image, mask=mask), by_box)
    np.testing.assert_array_equal(highlight(image, mask=mask.astype(np.float32)), by_box)
    np.testing.assert_array_equal(highlight(image, mask=np.ones((60, 80), bool)), image)
    blurred = highlight(image, mask=np.zeros((60, 80), bool))
    half = highlight(image, mask=np.full((60, 80), 0.5, np.float32))
    assert np.abs(half - (image / 2 + blurred / 2)).max() <= 1.5


def test_highlight_blurs_as_much_as_told():
    image = np.zeros((201, 201, 3), np.uint8)
    image[:, 100:] = 255
    corner = (0, 0, 1, 1)
    np.testing.assert_array_equal(highlight(image, corner, sigma=0), image)
    for sigma in (3.0, 10.0):
        edge = highlight(image, corner, sigma=sigma)[100, :, 0] / 255
        # One sigma beside the edge a Gaussian blur is at 0.841.
        assert edge[100 + round(sigma)] == pytest.approx(0.841, abs=0.05)
    default = highlight(np.asarray(Image.fromarray(image).resize((224, 224))), corner)[112, :, 0] / 255
    assert default[112 + 11] == pytest.approx(0.841, abs=0.05)


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 50), (2, 2)])
def test_highlight_of_tiny_images(size_hw):
    image = noise_image(*size_hw)
    seen = highlight(image, (0, 0, 1, 1))
    assert seen.shape == image.shape
    np.testing.assert_array_equal(seen[0, 0], image[0, 0])


def test_highlight_does_not_change_what_it_is_given():
    image = noise_image(20, 20)
    before = image.copy()
    highlight(image, (0, 0, 5, 5))[:] = 0
    image.flags.writeable = False
    highlight(image, (0, 0, 5, 5))
    np.testing.assert_array_equal(image, before)


def test_highlight_refuses():
    image = noise_image(5, 5)
    with pytest.raises(ImageError, match="box or a mask"):
        highlight(image)
    with pytest.raises(ImageError, match="box or a mask"):
        highlight(image, (0, 0, 1, 1), mask=np.zeros((5, 5), bool))
    for mask in (np.zeros((4, 5), bool), np.full((5, 5), 2.0), np.full((5, 5), np.nan)):
        with pytest.raises(ImageError, match="mask"):
            highlight(image, mask=mask)
    with pytest.raises(ImageError, match="sigma"):
        highlight(image, (0, 0, 1, 1), sigma=-1)


def test_the_tight_box():
    mask = np.zeros((5, 7), np.bool_)
    mask[1, 2] = mask[3, 5] = True
    assert tight_box(mask) == (2, 1, 6, 4)
    assert tight_box(np.ones((5, 7), np.bool_)) == (0, 0, 7, 5)


def test_overlap_of_boxes_by_hand() -> None:
    boxes = np.array([[0, 0, 4, 4], [2, 0, 6, 4]], np.float32)
    others = np.array([[0, 0, 4, 4], [10, 10, 11, 11], [1, 1, 3, 3]], np.float32)
    assert box_iou(boxes, others) == pytest.approx(np.array([[1, 0, 4 / 16], [8 / 24, 0, 2 / 18]]))
    assert box_iou(boxes[:0], others).shape == (0, 3)
