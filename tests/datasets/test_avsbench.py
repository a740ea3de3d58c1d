"""S4 and MS3 are read as they are distributed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fixtures_datasets import STEP, make_ms3, make_s4
from PIL import Image

from zsavs.datasets import Dataset
from zsavs.datasets.avsbench import MS3, S4
from zsavs.errors import AudioError, ImageError, InputError, UnknownName
from zsavs.media import audio_file


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("avsbench")
    return root, {"s4": make_s4(root), "ms3": make_ms3(root)}


@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("reader", [S4, MS3])
def test_every_frame_is_read_as_it_was_written(tree, reader, split):
    root, manifest = tree
    dataset = reader(root, split=split)
    videos = [video for video in manifest[reader.name]["items"] if video["split"] == split]
    wanted = [f"{video['id']}/{k + 1}" for video in videos for k in range(len(video["areas"]))]
    assert list(dataset) == wanted
    assert list(dataset) == wanted  # a second pass gives the same
    assert len(dataset) == len(wanted)
    assert dataset.group_count() == len(videos)
    for video in videos:
        for k, area in enumerate(video["areas"]):
            sample, target = dataset.load(f"{video['id']}/{k + 1}")
            assert list(sample.size_hw) == video["size"]
            assert list(target.size_hw) == video["size"]
            assert target.mask.sum() == area
            assert target.labels is None
            assert (target.frame, target.group) == (k, video["id"])
            assert sample.audio.duration_s == pytest.approx(1)


def test_train_has_a_mask_for_the_first_frame_only(tree):
    assert [item[-2:] for item in S4(tree[0], split="train")] == ["/1"]
    assert len(MS3(tree[0], split="train")) == 5


def test_category_and_class_of_s4(tree):
    target = S4(tree[0]).load("dog_barking/_underscore4/2").target
    assert (target.category, target.sources, target.video_id) == ("dog_barking", ("dog",), "_underscore4")


def test_one_name_in_two_categories_is_two_videos(tree):
    dataset = S4(tree[0])
    one, other = dataset.load("dog_barking/_underscore4/1"), dataset.load("male_speech/_underscore4/1")
    assert not np.array_equal(one.sample.image, other.sample.image)
    assert one.sample.name != other.sample.name


def test_a_frame_without_sound_in_view_has_an_empty_mask(tree):
    assert not S4(tree[0]).load("playing_violin/plain0vid005/4").target.mask.any()


def test_foreground_of_1_is_foreground(tree):
    root, manifest = tree
    item = next(item for item in manifest["s4"]["items"] if item["split"] == "val")
    assert S4(root, split="val").load(f"{item['id']}/1").target.mask.sum() == item["areas"][0] > 0


def test_foreground_of_odd_palette_indices_is_foreground(tree):
    root, manifest = tree
    item = next(item for item in manifest["ms3"]["items"] if item["id"].startswith("d"))
    path = root / f"avsbench_data/Multi-sources/ms3_data/gt_masks/test/{item['id']}/{item['id']}_4.png"
    with Image.open(path) as image:
        assert image.mode == "P"
        assert set(np.unique(image)) == {0, 7}
    assert MS3(root).load(f"{item['id']}/4").target.mask.sum() == item["areas"][3] > 0


@pytest.mark.parametrize("k", range(1, 6))
def test_a_frame_comes_with_exactly_its_own_second(tree, k):
    root, manifest = tree
    video = next(item for item in manifest["s4"]["items"] if item["id"] == "helicopter/-dash_vid003")
    clip = S4(root).load(f"{video['id']}/{k}").sample.audio
    assert clip.waveform.shape == (2, 8000)
    level = (video["base"] + k) * STEP
    assert np.array_equal(np.unique(clip.waveform[0]), [level])
    assert np.array_equal(np.unique(clip.waveform[1]), [-level / 2])


def test_a_recording_that_ends_early_gives_its_last_whole_second(tree):
    root, manifest = tree
    base = next(item for item in manifest["s4"]["items"] if item["id"] == "dog_barking/_underscore4")["base"]
    clip = S4(root).load("dog_barking/_underscore4/5").sample.audio
    assert clip.duration_s == pytest.approx(1)
    steps = np.round(clip.waveform[0] / STEP).astype(int) - base
    assert (steps == 4).sum() == 800  # 0.1 s of second 4, as the audio ends at 4.9 s
    assert (steps == 5).sum() == 7200


@pytest.mark.parametrize(("k", "steps"), [(1, {1, 2, 3}), (3, {2, 3, 4}), (5, {3, 4, 5})])
def test_a_longer_context_has_the_second_in_its_middle_and_stays_inside(tree, k, steps):
    clip = MS3(tree[0], context_s=3.0).load(f"-cTest0003_2/{k}").sample.audio
    assert clip.duration_s == pytest.approx(3)
    assert set((np.round(clip.waveform[0] / STEP).astype(int) - 20).tolist()) == steps


def test_the_whole_recording_is_one_object_for_all_frames(tree):
    dataset = MS3(tree[0], context_s=math.inf)
    first, last = (dataset.load(f"-cTest0003_2/{k}").sample.audio for k in (1, 5))
    assert first is last
    assert first.duration_s == pytest.approx(5)


@pytest.mark.parametrize("context_s", [0, -1, math.nan])
def test_a_context_must_be_above_zero(tree, context_s):
    with pytest.raises(InputError, match="context_s"):
        S4(tree[0], context_s=context_s)


def test_a_recording_is_decoded_once_for_its_frames(tree, monkeypatch):
    decoded = []
    load = audio_file.load_audio
    monkeypatch.setattr("zsavs.datasets.audio.load_audio", lambda path: decoded.append(path) or load(path))
    dataset = S4(tree[0])
    for item in dataset:
        dataset.load(item)
    assert len(decoded) == dataset.group_count() == 4


@pytest.mark.parametrize("place", ["", "avsbench_data", "avsbench_data/Single-source"])
def test_the_folder_may_be_named_at_several_levels(tree, place):
    assert len(S4(tree[0] / place)) == 20


@pytest.mark.parametrize("reader", [S4, MS3])
def test_readers_are_data_sets(tree, reader):
    dataset = reader(tree[0])
    assert isinstance(dataset, Dataset)
    assert dataset.suite == "avsbench"


def test_a_wrong_folder_is_told_what_was_expected_and_what_is_there(tmp_path):
    (tmp_path / "holiday_photos").mkdir()
    with pytest.raises(InputError, match=r"s4_meta_data\.csv.*found holiday_photos"):
        S4(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        S4(tmp_path / "nowhere")


def test_an_unknown_split_names_the_splits(tree):
    with pytest.raises(UnknownName, match="test, train, val"):
        S4(tree[0], split="tset")


@pytest.mark.parametrize("item", ["nobody/1", "-cTest0003_2/0", "-cTest0003_2/6", "-cTest0003_2/x", "-cTest0003_2"])
def test_an_unknown_item_is_refused(tree, item):
    dataset = MS3(tree[0])
    with pytest.raises(InputError, match="there is no item"):
        dataset.load(item)
    with pytest.raises(InputError, match="there is no item"):
        dataset.files(item)


def test_a_missing_or_broken_file_names_itself_and_leaves_the_others_alone(tmp_path):
    make_ms3(tmp_path)
    dataset = MS3(tmp_path)
    image, audio, mask = dataset.files("-cTest0003_2/1")
    content = mask.read_bytes()
    mask.write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError, match=mask.name):
        dataset.load("-cTest0003_2/1")
    mask.unlink()
    with pytest.raises(ImageError, match=mask.name):
        dataset.load("-cTest0003_2/1")
    mask.write_bytes(content)
    image.unlink()
    with pytest.raises(ImageError, match=r"mp4_1\.png"):
        dataset.load("-cTest0003_2/1")
    assert dataset.load("-cTest0003_2/2").sample.image.any()
    audio.unlink()
    with pytest.raises(AudioError, match=audio.name):
        MS3(tmp_path).load("-cTest0003_2/2")


def test_a_mask_of_another_size_than_its_frame_is_refused(tmp_path):
    make_ms3(tmp_path)
    dataset = MS3(tmp_path)
    Image.new("L", (31, 30)).save(dataset.files("-cTest0003_2/1")[2])
    with pytest.raises(InputError, match=r"31x30 .* 30x30"):
        dataset.load("-cTest0003_2/1")


def test_a_list_without_its_columns_or_with_short_rows_is_refused(tmp_path):
    make_s4(tmp_path)
    table = tmp_path / "avsbench_data/Single-source/s4_meta_data.csv"
    table.write_text("name,start,category\nabc,1,dog_barking\n")
    with pytest.raises(InputError, match=r"column 'split'.*found name, start, category"):
        S4(tmp_path)
    table.write_text("name,start,category,split\nabc,1\n")
    with pytest.raises(InputError, match="line 2: expected 4 columns, found 2"):
        S4(tmp_path)
    table.write_text("name,start,category,split\n\nabc,1,dog_barking,train\n")
    with pytest.raises(InputError, match="no video of the split 'test'"):
        S4(tmp_path)
    table.write_bytes("name,start,category,split\nabc,1,\xe9,test\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        S4(tmp_path)


def test_a_row_listed_twice_counts_once_and_is_reported(tmp_path, caplog):
    make_s4(tmp_path)
    table = tmp_path / "avsbench_data/Single-source/s4_meta_data.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines, lines[-1]]) + "\n")
    assert len(S4(tmp_path)) == 20
    assert "listed twice" in caplog.text
