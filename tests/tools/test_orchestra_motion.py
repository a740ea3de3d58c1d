"""The generator of clips: smooth paths, schedules, what is hidden, and the frozen clips."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tools.orchestra.__main__ import main, write_clips
from tools.orchestra.audio import SOUND_FONT, Band
from tools.orchestra.catalogue import THINGS
from tools.orchestra.clips import GROUPS, _schedules, _spans, make_clip
from tools.orchestra.images import FONT, Costume, Placed
from tools.orchestra.motion import FPS, Actor, film, visible
from tools.orchestra.motion import Path as Way
from zsavs.datasets.orchestra_motion import OrchestraMotion

drawing = pytest.mark.skipif(
    not (SOUND_FONT.is_file() and FONT.is_file()), reason="needs fluid-soundfont-gm and fonts-noto-color-emoji"
)
needs_font = pytest.mark.skipif(not FONT.is_file(), reason="needs fonts-noto-color-emoji")


def test_a_path_is_smooth_and_rests_at_both_ends() -> None:
    way = Way(np.array([0.0, 2.0, 3.0, 6.0]), np.array([[0, 0], [60, 10], [60, 90], [0, 50]], np.float64))
    np.testing.assert_allclose(way.at(way.times), way.points)
    np.testing.assert_array_equal(way.at(np.array([-1.0, 7.0])), way.points[[0, -1]])
    moments = np.linspace(0, 6, 6001)
    speed = np.diff(way.at(moments), axis=0) / np.diff(moments)[:, None]
    assert np.abs(speed[[0, -1]]).max() < 0.5
    assert np.abs(np.diff(speed, axis=0)).max() < 1, "no jerk from one millisecond to the next"


@pytest.mark.parametrize("count", [1, 2])
def test_schedules_have_sounds_and_pauses_of_a_length(count: int) -> None:
    for seed in range(30):
        spans = _spans(count, 6.0, np.random.default_rng(seed))
        assert len(spans) == count
        assert all(off - on >= 1 for on, off in spans)
        assert all(on - off >= 1.5 for (_, off), (on, _) in pairwise(spans))
        assert 0 <= spans[0][0] < spans[-1][1] <= 6


def test_groups_have_schedules_of_their_own() -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        ((on, off),) = _schedules("seen_long", 1, 8.0, rng)[0]
        assert 1 <= on < off <= 7
        assert off - on == pytest.approx(2.15)
        ((_, first),), ((second, _),) = _schedules("in_turn", 2, 8.0, rng)
        assert second - first >= 0.6
        assert len(_schedules("moving", 1, 6.0, rng)) == 1


def actor(longest: float, *points: tuple[float, float]) -> Actor:
    """An apple that goes through points, one a second."""
    costume = Costume.drawn(Placed(THINGS["apple"]), np.random.default_rng(0))
    way = Way(np.arange(len(points), dtype=np.float64), np.array(points, np.float64))
    return Actor(costume, way, longest, degrees=0, swing=0, nearer=0, period_s=1, phase=0)


@needs_font
def test_what_is_hidden_or_out_of_the_frame_is_not_visible() -> None:
    passing = actor(40, (30, 100), (100, 100), (170, 100))
    cover, leaving = actor(90, (100, 100), (100, 100)), actor(40, (30, 30), (-60, 30))
    shares = visible([leaving, passing, cover], (200, 200), 2 + 1 / FPS)
    assert shares.shape == (2 * FPS + 1, 3)
    assert shares[0].tolist() == [1, 1, 1]
    assert shares[FPS].tolist() == [0, 0, 1]
    assert shares[-1].tolist() == [0, 1, 1]
    shot = film([leaving, passing, cover], (200, 200), 2 + 1 / FPS, np.random.default_rng(0))
    assert shot.frames.shape == (2 * FPS + 1, 200, 200, 3)
    assert [sorted(set(index.flat)) for index in shot.index[[0, FPS, -1]]] == [[0, 1, 2, 3], [0, 3], [0, 2, 3]]
    still = (shot.index[0] == 0) & (shot.index[FPS] == 0)
    far = still.copy()  # from soft edges, and from the blur of the lens
    for shift in range(-8, 9):
        far &= np.roll(still, shift, 0) & np.roll(still, shift, 1)
    np.testing.assert_array_equal(shot.frames[0][far], shot.frames[FPS][far], "the background stays")


@drawing
def test_a_clip_says_what_is_in_it() -> None:
    pytest.importorskip("fluidsynth")
    for number, sources in ((0, 2), (1, 1)):
        with Band() as band:
            clip = make_clip("crossing", number, np.random.default_rng(number), band)
        assert sum(bool(times) for times in clip.times) == sources
        assert len(set(clip.labels)) == len(clip.labels)
        assert clip.off_screen == {}
        assert np.abs(clip.wave).max() <= 1
    with Band() as band, pytest.raises(KeyError, match="no such group"):
        make_clip("unheard_of", 0, np.random.default_rng(0), band)


@drawing
def test_the_command_writes_what_the_data_set_reads(tmp_path: Path) -> None:
    pytest.importorskip("fluidsynth")
    words = ["motion", "--out", str(tmp_path), "--seed", "5", "--each", "1"]
    main([*words, "--group", "moving"])
    before = {path: path.read_bytes() for path in tmp_path.rglob("moving*")}
    main([*words, "--group", "silent"])
    assert {path: path.read_bytes() for path in tmp_path.rglob("moving*")} == before
    dataset = OrchestraMotion(tmp_path)
    assert list(dataset.scripts) == ["moving_000", "silent_000"]
    for clip in dataset.clips():
        assert clip.script.fps == FPS
        assert clip.targets.any() == (clip.script.group == "moving")
    with pytest.raises(ValueError, match="holds clips of seed 5"):
        write_clips(tmp_path, 6, 1)


@drawing
def test_a_clip_is_a_video_too(tmp_path: Path) -> None:
    pytest.importorskip("fluidsynth")
    pytest.importorskip("av")
    files = pytest.importorskip("zsavs.media.video_file")
    main(["motion", "--out", str(tmp_path), "--seed", "5", "--each", "1", "--group", "moving", "--video"])
    (clip,) = OrchestraMotion(tmp_path).clips()
    path = tmp_path / "videos" / "moving_000.mp4"
    frames = list(files.read_frames(path))
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(len(clip)) / FPS, abs=1e-3)
    for frame, image in zip(frames, clip.frames, strict=True):
        assert np.abs(frame.image.astype(int) - image).mean() < 8
    assert files.load_video_audio(path).duration_s == pytest.approx(clip.script.duration_s, abs=0.1)


@drawing
@pytest.mark.parametrize("group", ["moving", "off_screen"])
def test_the_frozen_clips_are_those_of_their_seed(tmp_path: Path, group: str) -> None:
    """WebP and Vorbis may vary, and the rest is as it was."""
    pytest.importorskip("fluidsynth")
    shipped = OrchestraMotion()
    listing = json.loads((shipped.shipped / "clips.json").read_text())
    assert listing["groups"] == GROUPS
    write_clips(tmp_path, listing["seed"], 1, [group])
    (drawn,) = OrchestraMotion(tmp_path).clips()
    frozen = shipped.clip(drawn.name)
    assert drawn.script == frozen.script
    np.testing.assert_array_equal(drawn.objects, frozen.objects)
    assert np.abs(drawn.frames.astype(int) - frozen.frames).mean() < 1
    assert np.abs(drawn.audio.mono() - frozen.audio.mono()).max() < 0.01
