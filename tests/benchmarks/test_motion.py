"""The table of strategies and trackers on clips, with pipelines whose right numbers are known."""

from __future__ import annotations

import html
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from benchmark_scripts import load_benchmark
from motion_clips import FPS, SECONDS, write_clips

import zsavs
from zsavs.datasets.orchestra_motion import MotionClip, OrchestraMotion
from zsavs.storage import rle
from zsavs.temporal.video_result import Track, VideoResult


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return load_benchmark("motion")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_clips(folder)
    return folder


def track(number: int, label: str, times: Any, masks: dict[int, Any]) -> Track:
    """A track with masks by frame."""
    masks = {k: mask for k, mask in masks.items() if mask.any()}
    return Track(
        number,
        label,
        times,
        np.array(sorted(masks), np.int64),
        np.ones(len(masks), np.float32),
        np.zeros((len(masks), 4), np.float32),
        tuple(rle.encode(masks[k]) for k in sorted(masks)),
    )


def perfect(clip: MotionClip, swap_from: int = 10**6) -> VideoResult:
    """The annotation as a result; from a frame on every object has a track of another number."""
    tracks, times = [], clip.script.times
    for i, thing in enumerate(clip.script.things, 1):
        for late in (False, True):
            masks = {k: clip.objects[k] == i for k in range(len(clip)) if (k >= swap_from) == late}
            if thing.times and masks:
                tracks.append(track(i + 10 * late, thing.label.upper(), thing.times, masks))
    return VideoResult(
        np.arange(len(clip)) / clip.fps,
        clip.objects.shape[1:],
        tuple(tracks),
        zsavs.Query(tuple(times), np.ones(len(times), np.float32), times=tuple(times.values())),
    )


class Pipe:
    """Stands in for a pipeline: answers by a function of the clip whose frames it is given."""

    def __init__(self, dataset: OrchestraMotion, answer: Callable[[MotionClip, Any], VideoResult]) -> None:
        self.clips = {clip.frames.tobytes(): clip for clip in dataset.clips()}
        self.answer, self.asked = answer, list[tuple[float, str]]()
        self.strategy: Any = None

    def video(self, frames: Sequence[Any], audio: Any, *, fps: float, tracker: str) -> VideoResult:
        self.asked.append((fps, tracker))
        return self.answer(self.clips[np.stack(frames).tobytes()], audio)


def table(markdown: str, number: int = 0) -> dict[tuple[str, ...], dict[str, str]]:
    """The cells of a table by its first three cells, and by column."""
    tables: list[list[list[str]]] = [[]]
    for line in html.unescape(markdown).splitlines():
        if line.startswith("|"):
            tables[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif tables[-1]:
            tables.append([])
    head, _, *rows = tables[number]
    return {tuple(row[:3]): dict(zip(head, row, strict=True)) for row in rows}


def test_a_perfect_answer_has_perfect_numbers(benchmark: ModuleType, root: Path) -> None:
    dataset = OrchestraMotion(root)
    pipe = Pipe(dataset, lambda clip, _: perfect(clip))
    tallies = benchmark.measure(dataset, {"fused": pipe}, ["associate", "none"])
    assert set(tallies) == {
        ("fused", tracker, sound) for tracker in ("associate", "none") for sound in ("own", "another")
    }
    assert set(pipe.asked) == {(FPS, "associate"), (FPS, "none")}
    tally = tallies["fused", "none", "own"]
    numbers = tally.numbers()
    assert (numbers["J"], numbers["J&F"], numbers["FPR_empty"]) == (1, 1, 0)
    assert (numbers["n_switches"], numbers["n_objects"], numbers["n_tracks"]) == (0, 6, 6)
    assert numbers["events_F1"] == numbers["segments_F1"] == numbers["heard_F1"] == 1
    assert tally.video_s == 8 * SECONDS
    text = benchmark.render(benchmark.page(dataset, tallies, ["Left out x: y"], "title", "these"), "markdown")
    row = table(text)["fused", "none", "own"]
    assert [row[name] for name in ("J", "J&F", "FP", "Per 20", "Events", "Segments", "Heard")] == [
        "100.0", "100.0", "0.0", "0.00", "100.0", "100.0", "100.0"
    ]  # fmt: skip
    assert row["Switches"] == "0 in 6"
    assert table(text)["fused", "none", "another"]["Events"] == ""
    groups = next(cells for key, cells in table(text, 1).items() if key[:2] == ("fused", "none"))
    assert (groups["J moving"], groups["J silent"], groups["FP silent"]) == ("100.0", "–", "0.0")
    assert "Left out x: y" in text


def test_what_is_wrong_is_counted(benchmark: ModuleType, root: Path) -> None:
    """Every object has another identity from frame 5 on, and a thing that is silent is marked all along."""
    dataset = OrchestraMotion(root, groups=["crossing", "silent"])

    def answer(clip: MotionClip, _: Any) -> VideoResult:
        if clip.script.times:
            return perfect(clip, swap_from=5)
        masks = {k: clip.objects[k] == 1 for k in range(len(clip))}
        return VideoResult(np.arange(len(clip)) / FPS, clip.objects.shape[1:], (track(1, "red", ((0.0, 3.0),), masks),))

    tally = benchmark.measure(dataset, {"fused": Pipe(dataset, answer)}, ["associate"])["fused", "associate", "own"]
    numbers, silent = tally.numbers(), tally.numbers("silent")
    assert numbers["J"] == 1
    expected = np.mean([(clip.objects == 1).mean() for clip in dataset.clips() if clip.script.group == "silent"])
    assert numbers["FPR_empty"] == silent["FPR_empty"] == pytest.approx(expected)
    assert np.isnan(silent["J"])
    assert (numbers["n_switches"], numbers["n_objects"]) == (4, 4)  # red and blue, in two clips
    assert numbers["events_F1"] == pytest.approx(2 * 4 / (4 + 6)), "four of four are found, and two are wrong"
    assert numbers["heard_F1"] == 1


def test_frames_without_an_answer_are_an_error(benchmark: ModuleType, root: Path) -> None:
    clip = OrchestraMotion(root).clip("moving_000")
    with pytest.raises(zsavs.errors.InputError, match="12 frames were given and 3 answered"):
        benchmark.Tally().add(clip, VideoResult(np.arange(3.0), (64, 96), ()), 1.0)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--preset", "bas"], "did you mean 'base'"),
        (["--preset", "toy", "--strategy", "telepathy"], "none of the strategies. Left out telepathy"),
        (["--preset", "toy", "--root", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_errors_are_one_line(
    benchmark: ModuleType, root: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmark.main(["--root", str(root), *words]) == 1
    said = capsys.readouterr()
    assert told in said.err
    assert said.err.count("\n") == 1
    assert not said.out


def test_fresh_clips_say_what_they_need(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "tools.orchestra.__main__", None)  # as where it cannot be imported
    assert benchmark.main(["--fresh", "1", "--preset", "toy"]) == 1
    assert "needs pyfluidsynth and" in capsys.readouterr().err
