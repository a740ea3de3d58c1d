"""Whole videos: the numbers are right, the protocol stands wherever they do, and a failure costs its video alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_set import plan, rows
from motion_clips import FPS, SECONDS, write_clips
from toy_ms3 import SOUNDS, write_ms3

from zsavs.cli.main import main
from zsavs.datasets.avsbench import MS3
from zsavs.datasets.folder import Folder
from zsavs.datasets.orchestra_motion import OrchestraMotion
from zsavs.errors import InputError, OutputError
from zsavs.evaluation import evaluate, merge
from zsavs.evaluation.plan import CEILING, TOLD, WHOLE_VIDEO
from zsavs.evaluation.summary import table
from zsavs.pipeline import Pipeline
from zsavs.report.results import TOLD as TOLD_IN_REPORTS

WHOLE: dict[str, Any] = {"strategies": ("fused",), "whole_video": True}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See :func:`toy_ms3.write_ms3`; not to be written to."""
    return write_ms3(tmp_path_factory.mktemp("ms3"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See :func:`motion_clips.write_clips`, one of each group; not to be written to."""
    root = tmp_path_factory.mktemp("clips")
    write_clips(root, each=1)
    return root


@pytest.fixture(scope="module")
def run(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run over the videos."""
    out = tmp_path_factory.mktemp("run")
    evaluate(MS3(videos), plan(**WHOLE), out, visuals=1)
    return out


def report_of(run: Path) -> dict[str, Any]:
    return json.loads((run / "report.json").read_text())


def test_videos_are_heard_and_scored_as_whole(run: Path) -> None:
    scored = rows(report_of(run))
    recorded, silent, shuffled = (scored["fused", audio] for audio in ("recorded", "silent", "shuffled"))
    assert recorded["fixed"]["J"] > 0.9
    assert recorded["fixed"]["empty"] == pytest.approx(7 / 20, abs=0.11), "five off screen, two before the blue hum"
    assert silent["fixed"]["empty"] == 1
    assert shuffled["J_sounding"] < recorded["J_sounding"] - 0.2
    assert recorded["metrics"]["avsbench"]["n_frames"] == 20
    assert not silent["metrics"], "the data set has no annotation of whole videos"
    assert report_of(run)["curves"] == {}, "masks have no other threshold"


def test_every_table_says_the_protocol(run: Path, videos: Path) -> None:
    report = report_of(run)
    assert report["protocol"] == WHOLE_VIDEO == "whole video seen"
    assert all(row["protocol"] == WHOLE_VIDEO for row in report["rows"])
    assert json.loads((run / "metrics.json").read_text())["protocol"] == WHOLE_VIDEO
    text = table(report)
    assert text.startswith(f"protocol: {WHOLE_VIDEO}, with the tracker Associate\n")
    assert f"by suite avsbench, {WHOLE_VIDEO}:" in text
    page = (run / "report.html").read_text()
    sections = page.rpartition("Best and worst cases")[0]
    assert len(re.findall(r'<p class="caption">Whole video seen\.', sections)) == sections.count("<table>") == 3
    assert re.search(r"<title>[^<]*: whole video seen</title>", page)
    assert "must not stand as a number of single frames" in page
    published = (run / "report.md").read_text().partition("## Published numbers")[2].partition("\n## ")[0]
    ours = [line for line in published.splitlines() if line.startswith("|") and "zsavs fused" in line]
    assert ours
    assert all(WHOLE_VIDEO in line for line in ours)
    assert "compare it with systems that see all frames" in published
    alone = evaluate(MS3(videos), plan(strategies=("fused",), audio=("recorded",)))
    assert "protocol" not in alone
    assert WHOLE_VIDEO not in table(alone) + json.dumps(alone)


def test_a_video_is_given_in_order_with_its_times_and_all_of_its_audio(
    videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[list[float], float, float]] = []
    video = Pipeline.video

    def noted(self: Pipeline, frames: Any, audio: Any, **settings: Any) -> Any:
        assert settings["tracker"] is self.tracker is not None
        given.append(([frame.time_s for frame in frames], audio.duration_s, float(np.abs(audio.waveform).max())))
        return video(self, frames, audio, **settings)

    monkeypatch.setattr(Pipeline, "video", noted)
    report = evaluate(MS3(videos), plan(**WHOLE, limit=3, audio=("recorded", "silent")))
    assert [(times, seconds) for times, seconds, _ in given] == [([0.5, 1.5, 2.5, 3.5, 4.5], 5.0)] * 2
    assert given[0][2] > 0.1
    assert given[1][2] == 0
    assert report["dataset"]["done"] == 5, "a video that begins within the limit is seen whole"


def test_a_run_is_resumed_and_not_under_the_other_protocol(run: Path, videos: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="protocol: 'whole video seen' then, None now"):
        evaluate(MS3(videos), plan(strategies=("fused",)), run)
    with pytest.raises(OutputError, match="tracker: 'Associate' then, 'none' now"):
        evaluate(MS3(videos), plan(**WHOLE, parts={"tracker": "none"}), run)
    for name in ("settings.json", "batches.jsonl"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    lines = (tmp_path / "batches.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "batches.jsonl").write_bytes(lines[1] + lines[2][:-9])
    evaluate(MS3(videos), plan(**WHOLE), tmp_path)
    assert (tmp_path / "metrics.json").read_bytes() == (run / "metrics.json").read_bytes()
    settings = json.loads((run / "settings.json").read_text())
    assert (settings["batches"], settings["ceiling"]) == (4, False)


def test_shards_of_videos_merge_to_the_same_bytes(run: Path, videos: Path, tmp_path: Path) -> None:
    for part in range(3):
        evaluate(MS3(videos), plan(**WHOLE, shard=(part, 3)), tmp_path / f"part{part}")
    merge([tmp_path / f"part{part}" for part in (2, 0, 1)], tmp_path / "merged")
    assert (tmp_path / "merged" / "metrics.json").read_bytes() == (run / "metrics.json").read_bytes()
    with pytest.raises(InputError, match="1 batches are missing, the first is 1"):
        merge([tmp_path / "part0", tmp_path / "part2"], tmp_path / "again")
    with pytest.raises(InputError, match="5/5 has nothing to do: 4 videos"):
        evaluate(MS3(videos), plan(**WHOLE, shard=(4, 5)))


def test_a_frame_that_cannot_be_read_costs_that_frame(videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = MS3.load

    def sometimes(self: MS3, item: str) -> Any:
        if item == "a_red/3":
            raise InputError("a_red/3: broken")
        return load(self, item)

    monkeypatch.setattr(MS3, "load", sometimes)
    report = evaluate(MS3(videos), plan(**WHOLE, limit=5, audio=("recorded",)))
    assert report["dataset"]["failed"] == [{"item": "a_red/3", "error": "a_red/3: broken"}]
    assert report["dataset"]["done"] == 4
    assert rows(report)["fused", "recorded"]["fixed"]["J"] > 0.9, "each frame keeps its own time"


def test_frames_of_a_clip_that_cannot_be_read_are_left_out_of_its_annotation(
    clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = OrchestraMotion.load

    def sometimes(self: OrchestraMotion, item: str) -> Any:
        if item in ("crossing_000/0", "crossing_000/6"):
            raise InputError("broken")
        return load(self, item)

    monkeypatch.setattr(OrchestraMotion, "load", sometimes)
    dataset = OrchestraMotion(clips, groups=["crossing"])
    report = evaluate(dataset, plan(strategies=("fused",), suites=None, audio=("recorded", "silent")))
    tracking = rows(report)[CEILING, TOLD]["metrics"]["tracking"]
    assert (tracking["J"], tracking["n_sounding"]) == (1, FPS * SECONDS - 2)


def test_a_video_whose_items_are_listed_in_another_order_is_the_same(
    run: Path, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MS3, "__iter__", lambda self: iter([f"{name}/{k}" for k in (3, 1, 5, 2, 4) for name in SOUNDS]))
    report = evaluate(MS3(videos), plan(**WHOLE), tmp_path)
    for key, row in rows(report).items():
        assert row["fixed"] == rows(report_of(run))[key]["fixed"]
    evaluate(MS3(videos), plan(**WHOLE), tmp_path)


def test_a_video_that_fails_costs_that_video(videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video, audio_of = Pipeline.video, MS3.video_audio

    def sometimes(self: Pipeline, frames: Any, audio: Any, **settings: Any) -> Any:
        if np.array_equal(audio.waveform, c_blue):
            raise ZeroDivisionError("a defect")
        return video(self, frames, audio, **settings)

    def deaf(self: MS3, item: str) -> Any:
        if item.startswith("a_red"):
            raise InputError("a_red.wav: no audio")
        return audio_of(self, item)

    c_blue = MS3(videos).video_audio("c_blue/1").waveform
    monkeypatch.setattr(Pipeline, "video", sometimes)
    monkeypatch.setattr(MS3, "video_audio", deaf)
    report = evaluate(MS3(videos), plan(**WHOLE, audio=("recorded",)))
    failed = {row["item"]: row["error"] for row in report["dataset"]["failed"]}
    assert list(failed) == [f"{name}/{k}" for name in ("a_red", "c_blue") for k in range(1, 6)]
    assert failed["a_red/2"] == "a_red.wav: no audio"
    assert failed["c_blue/5"] == "fused: ZeroDivisionError: a defect"
    assert report["dataset"]["done"] == 10


def test_images_of_the_best_and_worst_frames_are_those_of_the_run(run: Path) -> None:
    cases = report_of(run)["cases"]["fused"]
    assert all((run / cases[kind][0]["picture"]).is_file() for kind in ("best", "worst"))


def test_images_have_no_whole_videos(folder: Path) -> None:
    with pytest.raises(InputError, match="'folder' has no whole videos; evaluate it frame by frame"):
        evaluate(Folder(folder), plan(**WHOLE))


# ------------------------------------------------------------------------ annotated videos
def test_clips_are_answered_whole_beside_their_ceiling(clips: Path) -> None:
    report = evaluate(OrchestraMotion(clips), plan(strategies=("fused",), suites=None))
    scored = rows(report)
    assert set(scored) == {("fused", audio) for audio in ("recorded", "silent", "shuffled")} | {(CEILING, TOLD)}
    recorded, ceiling = (scored[key]["metrics"]["tracking"] for key in (("fused", "recorded"), (CEILING, TOLD)))
    assert (ceiling["J"], ceiling["events_F1"], ceiling["heard_F1"], ceiling["n_switches"]) == (1, 1, 1, 0)
    assert 0.8 < recorded["J"] <= 1
    assert recorded["FPR_empty"] < 0.01
    assert recorded["n_sounding"] + recorded["n_other"] == 4 * FPS * SECONDS
    assert scored["fused", "shuffled"]["metrics"]["tracking"]["J"] == 0, "nothing is right by coincidence"
    assert set(scored["fused", "shuffled"]["metrics"]) == {"tracking"}
    assert set(scored[CEILING, TOLD]["metrics"]) == {"robust", "tracking"}
    assert report["protocols"]["tracking"].startswith("Whole videos: masks by frame, identities")
    lines = table(report).splitlines()
    start = lines.index("by suite tracking, whole video seen:")
    assert lines[start + 1].split()[2:6] == ["J", "J&F", "FPR_empty", "events_F1"]
    assert lines[start + 5].startswith("ceiling (an oracle) told        1.000   1.000")


def test_the_ceiling_is_an_ablation_and_single_frames_have_none(clips: Path) -> None:
    heard = evaluate(OrchestraMotion(clips), plan(strategies=("fused",), suites=None, audio=("recorded",), limit=1))
    assert set(rows(heard)) == {("fused", "recorded")}
    alone = evaluate(
        OrchestraMotion(clips),
        plan(strategies=("fused",), suites=None, whole_video=False, audio=("recorded",), limit=4),
    )
    assert alone["dataset"]["done"] == 4
    assert set(rows(alone)["fused", "recorded"]["metrics"]) == {"robust"}
    assert "protocol" not in alone


def test_the_command_line_answers_whole_videos(
    videos: Path, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["eval", "--preset", "toy", "--strategy", "audio_to_text", "--no-ablations"]
    ms3 = [*words, "--dataset", "ms3", "--root", str(videos)]
    assert main([*ms3, "--whole-video", "--tracker", "none", "--out", str(tmp_path)]) == 0
    assert "protocol: whole video seen, with the tracker none" in capsys.readouterr().out
    assert main([*ms3, "--out", str(tmp_path)]) == 1
    assert "holds a run with other settings" in capsys.readouterr().err
    motion = [*words, "--dataset", "orchestra_motion", "--root", str(clips), "--limit", "1"]
    assert main([*motion, "--tracker", "associate"]) == 0
    assert "by suite tracking, whole video seen:" in capsys.readouterr().out
    for wrong, told in (
        ([*ms3, "--tracker", "none"], "through whole videos: --whole-video"),
        ([*motion, "--frame-by-frame", "--tracker", "none"], "through whole videos: --whole-video"),
        ([*motion, "--tracker", "none", "--part", "tracker=associate"], "tracker=associate"),
    ):
        assert main(wrong) == 2
        assert told in " ".join(capsys.readouterr().err.split())


def test_a_report_knows_the_ceiling_when_it_sees_it() -> None:
    assert TOLD == TOLD_IN_REPORTS
