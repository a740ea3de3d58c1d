"""IS3, the lists of SSLalignment and flat folders are read as they are distributed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fixtures_datasets import IS3_SPELLINGS, make_folder, make_is3, make_localisation, make_ms3, make_s4
from PIL import Image

from zsavs.datasets.folder import Folder
from zsavs.datasets.is3 import IS3
from zsavs.datasets.localisation import (
    LocalisationIS3,
    LocalisationMS3,
    LocalisationS4,
    LocalisationVPOMS,
    LocalisationVPOSS,
)
from zsavs.datasets.masks import read_mask
from zsavs.errors import ImageError, InputError, UnknownName
from zsavs.metrics.localisation_suites import group_of

LISTS = [LocalisationIS3, LocalisationS4, LocalisationMS3, LocalisationVPOSS, LocalisationVPOMS]


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    root = tmp_path_factory.mktemp("localisation")
    trees = make_s4(root), make_ms3(root), make_is3(root, "synthetic3241")
    return root, make_localisation(root, *trees)


# ------------------------------------------------------------------------------------------------ IS3
@pytest.mark.parametrize("spelling", IS3_SPELLINGS)
@pytest.mark.parametrize("inside", [True, False])
def test_is3_is_read_by_either_spelling(tmp_path, spelling, inside):
    items = make_is3(tmp_path, spelling)["items"]
    dataset = IS3(tmp_path / spelling if inside else tmp_path)
    assert list(dataset) == sorted(item["id"] for item in items)
    assert (len(dataset), dataset.group_count()) == (6, 3)
    for item in items:
        sample, target = dataset.load(item["id"])
        assert list(sample.size_hw) == item["size"]
        assert target.size_hw == (224, 224)
        assert target.mask.sum() == pytest.approx(4 * item["area"], rel=0.02)
        assert (target.group, target.category, target.sources) == (item["group"], item["category"], (item["category"],))
        assert sample.audio.duration_s == item["seconds"]


def test_groups_of_is3_end_at_the_last_underscore(tmp_path):
    make_is3(tmp_path, "IS3")
    dataset = IS3(tmp_path)
    pair = [dataset.load(name).target for name in ("fox_train_subway", "fox_train_fox")]
    assert [target.group for target in pair] == ["fox_train", "fox_train"]
    assert [target.category for target in pair] == ["subway", "fox"]
    for item in dataset:  # the metric groups as the reader does
        assert group_of(item) == dataset.load(item).target.group


def test_jpeg_masks_are_thresholded_after_the_resize(tmp_path):
    make_is3(tmp_path, "IS3")
    dataset = IS3(tmp_path)
    item = "accordion_baby_10467_baby"
    path = dataset.files(item)[2]
    with Image.open(path) as image:
        assert len(np.unique(image)) > 2  # JPEG has blurred the edges: 255 is not all there is
    ramp = np.linspace(0, 255, 50).astype(np.uint8)[None].repeat(20, axis=0)
    Image.fromarray(ramp).save(path, quality=60)
    with Image.open(path) as image:
        after = np.asarray(image.resize((224, 224), Image.Resampling.BICUBIC)) >= 128
        before = np.asarray(image.point(lambda value: 255 * (value >= 128)).resize((224, 224)))
    assert np.array_equal(dataset.load(item).target.mask, after)
    assert not np.array_equal(before >= 128, after)


def test_masks_keep_the_size_of_the_image_on_request(tmp_path):
    items = make_is3(tmp_path, "IS3")["items"]
    target = IS3(tmp_path, target_size=None).load(items[0]["id"]).target
    assert target.size_hw == (112, 112)
    assert target.mask.sum() == items[0]["area"]
    with pytest.raises(InputError, match="at least 1 pixel"):
        IS3(tmp_path, target_size=0)


def test_a_partial_is3_is_refused(tmp_path):
    make_is3(tmp_path, "IS3")
    (tmp_path / "IS3/audio_waw/fox_train_fox.wav").unlink()
    with pytest.raises(InputError, match="audio_waw: nothing for 1 of 6 images, first 'fox_train_fox'"):
        IS3(tmp_path)
    with pytest.raises(InputError, match="expected visual_frames/ or images/"):
        IS3(tmp_path / "IS3" / "images")


# ----------------------------------------------------------------------------------------------- lists
@pytest.mark.parametrize("reader", LISTS)
def test_lists_with_foreign_paths_are_read(lists, reader):
    root, manifest = lists
    dataset, items = reader(root), manifest[reader.name]
    assert list(dataset) == [item["id"] for item in items]
    assert dataset.group_count() == len({item["group"] for item in items})
    for item in items:
        sample, target = dataset.load(item["id"])
        assert list(sample.size_hw) == item["size"]
        assert target.size_hw == (224, 224)
        scale = 224 * 224 / np.prod(item["size"])
        assert target.mask.sum() == pytest.approx(scale * item["area"], rel=0.1, abs=4 * scale * (item["area"] > 0))
        assert (target.group, target.frame) == (item["group"], item.get("frame", 0))
        assert sample.audio.duration_s == pytest.approx(item["seconds"])
        native = reader(root, target_size=None).load(item["id"]).target
        assert native.mask.sum() == pytest.approx(item["area"], rel=0.05)


@pytest.mark.parametrize("reader", LISTS)
def test_boxes_are_painted_without_their_last_row_and_column(lists, reader):
    root, manifest = lists
    dataset = reader(root, truth="box")
    for item in manifest[reader.name]:
        x0, y0, x1, y1 = item["box"]
        mask = dataset.load(item["id"]).target.mask
        assert mask.shape == (224, 224)
        assert mask.sum() == (x1 - x0) * (y1 - y0)
        if mask.any():
            ys, xs = np.nonzero(mask)
            assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == (x0, y0, x1, y1)


def test_a_box_of_zeros_is_an_empty_target(lists):
    root, manifest = lists
    empty = next(item for item in manifest["ssl_ms3"] if item["box"] == [0, 0, 0, 0])
    assert not LocalisationMS3(root, truth="box").load(empty["id"]).target.mask.any()
    assert empty["area"] == 0


def test_names_of_ms3_are_not_cut_at_their_first_dot(lists):
    root, _ = lists
    assert "dTest_0004_7/dTest_0004_7.mp4_5" in LocalisationMS3(root)
    assert LocalisationMS3(root).load("dTest_0004_7/dTest_0004_7.mp4_5").target.video_id == "dTest_0004_7"


def test_frames_of_a_video_are_a_group_and_so_are_objects_of_a_image(lists):
    root, _ = lists
    s4 = LocalisationS4(root)
    target = s4.load("male_speech/_underscore4/_underscore4_2").target
    assert (target.group, target.frame, target.category) == ("male_speech/_underscore4/_underscore4", 1, "male_speech")
    vpo = LocalisationVPOMS(root)
    assert {vpo.load(item).target.group for item in vpo} == {"000000041772"}


@pytest.mark.parametrize(
    "content", ["{}", "[]", '[{"image": "a.jpg"}]', '[{"image": 3, "audio": "a", "gt_box": "b"}]', '["x"]', "nonsense"]
)
def test_a_file_that_is_no_list_is_refused(tmp_path, content):
    trees = make_s4(tmp_path), make_ms3(tmp_path), make_is3(tmp_path, "synthetic3241")
    make_localisation(tmp_path, *trees)
    (tmp_path / "metadata/vpo_ss_seg.json").write_text(content)
    with pytest.raises(InputError, match=r"vpo_ss_seg\.json"):
        LocalisationVPOSS(tmp_path)
    rows = json.loads((tmp_path / "metadata/vpo_ss_bbox.json").read_text())
    rows[0]["gt_box"] = [1, 2, 3]
    (tmp_path / "metadata/vpo_ss_bbox.json").write_text(json.dumps(rows))
    with pytest.raises(InputError, match="entry 0"):
        LocalisationVPOSS(tmp_path, truth="box")


def test_boxes_have_one_size_and_truths_have_names(lists):
    with pytest.raises(InputError, match="224 x 224"):
        LocalisationIS3(lists[0], truth="box", target_size=None)
    with pytest.raises(UnknownName, match="box, mask"):
        LocalisationIS3(lists[0], truth="boxes")


# ---------------------------------------------------------------------------------------------- folder
@pytest.mark.parametrize("images", ["img", "image"])
def test_a_folder_is_read_by_either_name_of_its_images(tmp_path, images):
    items = make_folder(tmp_path, images)["items"]
    dataset = Folder(tmp_path)
    assert list(dataset) == ["a_dog_1", "b.cat-2", "silent_3"]
    for item in items:
        sample, target = dataset.load(item["id"])
        assert list(sample.size_hw) == list(target.size_hw) == item["size"]
        assert target.mask.sum() == pytest.approx(item["area"], rel=0.05)
        assert sample.audio.duration_s == item["seconds"]
        assert len(sample.audio.waveform) == 2
    assert not dataset.load("silent_3").target.mask.any()
    assert Folder(tmp_path, target_size=224).load("a_dog_1").target.size_hw == (224, 224)


def test_jpeg_is_preferred_and_other_files_are_left_alone(tmp_path):
    make_folder(tmp_path)
    Image.new("RGB", (3, 3)).save(tmp_path / "img/a_dog_1.png")
    for name in (".DS_Store", "._a_dog_1.jpg", "notes.txt"):
        (tmp_path / "img" / name).write_bytes(b"x")
    dataset = Folder(tmp_path)
    assert len(dataset) == 3
    assert dataset.load("a_dog_1").sample.size_hw == (30, 40)


@pytest.mark.parametrize(("lost", "message"), [("wav/b.cat-2.wav", "wav"), ("gt_seg/b.cat-2.jpg", "gt_seg")])
def test_a_image_without_a_partner_is_refused(tmp_path, lost, message):
    make_folder(tmp_path)
    (tmp_path / lost).unlink()
    with pytest.raises(InputError, match=rf"{message}: nothing for 1 of 3 images, first 'b\.cat-2'"):
        Folder(tmp_path)


def test_a_folder_without_its_parts_says_which(tmp_path):
    with pytest.raises(InputError, match="img: no such folder"):
        Folder(tmp_path)
    (tmp_path / "img").mkdir()
    with pytest.raises(InputError, match=r"wav: no such folder; .* holds img"):
        Folder(tmp_path)
    (tmp_path / "wav").mkdir()
    (tmp_path / "gt_seg").mkdir()
    with pytest.raises(InputError, match=r"img: expected files ending in \.jpg.*found nothing"):
        Folder(tmp_path)
    with pytest.raises(UnknownName, match="train"):
        Folder(tmp_path, split="train")


# ----------------------------------------------------------------------------------------------- masks
def test_a_mask_may_have_any_mode_that_shows_it(tmp_path):
    mask = np.zeros((6, 8), np.uint8)
    mask[1:4, 2:7] = 1
    red = np.zeros((6, 8, 3), np.uint8)
    red[..., 0] = 200 * mask
    images = {
        "grey": Image.fromarray(255 * mask),
        "one_bit": Image.fromarray(255 * mask).convert("1"),
        "palette": Image.fromarray(mask).convert("P"),
        "red": Image.fromarray(red),
        "red_on_glass": Image.fromarray(np.dstack([red, 255 * mask])),
        "glass": Image.merge("LA", [Image.fromarray(255 * mask), Image.new("L", (8, 6), 255)]),
    }
    for name, image in images.items():
        image.save(tmp_path / f"{name}.png")
        assert np.array_equal(read_mask(tmp_path / f"{name}.png"), mask == 1), name
        large = read_mask(tmp_path / f"{name}.png", (24, 32))
        assert large.shape == (24, 32)
        assert large.mean() == pytest.approx(mask.mean(), abs=0.06), name


def test_a_mask_that_is_told_by_its_alpha_is_read_by_it(tmp_path):
    """Whatever the colours are, also those that nobody sees."""
    mask = np.zeros((6, 8), np.uint8)
    mask[1:4, 2:7] = 1
    rng = np.random.default_rng(0)
    photograph = rng.integers(0, 256, (6, 8, 3), np.uint8)
    white, black = np.full((6, 8, 3), 255, np.uint8), np.zeros((6, 8, 3), np.uint8)
    ring = np.full((6, 8), 255, np.uint8)
    ring[0, 0] = 0
    soft = 255 * mask
    soft[0, 2:7], soft[1, 2:7] = 40, 200
    images = {
        "all white": np.dstack([white, 255 * mask]),
        "all black": np.dstack([black, 255 * mask]),
        "cut out": np.dstack([photograph * mask[..., None], 255 * mask]),
        "cut out of what is still there": np.dstack([photograph, 255 * mask]),
        "soft edges": np.dstack([photograph, soft]),
        "half transparent": np.dstack([white, 90 * mask]),
        "grey": np.dstack([white[..., 0], 255 * mask]),
        "a corner is missing": np.dstack([255 * np.dstack([mask] * 3), ring]),
        "opaque": np.dstack([255 * np.dstack([mask] * 3), 255 + 0 * mask]),
        "all transparent": np.dstack([255 * np.dstack([mask] * 3), 0 * mask]),
    }
    for name, values in images.items():
        Image.fromarray(values).save(tmp_path / f"{name}.png")
        for any_value in (False, True):
            if name == "soft edges" and any_value:
                continue
            found = read_mask(tmp_path / f"{name}.png", any_value=any_value)
            assert np.array_equal(found, mask == 1), (name, any_value)
        assert read_mask(tmp_path / f"{name}.png", (24, 32)).mean() == pytest.approx(mask.mean(), abs=0.06), name


def test_a_mask_that_would_be_taken_for_empty_is_refused(tmp_path):
    Image.fromarray(np.eye(8, dtype=np.uint8)).save(tmp_path / "ones.png")
    with pytest.raises(ImageError, match="no value above 1"):
        read_mask(tmp_path / "ones.png")
    assert read_mask(tmp_path / "ones.png", any_value=True).sum() == 8
    # In JPEG small values are what is left of black.
    Image.fromarray(np.full((16, 16), 3, np.uint8)).save(tmp_path / "noise.jpg")
    assert not read_mask(tmp_path / "noise.jpg").any()


def test_a_mask_that_is_none_is_refused(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(ImageError, match="mode 'F'"):
        read_mask(tmp_path / "float.tiff")
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(ImageError, match=r"text\.png: the mask cannot be read"):
        read_mask(tmp_path / "text.png")
    with pytest.raises(ImageError, match="no such file"):
        read_mask(tmp_path / "none.png")
