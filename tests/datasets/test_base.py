"""What holds for every data set: a sample tells nothing of its target, and opening one is cheap."""

from __future__ import annotations

import gc
import math
import pickle
import shutil
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from fixtures_datasets import Tree, make_all
from fixtures_videos import make_aviseg, make_ref_avs
from PIL import Image

from zsavs.datasets import Dataset, Target
from zsavs.datasets.aviseg import AVISeg
from zsavs.datasets.avsbench import MS3, S4
from zsavs.datasets.avsbench_robust import RobustMS3, RobustS4
from zsavs.datasets.avss import AVSS, AVSSV1M, AVSSV1S, AVSSV2, AVSSOpenVocabulary, AVSSUnseen
from zsavs.datasets.check import check
from zsavs.datasets.coco_esc import CocoEsc
from zsavs.datasets.folder import Folder
from zsavs.datasets.is3 import IS3
from zsavs.datasets.localisation import (
    LocalisationIS3,
    LocalisationMS3,
    LocalisationS4,
    LocalisationVPOMS,
    LocalisationVPOSS,
)
from zsavs.datasets.ref_avs import RefAVSNull
from zsavs.datasets.vpo import VPOMS, VPOMSMI, VPOSS, VPOMSMIStereo, VPOMSStereo, VPOSSStereo
from zsavs.errors import ContractError
from zsavs.metrics import suites

READERS = [S4, MS3, AVSS, AVSSV1S, AVSSV1M, AVSSV2, AVSSOpenVocabulary, AVSSUnseen, IS3, RobustS4, RobustMS3]
READERS += [VPOSS, VPOSSStereo, VPOMS, VPOMSStereo, VPOMSMI, VPOMSMIStereo, Folder, CocoEsc]
READERS += [AVISeg, RefAVSNull]
READERS += [LocalisationIS3, LocalisationS4, LocalisationMS3, LocalisationVPOSS, LocalisationVPOMS]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("all")
    make_all(root)
    make_aviseg(root)
    make_ref_avs(root)
    return root


def opened(reader, root, **options):
    return reader(root / {Folder: "flat", CocoEsc: "pairs"}.get(reader, ""), **options)


def reachable(thing):
    """Every string and array that can be reached from an object without passing through a module or a class."""
    seen, left, found = set(), [thing], []
    while left:
        here = left.pop()
        if id(here) in seen or isinstance(here, (type, type(sys), type(reachable))):
            continue
        seen.add(id(here))
        if isinstance(here, (str, np.ndarray)):
            found.append(here)
        if isinstance(here, np.ndarray) and here.base is not None:
            left.append(here.base)
        left += gc.get_referents(here)
    return found


@pytest.mark.parametrize("reader", READERS)
def test_a_sample_tells_nothing_of_its_target(root, reader):
    dataset = opened(reader, root)
    names = set()
    for item in dataset:
        sample, target = dataset.load(item)
        names.add(sample.name)
        assert sample.name.startswith(dataset.name + "-")
        told = sample.name.removeprefix(dataset.name) + sample.audio.source
        secrets = {target.category, *target.sources, target.video_id, target.condition, item} - {""}
        assert not [secret for secret in secrets if secret in told]
        masks = [a for a in (target.mask, target.labels) if a is not None]
        for thing in reachable(sample):
            if isinstance(thing, str):
                assert not any(secret in thing.replace(dataset.name, "") for secret in secrets), thing
            else:
                assert not any(np.shares_memory(thing, mask) for mask in masks)
                # Neither the image of another frame nor the rest of the audio is held by it.
                assert thing.nbytes <= max(sample.image.nbytes, sample.audio.waveform.nbytes)
    assert len(names) == len(dataset)


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_keeps_the_protocol(root, reader):
    dataset = opened(reader, root)
    assert isinstance(dataset, Dataset)
    assert dataset.suite in suites.names()
    items = list(dataset)
    assert len(items) == len(set(items)) == len(dataset) > 0
    one, other = dataset.load(items[-1]), opened(reader, root).load(items[-1])
    assert np.array_equal(one.sample.image, other.sample.image)
    assert np.array_equal(one.sample.audio.waveform, other.sample.audio.waveform)
    assert np.array_equal(one.target.mask, other.target.mask)
    assert one.sample.name == other.sample.name
    assert all(path.is_file() for item in items for path in dataset.files(item))
    assert not one.target.mask.flags.writeable
    assert repr(str(dataset.root)) in repr(dataset)


@pytest.mark.parametrize("reader", READERS)
def test_a_data_set_can_be_sent_to_another_process(root, reader):
    dataset = opened(reader, root)
    item = next(iter(dataset))
    dataset.load(item)
    copy = pickle.loads(pickle.dumps(dataset))
    assert list(copy) == list(dataset)
    assert np.array_equal(copy.load(item).target.mask, dataset.load(item).target.mask)


def test_options_are_what_a_data_set_was_made_with_beside_root_and_split(root):
    assert S4(root, split="val", context_s=1.0).options == {}
    assert S4(root, context_s=math.inf).options == {"context_s": "inf"}
    assert AVSSOpenVocabulary(root, target_size=None).options == {"target_size": None}
    assert RobustMS3(root, conditions=("positive", "noise"), seed=7).options == {
        "conditions": ["positive", "noise"],
        "seed": 7,
    }
    with pytest.raises(TypeError, match="colour"):
        S4(root, colour=3)


@pytest.mark.parametrize("reader", READERS)
def test_known_options_are_those_that_it_takes(root, reader):
    defaults = {"audios": None, "metadata": None, "videos": None, "encoding": "auto", "truth": "mask", "seed": 42}
    defaults |= {"context_s": 1.0, "conditions": ["positive"], "named_only": True, "target_size": 224}
    defaults |= {"image_size": 224, "kinds": ["positive"]}
    assert opened(reader, root, **{name: defaults[name] for name in reader.known_options()})


def test_names_are_registered_once():
    assert len({reader.name for reader in READERS}) == len(READERS)


def test_reading_needs_no_torch(root):
    modules = sorted({reader.__module__ for reader in READERS} | {"zsavs.datasets.check"})
    script = f"""
import sys
import {", ".join(modules)}
data = zsavs.datasets.avsbench.S4({str(root)!r})
data.load(next(iter(data)))
assert "torch" not in sys.modules and "pandas" not in sys.modules, "too heavy"
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_long_list_takes_little_memory(tmp_path):
    tree, count = Tree(tmp_path), 20_000
    rows = ([f"video{k:08d}", 0, "dog_barking", "test"] for k in range(count))
    tree.table("s4_meta_data.csv", [["name", "start", "category", "split"], *rows])
    tracemalloc.start()
    dataset = S4(tmp_path)
    first = next(iter(dataset))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert first == "dog_barking/video00000000/1"
    assert len(dataset) == 5 * count
    assert most < 600 * count  # bytes for a video of five frames; an image would be 150 kB


def test_frames_of_a_video_leave_no_recordings_behind(tmp_path):
    tree = Tree(tmp_path)
    rows = [["video_id", "split"], *([f"v{k:02d}", "test"] for k in range(12))]
    tree.table("ms3_meta_data.csv", rows)
    for k in range(12):
        tree.image(f"ms3_data/visual_frames/v{k:02d}/v{k:02d}.mp4_1.png", 8, 8)
        tree.grey(f"ms3_data/gt_masks/test/v{k:02d}/v{k:02d}_1.png", np.ones((8, 8), np.bool_))
        tree.stairs(f"ms3_data/audio_wav/test/v{k:02d}.wav", 5.0, rate=44100)
    dataset = MS3(tmp_path)
    tracemalloc.start()
    for k in range(12):
        dataset.load(f"v{k:02d}/1")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 5 * 5 * 44100 * 4  # four audio files, not twelve


# -------------------------------------------------------------------------------------------- targets
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mask": np.zeros((2, 2))}, "bool"),
        ({"mask": np.zeros(4, np.bool_)}, "bool"),
        ({"mask": np.zeros((2, 2), np.bool_), "labels": np.zeros((2, 3), np.uint8)}, "uint8"),
        ({"mask": np.zeros((2, 2), np.bool_), "labels": np.zeros((2, 2), int)}, "uint8"),
        (
            {"mask": np.zeros((2, 2), np.bool_), "labels": np.full((2, 2), 2, np.uint8), "classes": ("a", "b")},
            "classes",
        ),
    ],
)
def test_a_target_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ContractError, match=message):
        Target(**arguments)


def test_ignored_pixels_are_no_foreground():
    labels = np.array([[0, 1], [255, 2]], np.uint8)
    target = Target.from_labels(labels, ("background", "a", "b"), category="a")
    assert target.mask.tolist() == [[False, True], [False, True]]
    assert (target.category, target.size_hw) == ("a", (2, 2))


# ---------------------------------------------------------------------------------------------- check
def test_a_check_counts_and_compares(root):
    report = check(S4, root, decode=True)
    train, _, test = report.splits
    assert [split.split for split in report.splits] == ["train", "val", "test"]
    assert (train.found.items, train.found.groups) == (1, 1)
    assert tuple(test.found) == (20, 4, 1)
    assert tuple(test.published) == (3700, 740, 6)
    assert not report.ok
    assert "20 of 3700" in str(report)
    assert "complete" in str(report)
    assert report.to_json()["splits"][2]["found"] == {"items": 20, "groups": 4, "empty": 1}
    assert test.full == 0


def test_a_check_counts_full_targets(root, tmp_path):
    """A mask that is read the wrong way is often full."""
    flat = shutil.copytree(root / "flat", tmp_path / "flat")
    masks = sorted((flat / "gt_seg").iterdir())
    size = Image.open(masks[0]).size
    Image.new("L", size, 255).save(masks[0])
    report = check(Folder, flat, decode=True)
    assert report.splits[0].full == 1
    assert report.to_json()["splits"][0]["full"] == 1
    heading, row = str(report).splitlines()[1:3]
    assert heading.split() == ["split", "items", "groups", "empty", "full", "files"]
    assert row.split()[4] == "1"
    assert str(check(Folder, flat)).splitlines()[2].split()[3:5] == ["-", "-"]


def test_a_check_of_a_complete_data_set_is_ok(root):
    seen = []
    report = check(Folder, root / "flat", on_item=lambda: seen.append(1))
    assert report.ok
    assert len(seen) == 3
    assert report.to_json()["ok"] is True
    assert str(report).count("\n") == 2


def test_a_check_names_missing_and_broken_files(tmp_path):
    make_all(tmp_path)
    dataset = MS3(tmp_path)
    image, audio, _ = dataset.files("-cTest0003_2/1")
    image.unlink()
    audio.unlink()
    dataset.files("dTest_0004_7/1")[2].write_bytes(b"broken")
    (test,) = check(MS3, tmp_path, split="test").splits
    assert (test.missing, test.broken) == (2, 0)  # the audio of five frames is one file
    assert any(str(audio) in problem for problem in test.problems)
    report = check(MS3, tmp_path, split="test", decode=True)
    assert (report.splits[0].missing, report.splits[0].broken) == (2, 1)
    assert "2 missing, 1 broken" in str(report)
    assert not report.splits[0].ok


def test_a_check_of_something_else_says_what_was_expected(tmp_path):
    report = check(IS3, tmp_path)
    assert not report.ok
    assert report.splits[0].found.items is None
    assert "expected visual_frames/ or images/" in str(report)
    assert "not opened" in str(report)


def test_counts_that_were_published_must_be_met(tmp_path):
    tree = Tree(tmp_path)
    tree.table("ms3_meta_data.csv", [["video_id", "split"], *([f"v{k}", "test"] for k in range(64))])
    (test,) = check(MS3, tmp_path, split="test").splits
    assert (test.found.items, test.found.groups) == (320, 64)
    assert test.missing == 64 * 11
    assert len(test.problems) == 5
    assert not test.ok
