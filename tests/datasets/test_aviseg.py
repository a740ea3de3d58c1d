"""AVISeg is read as it is distributed: a list of videos, categories and instances, frames and audio files."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from fixtures_datasets import STEP
from fixtures_videos import make_aviseg

from zsavs.datasets.aviseg import AVISeg
from zsavs.datasets.check import check
from zsavs.errors import AudioError, ImageError, InputError, MissingExtra, UnknownName
from zsavs.metrics import suites


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("aviseg")
    return root, make_aviseg(root)


def rectangle(box, size):
    x0, y0, x1, y1 = box
    mask = np.zeros(size, np.bool_)
    mask[y0:y1, x0:x1] = True
    return mask


def read_as_written(root, manifest, split):
    """Compare every frame of a split with what was written."""
    dataset = AVISeg(root, split=split)
    wanted = [video for video in manifest["items"] if video["split"] == split]
    assert list(dataset) == [f"{video['id']}/{k}" for video in wanted for k in range(len(video["frames"]))]
    assert (len(dataset), dataset.group_count()) == (sum(len(v["frames"]) for v in wanted), len(wanted))
    assert dataset.classes == tuple(manifest["classes"])
    for video in wanted:
        for k, frame in enumerate(video["frames"]):
            item = f"{video['id']}/{k}"
            sample, target = dataset.load(item)
            assert list(sample.size_hw) == list(target.size_hw) == video["size"]
            instances = dataset.instances(item)
            assert [(i.track, i.label) for i in instances] == [(i["track"], i["label"]) for i in frame]
            labels = np.zeros(video["size"], np.uint8)
            for instance, written in zip(instances, frame, strict=True):
                mask = rectangle(written["box"], video["size"])
                assert np.array_equal(instance.mask, mask)
                labels[mask] = dataset.classes.index(written["label"])  # the violin, the smallest, is written last
            assert np.array_equal(target.labels, labels)
            assert np.array_equal(target.mask, labels > 0)
            assert target.sources == tuple(instance["label"] for instance in frame)
            assert (target.frame, target.video_id, target.group) == (k, video["id"], video["id"])
            assert dataset.moment(item) == (video["id"], k)
            steps = (sample.audio.waveform[0] / STEP).round().astype(int)
            assert set(steps.tolist()) == {video["base"] + k + 1}
            image, audio, table = dataset.files(item)
            assert image.relative_to(root).as_posix() == f"datasets/{split}/JPEGImages/{video['files'][k]}"
            assert audio.relative_to(root).as_posix() == f"datasets/{split}/WAVAudios/{video['id']}.wav"
            assert table == root / "datasets" / f"{split}.json"


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_every_instance_is_read_as_it_was_written(tree, split):
    read_as_written(*tree, split)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_polygons_are_filled_as_in_the_published_evaluation(tmp_path, split):
    pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed (zsavs[coco])")
    read_as_written(tmp_path, make_aviseg(tmp_path, polygons=True), split)


def test_an_instance_may_have_several_polygons(tmp_path):
    pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed (zsavs[coco])")
    root = changed(tmp_path, "annotations", 0, segmentations=[SQUARES, [[1, 1, 2, 2]], [], None], polygons=True)
    dataset = AVISeg(root)
    wanted = rectangle((1, 2, 5, 6), (24, 40)) | rectangle((20, 10, 28, 20), (24, 40))
    assert np.array_equal(dataset.instances("00000768/0")[0].mask, wanted)
    # A line is no area, and the violin is still there.
    assert [i.label for i in dataset.instances("00000768/1")] == ["person", "violin"]
    assert dataset.instances("00000768/2") == ()


#: Two polygons of an instance.
SQUARES = [[1, 2, 5, 2, 5, 6, 1, 6], [20.0, 10.0, 28.0, 10.0, 28.0, 20.0, 20.0, 20.0]]


def test_polygons_need_an_extra_and_run_lengths_do_not(tmp_path, monkeypatch):
    make_aviseg(tmp_path / "polygons", polygons=True)
    make_aviseg(tmp_path / "run lengths")
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(MissingExtra, match=r'test\.json: .* pip install "zsavs\[coco\]"'):
        AVISeg(tmp_path / "polygons")
    dataset = AVISeg(tmp_path / "run lengths")
    assert dataset.load("00000768/1").target.mask.any()


def test_the_folder_itself_or_the_one_above_it_will_do(tree):
    root, _ = tree
    assert list(AVISeg(root / "datasets")) == list(AVISeg(root))


def test_results_are_broken_down_by_what_sounds_in_a_video(tree):
    dataset = AVISeg(tree[0])
    assert {item.split("/")[0]: dataset.load(item).target.category for item in dataset} == {
        "00000768": "person, violin",
        "_87Rxhx-1694963122882": "",
    }


def test_the_targets_suit_suites_of_masks_and_of_labels(tree):
    dataset = AVISeg(tree[0])
    masks, labels = suites.get("avsbench"), suites.get("cavp", num_classes=len(dataset.classes))
    for item in dataset:
        target = dataset.load(item).target
        masks.update(target.mask.astype(np.float32), target.mask)
        labels.update(target.labels, target.labels)
    assert masks.compute()["J"] == 1
    assert (masks.compute()["n_frames"], masks.compute()["n_empty"]) == (7, 4)
    assert labels.compute()["accuracy"] == 1


def test_a_check_finds_the_tree_complete_and_what_is_missing(tmp_path):
    make_aviseg(tmp_path)
    report = check(AVISeg, tmp_path, decode=True)
    assert report.ok
    assert [tuple(split.found) for split in report.splits] == [(2, 1, 0), (2, 1, 1), (7, 2, 4)]
    dataset = AVISeg(tmp_path)
    image, audio, _ = dataset.files("00000768/0")
    image.unlink()
    audio.unlink()
    (test,) = check(AVISeg, tmp_path, split="test").splits
    assert test.missing == 2
    with pytest.raises(ImageError, match=r"00001\.jpg"):
        dataset.load("00000768/0")
    with pytest.raises(AudioError, match=r"00000768\.wav"):
        dataset.load("00000768/1")


# ------------------------------------------------------------------------------------------- damaged
def changed(root, key, place, *, polygons=False, **fields):
    """A tree whose list for "test" has other fields in one of its entries; None for the entry leaves ``key`` out."""
    make_aviseg(root, polygons=polygons)
    path = root / "datasets" / "test.json"
    content = json.loads(path.read_text())
    if place is None:
        del content[key]
    else:
        content[key][place] |= fields
    path.write_text(json.dumps(content))
    return root


@pytest.mark.parametrize(
    ("key", "place", "fields", "message"),
    [
        ("annotations", None, {}, "'annotations'"),
        ("videos", None, {}, "'videos'"),
        ("categories", 0, {"id": "1"}, "no whole number|id and name"),
        ("categories", 0, {"id": 1}, "its own id"),
        ("categories", 0, {"name": "background"}, "its own id"),
        ("categories", 0, {"name": None}, "names"),
        ("videos", 0, {"length": 5}, "4 frames, and a length of 5"),
        ("videos", 0, {"height": 0}, "40x0"),
        ("videos", 0, {"width": 10**9}, "1000000000x24"),
        ("videos", 0, {"file_names": ["a/1.jpg", "b/1.jpg", "a/2.jpg", "a/3.jpg"]}, "one folder"),
        ("videos", 0, {"file_names": ["1.jpg"] * 4}, "one folder"),
        ("videos", 0, {"file_names": [7] * 4}, "video 0"),
        ("videos", 0, {"file_names": ["../a/1.jpg"] * 4}, "leads out"),
        ("videos", 1, {"id": 88}, "listed twice"),
        ("annotations", 1, {"category_id": 77}, "annotation 1"),
        ("annotations", 1, {"segmentations": [None] * 3}, "4 frames"),
        ("annotations", 1, {"segmentations": [{"size": [24, 40], "counts": [959]}] * 4}, "add up to 959"),
        ("annotations", 1, {"segmentations": [{"size": [40, 24], "counts": [960]}] * 4}, "24 rows of 40"),
        ("annotations", 1, {"segmentations": [{"size": [24, 40], "counts": "PPYo0"}] * 4}, "are numbers"),
        ("annotations", 1, {"segmentations": [{"size": [24, 40], "counts": [10**30]}] * 4}, "annotation 1"),
        ("annotations", 1, {"segmentations": ["mask.png"] * 4}, "no list of polygons"),
        ("annotations", 1, {"segmentations": [[1, 2, 3, 4, 5, 6]] * 4}, "no list of polygons"),
        ("annotations", 1, {"segmentations": [[[1, 2, 3, 4, 5, 1e300]]] * 4}, "no list of polygons"),
        ("annotations", 1, {"segmentations": [[[1, 2, 3, "four", 5, 6]]] * 4}, "annotation 1"),
        ("annotations", 1, {"segmentations": [[[0, 0, 90_000, 0] * 60]] * 4}, "more than 10000000 pixels"),
    ],
)
def test_a_list_that_cannot_be_is_refused_with_its_name(tmp_path, key, place, fields, message):
    root = changed(tmp_path, key, place, **fields)
    with pytest.raises(InputError, match=message) as caught:
        AVISeg(root)
    assert str(root / "datasets" / "test.json") in str(caught.value)
    assert len(str(caught.value)) < 700


def test_instances_of_videos_that_are_not_listed_are_left_out(tmp_path, caplog):
    dataset = AVISeg(changed(tmp_path, "annotations", 0, video_id=12345))
    assert [i.label for i in dataset.instances("00000768/0")] == ["violin"]
    assert "1 annotations are of no video" in caplog.text


def test_frames_of_another_size_than_the_list_says_are_refused(tmp_path):
    make_aviseg(tmp_path)
    dataset = AVISeg(tmp_path)
    image, other = dataset.files("00000768/0")[0], dataset.files("_87Rxhx-1694963122882/0")[0]
    image.write_bytes(other.read_bytes())
    with pytest.raises(InputError, match=r"00001\.jpg: 28x36 pixels, while .*test\.json has 40x24"):
        dataset.load("00000768/0")


def test_what_is_not_there_is_said(tree, tmp_path):
    with pytest.raises(UnknownName, match="test_s"):
        AVISeg(tree[0], split="test_s")
    with pytest.raises(InputError, match=r"expected .*test\.json"):
        AVISeg(tmp_path)
    for item in ("00000768/4", "00000768", "elsewhere/0"):
        with pytest.raises(InputError, match="there is no item"):
            AVISeg(tree[0]).instances(item)
