"""The orchestra in motion: clips and frames as they were written, and clear words about folders that are none."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from motion_clips import FPS, GROUPS, SECONDS, SIZE_HW, write_clips
from PIL import Image

from zsavs.cli.main import main
from zsavs.datasets.check import check
from zsavs.datasets.orchestra_motion import OrchestraMotion
from zsavs.errors import InputError, UnknownName
from zsavs.metrics import suites

FRAMES = FPS * SECONDS


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_clips(tmp_path / "clips")
    return tmp_path / "clips"


def rewrite(root: Path, **changes: Any) -> None:
    """Change entries of the first clip in the list."""
    listing = json.loads((root / "clips.json").read_text())
    listing["clips"][0] |= changes
    (root / "clips.json").write_text(json.dumps(listing))


def test_clips_go_round_the_groups_and_items_are_their_frames(root: Path) -> None:
    dataset = OrchestraMotion(root)
    names = [f"{group}_{number:03d}" for number in range(2) for group in GROUPS]
    assert list(dataset.scripts) == [clip.name for clip in dataset.clips()] == names
    assert list(dataset) == [f"{name}/{frame}" for name in names for frame in range(FRAMES)]
    assert len(dataset) == 8 * FRAMES
    assert dataset.group_count() == 8
    assert dataset.moment("moving_001/7") == ("moving_001", 7)
    assert dataset.classes == ("background", "blue", "red", "yellow")
    assert [path.name for path in dataset.files("moving_001/7")] == [
        f"moving_001{e}" for e in (".webp", ".ogg", ".png")
    ]


def test_frames_are_in_order_and_masks_lie_on_them(root: Path) -> None:
    clip = OrchestraMotion(root).clip("crossing_000")
    assert clip.frames.shape == (FRAMES, *SIZE_HW, 3)
    assert clip.objects.shape == (FRAMES, *SIZE_HW)
    assert (len(clip), clip.fps, clip.script.duration_s) == (FRAMES, FPS, SECONDS)
    centres = [np.argwhere(objects == 1).mean(axis=0)[1] for objects in clip.objects]
    assert np.all(np.diff(centres) > 0), "the first disc goes to the right"
    for frame, objects in zip(clip.frames, clip.objects, strict=True):
        assert np.abs(frame[objects == 1].astype(int) - (220, 40, 40)).max() < 3
        assert np.abs(frame[objects == 0].astype(int) - 128).max() < 20
    assert clip.audio.duration_s == pytest.approx(SECONDS)
    assert not clip.frames.flags.writeable


def test_what_sounds_in_a_frame_is_its_target(root: Path) -> None:
    """Blue sounds from 1 s until 2 s, which are the frames 4 to 7 of four a second."""
    clip = OrchestraMotion(root).clip("crossing_000")
    assert [clip.script.sounding(frame) for frame in (3, 4, 7, 8)] == [(1,), (1, 2), (1, 2), (1,)]
    assert clip.script.times == {"red": ((0.0, 3.0),), "blue": ((1.0, 2.0),)}
    targets = clip.targets
    for frame in range(FRAMES):
        wanted = clip.objects[frame] > 0 if 4 <= frame < 8 else clip.objects[frame] == 1
        assert np.array_equal(targets[frame], wanted)


def test_an_item_is_a_frame_with_the_audio_around_it(root: Path) -> None:
    dataset = OrchestraMotion(root)
    clip = dataset.clip("crossing_000")
    sample, target = dataset.load("crossing_000/5")
    assert np.array_equal(sample.image, clip.frames[5])
    assert np.array_equal(target.mask, clip.target(5))
    assert (target.sources, target.category, target.condition) == (("red", "blue"), "crossing", "positive")
    assert (target.video_id, target.frame, target.group) == ("crossing_000", 5, "crossing_000")
    assert target.labels is not None
    assert {target.classes[i] for i in target.labels[clip.objects[5] == 2]} == {"blue"}
    rate = clip.audio.sample_rate_hz  # a second, the frame's quarter in its middle: from 0.875 s on
    assert np.array_equal(sample.audio.waveform, clip.audio.waveform[:, round(0.875 * rate) :][:, :rate])
    assert "red" not in sample.name
    whole = OrchestraMotion(root, context_s=10.0).load("crossing_000/5").sample.audio
    assert whole.duration_s == pytest.approx(SECONDS)


def test_conditions_say_why_nothing_is_seen_to_sound(root: Path) -> None:
    dataset = OrchestraMotion(root)
    conditions = [dataset.load(f"off_screen_000/{frame}").target.condition for frame in (0, 3, 4, 7, 8)]
    assert conditions == ["offscreen", "offscreen", "silence", "silence", "offscreen"]
    assert [dataset.load(f"silent_00{k}/0").target.condition for k in (0, 1)] == ["noise", "silence"]
    suite = suites.get(OrchestraMotion.suite)
    for item in dataset:
        target = dataset.load(item).target
        assert target.mask.any() == (target.condition == "positive")
        suite.update(target.mask.astype(np.float64), target.mask, condition=target.condition)
    numbers = suite.compute()
    assert (numbers["J"], numbers["FPR_silence"], numbers["n_noise"]) == (1, 0, FRAMES)


def test_a_source_that_is_hidden_is_off_screen(root: Path) -> None:
    path = root / "masks" / "moving_000.png"
    index = np.array(Image.open(path))
    index[SIZE_HW[0] : 2 * SIZE_HW[0], : SIZE_HW[1]] = 0  # frame 4
    Image.fromarray(index).save(path)
    target = OrchestraMotion(root).load("moving_000/4").target
    assert (target.condition, target.sources, target.mask.any()) == ("offscreen", (), False)


def test_groups_are_chosen(root: Path) -> None:
    dataset = OrchestraMotion(root, groups=["silent"])
    assert list(dataset.scripts) == ["silent_000", "silent_001"]
    assert dataset.classes == ("background", "blue", "red", "yellow"), "an id means the same whatever is chosen"
    with pytest.raises(UnknownName, match="quiet"):
        OrchestraMotion(root, groups=["quiet"])


@pytest.mark.parametrize("item", ["moving_000", "moving_000/12", "moving_000/-1", "nothing/0", "moving_000/²"])
def test_other_items_are_refused(root: Path, item: str) -> None:
    with pytest.raises(InputError, match="there is no item"):
        OrchestraMotion(root).load(item)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "../up"}, "no file name"),
        ({"group": "others"}, "unknown group 'others'"),
        ({"name": "moving_001"}, "is there twice"),
        ({"fps": 5}, "'frames' is a multiple of 'fps'"),
        ({"fps": 0}, "'frames' is a multiple of 'fps'"),
        ({"frames": "12"}, "'frames' is a multiple of 'fps'"),
        ({"things": [{"label": "red", "times": []}] * 2}, "a label of its own"),
        ({"off_screen": {"red": [[0, 1]]}}, "a label of its own"),
        ({"things": [{"label": "red", "times": [[2, 1]]}]}, "on < off"),
        ({"things": [{"label": "red"}]}, "it has no 'times'"),
        ({"off_screen": []}, "maps labels to seconds"),
        ({"noise": 1}, "'noise' is not true or false"),
    ],
)
def test_a_list_that_cannot_be_used_is_explained(root: Path, changes: dict[str, Any], told: str) -> None:
    rewrite(root, **changes)
    with pytest.raises(InputError, match=told) as caught:
        OrchestraMotion(root)
    assert "clips.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_of_another_size_are_told(root: Path) -> None:
    mask = root / "masks" / "moving_000.png"
    whole = Image.open(mask)
    whole.crop((0, 0, whole.width - 1, whole.height)).save(mask)
    with pytest.raises(InputError, match=r"moving_000.png: .* pixels, the frames"):
        OrchestraMotion(root).clip("moving_000")
    write_clips(root)
    rewrite(root, fps=FPS - 1, frames=5 * (FPS - 1))
    with pytest.raises(InputError, match=r"moving_000.webp: .* cannot be 3 frames side by side in 5 rows"):
        OrchestraMotion(root).clip("moving_000")


def test_a_value_that_is_no_object_is_told(root: Path) -> None:
    rewrite(root, things=[{"label": "green", "times": []}])
    with pytest.raises(InputError, match="the value 2 stands for no class"):
        OrchestraMotion(root).clip("moving_000")


# --------------------------------------------------------------------------- what ships
def test_the_frozen_clips_are_all_there_and_small() -> None:
    dataset = OrchestraMotion()
    assert sum(path.stat().st_size for path in dataset.shipped.rglob("*") if path.is_file()) < 8e6
    assert len(dataset.scripts) >= 24
    assert {6, 7, 8} >= {script.duration_s for script in dataset.scripts.values()}
    assert check(OrchestraMotion, dataset.shipped).ok
    for clip in dataset.clips():
        script, seen = clip.script, [(clip.objects == i).any(axis=(1, 2)) for i in range(1, 4)]
        sources = [i for i, thing in enumerate(script.things) if thing.times]
        assert clip.audio.duration_s == pytest.approx(script.duration_s, abs=0.01)
        assert all(off - on >= 0.95 for times in script.times.values() for on, off in times)
        pauses = [b[0] - a[1] for t in script.times.values() for a, b in pairwise(t)]
        assert all(pause > 1.4 for pause in pauses)
        if script.group in ("covered", "leaves"):
            gone = ~seen[sources[0]] if script.group == "leaves" else (clip.objects == sources[0] + 1).sum((1, 2)) < 200
            assert gone.sum() >= 3
            assert not gone[[0, -1]].any()
        elif script.group == "seen_long":
            assert seen[sources[0]].all()
            assert sum(off - on for on, off in script.things[sources[0]].times) == pytest.approx(2, abs=0.3)
        elif script.group == "in_turn":
            (first,), (second,) = sorted(script.times.values())
            assert first[1] + 0.5 < second[0]
        elif script.group in ("silent", "off_screen"):
            assert not sources
            assert bool(script.off_screen) == (script.group == "off_screen")


def test_frames_are_evaluated_one_by_one(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["eval", "--dataset", "orchestra_motion", "--root", str(root), "--preset", "toy", "--json"]
    assert main([*words, "--strategy", "audio_to_text", "--no-ablations", "--frame-by-frame"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["rows"][0]["metrics"]["robust"]["n_positive"] > 30
    assert report["rows"][0]["metrics"]["robust"]["J"] > 0.5


def test_an_installation_without_clips_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(OrchestraMotion, "shipped", tmp_path / "orchestra_motion")
    assert main(["eval", "--dataset", "orchestra_motion", "--preset", "toy"]) == 1
    assert "has no clips of the orchestra" in capsys.readouterr().err


def test_another_audio_is_of_things_that_are_not_there(root: Path) -> None:
    dataset = OrchestraMotion(root)
    clips = {clip.name: clip for clip in dataset.clips()}
    for name, script in dataset.scripts.items():
        audio = dataset.other_audio(f"{name}/3")
        assert audio is not None
        (other, *_) = [n for n, clip in clips.items() if np.array_equal(clip.audio.waveform, audio.waveform)]
        assert other.split("_0")[0] != name.split("_0")[0] or script.group == "off_screen"
        assert clips[other].script.times.keys().isdisjoint(thing.label for thing in script.things)
    assert OrchestraMotion(root, groups=["crossing"]).other_audio("crossing_000/0") is None


def test_the_truth_of_a_clip_is_what_sounds_and_is_seen(root: Path) -> None:
    dataset = OrchestraMotion(root)
    clip, truth = dataset.clip("crossing_000"), dataset.video_truth("crossing_000/5")
    assert truth.in_view == truth.heard == {"red": ((0.0, 3.0),), "blue": ((1.0, 2.0),)}
    assert [sorted(masks) for masks in truth.objects] == [[1]] * 4 + [[1, 2]] * 4 + [[1]] * 4
    for number, masks in enumerate(truth.objects):
        np.testing.assert_array_equal(np.any(list(masks.values()), axis=0), clip.target(number))
    off = dataset.video_truth("off_screen_000/0")
    assert (off.in_view, list(off.heard)) == ({}, ["yellow"])
    assert dataset.video_time("crossing_000/5") == 5 / FPS
    np.testing.assert_array_equal(dataset.video_audio("crossing_000/5").waveform, clip.audio.waveform)
