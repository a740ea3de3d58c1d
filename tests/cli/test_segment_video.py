"""``zsavs segment`` on a video: what it prints and what it writes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_video
import video_results
from PIL import Image

import zsavs
from zsavs.cli.main import main
from zsavs.media.video_file import load_video_audio, read_frames
from zsavs.media.video_writer import VideoWriter
from zsavs.pipeline import Pipeline
from zsavs.temporal.video_result import VideoResult


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return video_results.write_clip(tmp_path_factory.mktemp("clip") / "dogs.mp4")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the pipeline is asked, which then answers with what is known of the clip."""
    calls: list[dict[str, Any]] = []

    def video(_: Pipeline, path: str, audio: str | None, *, progress: Any, **settings: Any) -> VideoResult:
        calls.append(settings)
        progress(1, None)
        progress(8, 8)
        return video_results.result(str(path))

    monkeypatch.setattr(Pipeline, "video", video)
    return calls


def test_a_video_becomes_a_video_a_page_and_data(
    clip: Path, asked: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["segment", str(clip), "--preset", "toy", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert {path.name for path in tmp_path.iterdir()} == {"dogs.mp4", "dogs.html", "dogs.json"}
    assert asked == [{"fps": 8.0, "start_s": 0.0, "end_s": float("inf"), "tracker": None}]
    lines = said.out.splitlines()
    assert re.fullmatch(r"\w+ \(toy\)", lines[0])
    assert lines[1] == "  heard: dog 0.90 at 0.2-0.8 and 1.5-1.8 s, violin 0.70 at 0.0-2.0 s, rain 0.50 at 1.0-1.4 s"
    assert lines[2:6] == [
        "  id  label   best  sounds",
        "   1  dog 1   0.90  0.2-0.8 and 1.5-1.8 s",
        "   2  dog 2   0.90  not at all",
        "   3  violin  0.90  0.0-2.0 s",
    ]
    assert lines[6] == f"  wrote: {tmp_path / 'dogs.html'} and beside it dogs.mp4, dogs.json"

    saved = VideoResult.load(tmp_path / "dogs.json")
    assert [track.phrase for track in saved.tracks] == ["dog", "dog", "violin"]
    assert len(list(read_frames(tmp_path / "dogs.mp4"))) == 40
    assert load_video_audio(tmp_path / "dogs.mp4") is not None
    assert 'href="dogs.json"' in (tmp_path / "dogs.html").read_text()


def test_the_options_reach_the_pipeline_and_the_files(
    clip: Path, asked: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--fps", "2.5", "--start", "0:01", "--end", "1.5", "--tracker", "none", "--masks", "png", "--json"]
    assert main(["segment", str(clip), "--preset", "toy", "--out", str(tmp_path), *words]) == 0
    assert asked == [{"fps": 2.5, "start_s": 1.0, "end_s": 1.5, "tracker": "none"}]
    answer = json.loads(capsys.readouterr().out)
    assert [row["label"] for row in answer["tracks"]] == ["dog 1", "dog 2", "violin"]
    assert answer["tracks"][0]["times_s"] == [[0.25, 0.75], [1.5, 1.75]]
    assert answer["tracks"][2]["frames"] == 6
    assert answer["notes"] == video_results.NOTES
    masks = sorted(Path(answer["files"]["masks"]).iterdir())
    assert len(masks) == 8
    assert set(np.unique(np.asarray(Image.open(masks[2]))).tolist()) == {0, 1, 3}


def test_show_and_codec_reach_the_writer(
    clip: Path, asked: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def save_page(_: VideoResult, folder: str, stem: str, **settings: Any) -> dict[str, Path]:
        given.update(settings)
        return {"video": Path(folder) / f"{stem}.mp4", "page": Path(folder) / f"{stem}.html"}

    monkeypatch.setattr(VideoResult, "save_page", save_page)
    words = ["segment", str(clip), "--preset", "toy", "--out", str(tmp_path)]
    assert main(words) == 0
    assert (given["show"], given["codec"]) == ("sounding", "vp9")
    assert main([*words, "--show", "always", "--codec", "av1"]) == 0
    assert (given["show"], given["codec"]) == ("always", "av1")


def test_nothing_found_is_told(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = VideoResult(np.arange(4) / 2, video_results.SIZE_HW, (), source=str(clip))
    monkeypatch.setattr(Pipeline, "video", lambda *_, **__: nothing)
    assert main(["segment", str(clip), "--preset", "toy", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "heard: nothing it knows" in said
    assert "found: nothing in view is sounding" in said


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["{image}"], 2, "is no video; an image needs an audio file beside it: zsavs segment IMAGE AUDIO"),
        (["{audio}"], 2, "is no video"),
        (["--img_path", "{image}"], 2, "is no video"),
        (["nowhere.mp4"], 1, "nowhere.mp4: there is no such file"),
        (["{clip}", "--label-set", "avss"], 2, "--label-set"),
        (["{clip}", "--show", "never"], 2, "--show: must be sounding or always"),
        (["{clip}", "--masks", "jpg"], 2, "--masks: must be rle or png"),
        (["{clip}", "--codec", "vp10"], 2, "there is no video codec named 'vp10'"),
        (["{clip}", "--fps", "0"], 2, "--fps: must be above 0"),
        (["{clip}", "--start", "1:x"], 2, "--start: must be seconds"),
        (["{clip}", "--start", "-1"], 2, "--start"),
        (["{clip}", "--start", "3", "--end", "0:02"], 2, "--end: must be later than --start"),
        (["{image}", "{audio}", "--fps", "2"], 2, "--fps: is for a video"),
        (["{image}", "{audio}", "--tracker", "none"], 2, "--tracker: is for a video"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    words: list[str],
    code: int,
    says: str,
    clip: Path,
    pair: tuple[str, str],
    asked: list[dict[str, Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [word.format(clip=clip, image=pair[0], audio=pair[1]) for word in words]
    assert main(["segment", *given, "--preset", "toy", "--out", str(tmp_path / "out")]) == code
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert not asked
    assert not (tmp_path / "out").exists()


def test_the_video_itself_is_never_replaced(
    clip: Path, asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    before = clip.read_bytes()
    assert main(["segment", str(clip), "--preset", "toy", "--out", str(clip.parent)]) == 1
    assert "--out" in capsys.readouterr().err
    assert not asked
    assert clip.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_said_before_the_work(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Pipeline, "video", lambda *_, **__: pytest.fail("the work was begun"))
    (tmp_path / "file").write_text("")
    assert main(["segment", str(clip), "--preset", "toy", "--out", str(tmp_path / "file" / "out")]) == 1
    said = capsys.readouterr().err
    assert "cannot be written" in said
    assert said.count("\n") == 1


def test_a_pair_is_answered_as_before(pair: tuple[str, str], tmp_path: Path) -> None:
    assert main(["segment", *pair, "--preset", "toy", "--out", str(tmp_path)]) == 0
    assert zsavs.AVSResult.load(tmp_path / "scene.json").phrases == ("blue thing",)


def test_a_video_is_answered_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = toy_video.write(tmp_path / "discs.mp4")
    words = ["--preset", "toy", "--strategy", "audio_to_text", "--fps", "4", "--out", str(tmp_path / "out"), "--json"]
    assert main(["segment", str(path), *words]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {row["label"] for row in answer["tracks"]} == {"red", "blue"}
    red = next(row for row in answer["tracks"] if row["label"] == "red")
    assert np.abs(np.array(red["times_s"]) - np.array(toy_video.TIMES["red"])).max() < 0.3
    assert (tmp_path / "out" / "discs.html").is_file()
    assert len(list(read_frames(tmp_path / "out" / "discs.mp4"))) == toy_video.FPS * toy_video.SECONDS


def test_an_audio_file_is_heard_in_place_of_the_videos_own_sound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = toy_video.write(tmp_path / "discs.mp4")  # writes discs.wav beside it
    silent = VideoWriter(tmp_path / "silent.mp4", (64, 96), toy_video.FPS)
    with silent as writer:
        for number, image in enumerate(toy_video.frames()):
            writer.write(image, number / toy_video.FPS)
    words = ["--preset", "toy", "--strategy", "audio_to_text", "--fps", "4", "--out", str(tmp_path / "out"), "--json"]
    assert main(["segment", str(tmp_path / "silent.mp4"), *words]) == 1
    assert "has no sound; give an audio file with it" in capsys.readouterr().err
    assert main(["segment", str(tmp_path / "silent.mp4"), str(path.with_suffix(".wav")), *words]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {row["label"] for row in answer["tracks"]} == {"red", "blue"}
    assert load_video_audio(tmp_path / "out" / "silent.mp4") is not None
