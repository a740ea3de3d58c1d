"""Frames of one video: the audio of each, and smoothing over those around it, never those of another video."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fixtures_datasets import make_avss, make_ms3, make_s4
from numpy.typing import NDArray
from PIL import Image

import zsavs
from zsavs.calibration.abstention import evidence_to_query
from zsavs.cli.main import main
from zsavs.datasets.avsbench import MS3, S4
from zsavs.datasets.avsbench_robust import RobustS4
from zsavs.datasets.avss import AVSS
from zsavs.datasets.base import Item, Target
from zsavs.errors import ContractError, InputError
from zsavs.evaluation import Plan, evaluate, merge
from zsavs.evaluation.summary import metrics_of
from zsavs.media.audio_clip import excerpt
from zsavs.temporal.frames import FrameWithoutAudio, frames_with_audio
from zsavs.temporal.smoothing import Smoother
from zsavs.testing import toy
from zsavs.types import AudioClip, Query

RATE = 16_000
BLACK = np.zeros((8, 8, 3), np.uint8)


def ramp(seconds: float, rate: int = RATE) -> AudioClip:
    """A sound in which every sample says where it is, exactly in float32."""
    return AudioClip(np.arange(round(seconds * rate), dtype=np.float32)[None], rate)


def first_and_count(clip: AudioClip) -> tuple[int, int]:
    wave = clip.waveform[0].astype(int)
    assert np.array_equal(wave, np.arange(wave[0], wave[0] + len(wave)))
    return int(wave[0]), len(wave)


# ----------------------------------------------------------------------- the sound of a frame
@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 11_111])
def test_at_one_frame_a_second_frame_t_has_exactly_second_t(rate: int) -> None:
    samples = list(frames_with_audio([BLACK] * 5, ramp(5, rate)))
    assert [first_and_count(sample.audio) for sample in samples] == [(t * rate, rate) for t in range(5)]
    assert [sample.name for sample in samples] == [f"frame {t}" for t in range(5)]


@pytest.mark.parametrize(("fps", "context_s"), [(1, 3.0), (2, 1.0), (2, 0.5), (25, 1.0), (29.97, 0.5), (0.5, 1.0)])
def test_the_frames_own_time_is_in_the_middle(fps: float, context_s: float) -> None:
    sound = ramp(10)
    for t, sample in enumerate(frames_with_audio([BLACK] * math.floor(10 * fps), sound, fps=fps, context_s=context_s)):
        start, count = first_and_count(sample.audio)
        assert count == round(context_s * RATE)
        middle = round((t + 0.5) / fps * RATE - count / 2)
        assert abs(start - min(max(middle, 0), 10 * RATE - count)) <= 1


def test_a_short_clip_and_one_wanted_whole_are_used_as_they_are() -> None:
    short = ramp(0.9)
    assert next(frames_with_audio([BLACK], short)).audio is short
    sound = ramp(5)
    assert all(s.audio is sound for s in frames_with_audio([BLACK] * 5, sound, context_s=math.inf))


def test_channels_stay_and_the_whole_clip_does_not() -> None:
    sound = AudioClip(np.stack([ramp(5).waveform[0], -ramp(5).waveform[0]]), RATE)
    piece = excerpt(sound, 2, 1, 1)
    assert piece.waveform[:, 0].tolist() == [2 * RATE, -2 * RATE]
    assert piece.waveform.base is None or piece.waveform.base.shape[1] == RATE, "a view would keep all of it alive"


def test_the_readers_of_avsbench_have_the_same_audio(tmp_path: Path) -> None:
    make_s4(tmp_path)
    dataset = S4(tmp_path)
    key, video = next(iter(dataset.videos().items()))
    sound = dataset.whole_audio(dataset.files(f"{key}/1")[1])
    images = [dataset.load(f"{key}/{k}").sample.image for k in video.frames]
    for k, sample in zip(video.frames, frames_with_audio(images, sound), strict=True):
        assert np.array_equal(sample.audio.waveform, dataset.load(f"{key}/{k}").sample.audio.waveform)


def test_a_frame_after_the_end_of_the_audio_has_none_and_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    clip = AudioClip(ramp(2.5).waveform, RATE, source="talk.wav")
    samples = list(frames_with_audio([BLACK] * 5, clip))
    assert [isinstance(sample, FrameWithoutAudio) for sample in samples] == [False] * 3 + [True] * 2
    assert first_and_count(samples[2].audio) == (1.5 * RATE, RATE), "the last window moves back into the audio"
    late = samples[3]
    assert isinstance(late, FrameWithoutAudio)
    assert late.reason == "the frame begins at 3.00 s, and the audio ends at 2.50 s"
    assert late.audio.duration_s == 1
    assert not late.audio.waveform.any()
    (record,) = caplog.records
    assert record.getMessage() == (
        "talk.wav: ends at 2.50 s; frames from number 3 on, at 1 a second, have no audio, and nothing is heard."
    )


@pytest.mark.parametrize("smooth", [0.0, 0.5])
@pytest.mark.parametrize("batch_size", [1, 4, 8])
@pytest.mark.parametrize("strategy", ["audio_to_text", "cross_modal", "classify"])
def test_audio_that_ends_before_the_last_frame_costs_no_other_frame(
    smooth: float, batch_size: int, strategy: str
) -> None:
    """The audio of five seconds ends a tenth of a second early, and six frames are shown."""
    scene, _ = toy.scene(["red", "blue"], ["blue"])
    second = scene.audio.mono()[: round(scene.audio.sample_rate_hz)]
    wave = np.tile(second, 5)[: -scene.audio.sample_rate_hz // 10]
    clip = AudioClip(wave[None], scene.audio.sample_rate_hz)
    pipe = zsavs.build_pipeline(strategy, preset="toy")
    results = list(pipe.video([scene.image] * 6, clip, smooth=smooth, batch_size=batch_size))
    assert [len(result) for result in results] == [1] * 5 + [0]
    assert results[-1].meta["notes"]["no_audio"] == "the frame begins at 5.00 s, and the audio ends at 4.90 s"
    assert "no_audio" not in results[4].meta.get("notes", {})
    assert results[-1].audio is not None
    assert not results[-1].masks.any()


def test_no_strategy_is_asked_about_a_frame_without_audio() -> None:
    pipe = zsavs.build_pipeline("classify", preset="toy")

    class Loud:
        def query(self, samples: Any) -> list[Query]:
            return [Query(("blue",), np.ones(1, np.float32)) for _ in samples]

    scene, _ = toy.scene(["red", "blue"], ["blue"])
    pipe = replace(pipe, strategy=Loud())
    samples = list(frames_with_audio([scene.image] * 3, scene.audio, fps=1 / scene.audio.duration_s))
    assert [len(query) for query in pipe.query(samples)] == [1, 0, 0]
    assert [len(result) > 0 for result in pipe.map(samples)] == [True, False, False]


@pytest.mark.parametrize("wrong", [{"fps": 0}, {"fps": math.inf}, {"context_s": 0}, {"context_s": math.nan}])
def test_what_cannot_be_is_refused_before_a_frame_is_taken(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="above 0"):
        frames_with_audio([BLACK], ramp(1), **wrong)


# ----------------------------------------------------------------------------- by the numbers
def heard(**z: float) -> Query:
    return evidence_to_query(list(z), np.array(list(z.values()), np.float32), top_k=2, min_z=2.0, max_gap=2.0)


def test_mean_evidence_by_hand() -> None:
    """Three frames, 0.5: in the middle 1/4 + 1/2 + 1/4; at the ends 4/7, 2/7, 1/7."""
    frames = {0: heard(dog=4.0, cat=0.0), 1: heard(dog=0.0, cat=0.0), 2: heard(dog=6.0, cat=1.0)}
    assert len(frames[1]) == 0
    smoother = Smoother(0.5)
    for number, z in ((0, 4 * 4 / 7 + 6 / 7), (1, 4 / 4 + 6 / 4), (2, 6 * 4 / 7 + 4 / 7)):
        query = smoother(number, frames)
        assert query.phrases == ("dog",)
        assert query.weights[0] == pytest.approx(1 / (1 + math.exp(2 - z)), abs=1e-6)


def test_one_loud_frame_among_quiet_ones_is_no_source() -> None:
    frames = {number: heard(dog=3.0 if number == 2 else 0.0) for number in range(5)}
    assert len(frames[2]) == 1
    assert [len(Smoother(0.5)(number, frames)) for number in range(5)] == [0] * 5


def test_what_was_not_considered_or_was_ruled_out_counts_as_usual() -> None:
    around_it = {0: heard(dog=6.0), 2: heard(dog=6.0)}
    for middle in (heard(cat=0.0), heard(dog=-math.inf), heard(), heard(dog=0.0), Query.nothing()):
        query = Smoother(0.5)(1, {**around_it, 1: middle})
        assert query.phrases == ("dog",)
        assert query.weights[0] == pytest.approx(1 / (1 + math.exp(2 - 3.0)), abs=1e-6)
    nowhere = Smoother(0.5)(1, {number: heard(dog=-math.inf) for number in range(3)})
    assert len(nowhere) == 0


def test_frames_without_evidence_vote() -> None:
    def named(*phrases: str) -> Query:
        return Query(phrases, np.full(len(phrases), 0.8, np.float32))

    votes = {0: named("dog"), 1: named("cat"), 2: named("dog"), 3: named("dog", "bird")}
    assert Smoother(0.5)(1, votes).phrases == ("dog",)  # 0.5 + 0.5 + 0.25 of 2.25
    assert Smoother(0.5)(1, votes).weights == pytest.approx([0.8])
    assert Smoother(0.2)(1, votes).phrases == ("cat",)


def test_gaps_count_by_their_length_and_the_far_not_at_all() -> None:
    smoother = Smoother(0.5)
    assert smoother.reach == 6
    own = heard(dog=0.0)
    far = {0: own, 7: heard(dog=1000.0)}
    assert smoother(0, far) is own
    near = smoother(0, {0: own, 3: heard(dog=27.0)})  # 27 * 0.125 / 1.125
    assert near.weights[0] == pytest.approx(1 / (1 + math.exp(2 - 3.0)), abs=1e-6)


def test_embeddings_are_the_mean_of_what_is_there_and_the_prior_is_the_frames_own() -> None:
    def with_row(query: Query, *row: float) -> Query:
        rows = np.tile(np.array(row, np.float32), (len(query), 1))
        return replace(query, embeddings=rows, space="s", prior=np.full((1, 1), row[0], np.float32))

    loud = with_row(heard(dog=9.0), 1.0, 0.0), with_row(heard(dog=9.0), 0.0, 1.0)
    query = Smoother(0.5)(1, {0: loud[0], 1: with_row(heard(dog=0.0), 0.25, 0.0), 2: loud[1]})
    assert query.space == "s"
    assert query.embeddings is not None
    assert query.embeddings[0] == pytest.approx([math.sqrt(0.5)] * 2, abs=1e-6)
    assert query.prior is not None
    assert query.prior[0, 0] == 0.25


def test_meanings_are_averaged_and_a_frames_notes_stay() -> None:
    def with_word(query: Query, *row: float, steps: int) -> Query:
        rows = np.tile(np.array(row, np.float32), (len(query), 1))
        return replace(
            query,
            embeddings=rows,
            meanings=-rows,
            space="s",
            times=(((0.0, 0.5),),) * len(query),
            notes={"steps": steps},
            seconds={"climb": float(steps)},
        )

    loud = with_word(heard(dog=9.0), 1.0, 0.0, steps=1), with_word(heard(dog=9.0), 0.0, 1.0, steps=3)
    between = Smoother(0.5)(1, {0: loud[0], 1: with_word(heard(dog=0.0), 0.25, 0.0, steps=2), 2: loud[1]})
    assert between.meanings is not None
    assert between.meanings[0] == pytest.approx([-math.sqrt(0.5)] * 2, abs=1e-6)
    assert between.notes == {"steps": 2}
    assert between.seconds == {"climb": 2.0}
    assert between.times is None, "the frame itself hears nothing"
    own, other = heard(dog=4.0), heard(dog=4.0, cat=9.0)
    first = Smoother(0.5)(0, {0: with_word(own, 1.0, 0.0, steps=1), 1: with_word(other, 0.0, 1.0, steps=2)})
    assert first.phrases == ("dog", "cat")
    assert first.times == (((0.0, 0.5),), ())


def test_a_smoothed_video_keeps_the_notes_of_each_frame() -> None:
    pipe = zsavs.build_pipeline("textual_inversion", preset="toy")
    frames, sound = made_up()
    for result in pipe.video(frames, sound, smooth=0.5):
        silent = result.meta["sample"] == f"frame {GAP}"
        assert (result.meta["notes"]["test_time_optimisation"]["steps"] == 0) == silent
        assert "test_time_optimisation" in result.timings


@pytest.mark.parametrize("smooth", [-0.1, 1.0, math.nan])
def test_out_of_range_is_refused(smooth: float) -> None:
    with pytest.raises(InputError, match="below 1"):
        Smoother(smooth)


# -------------------------------------------------------------------------------- a whole video
COUNT, GAP = 9, 4


def made_up(sounding: str = "red", gap: int | None = GAP) -> tuple[list[NDArray[np.uint8]], AudioClip]:
    """A video in which red is heard throughout, and in one second nothing at all."""
    frames = [toy.scene(("red", "blue"), ("red",), size_hw=(48, 64), seed=t)[0].image for t in range(COUNT)]
    wave = np.tile(toy.tone(sounding, sample_rate_hz=RATE).waveform[0][:RATE], COUNT)
    if gap is not None:
        wave[gap * RATE : (gap + 1) * RATE] = 0
    return frames, AudioClip(wave[None], RATE)


@pytest.mark.parametrize("name", zsavs.list_components("strategy"))
def test_evidence_that_drops_out_comes_back_if_one_asks_for_it(name: str) -> None:
    pipe = zsavs.build_pipeline(name, preset="toy")
    frames, sound = made_up()
    alone = list(pipe.video(frames, sound))
    assert [len(result) for result in alone] == [t != GAP for t in range(COUNT)], "off unless asked for"
    smoothed = list(pipe.video(frames, sound, smooth=0.5))
    # What is seen, and what a judge of regions hears, is the frame's own: strategies that take sound and image together
    # found nothing there.
    together = ("cofactorization", "omni")
    assert [len(result) for result in smoothed] == [int(name not in together or t != GAP) for t in range(COUNT)]
    assert all("red" in phrase for result in smoothed for phrase in result.phrases[:1])
    assert [r.meta["sample"] for r in smoothed] == [f"frame {t}" for t in range(COUNT)]
    assert all(r.timings["query"] > 0 for r in smoothed)


def test_without_smoothing_a_video_is_its_frames() -> None:
    pipe = zsavs.build_pipeline("fused", preset="toy")
    frames, sound = made_up()
    for one, other in zip(pipe.video(frames, sound), pipe.map(frames_with_audio(frames, sound)), strict=True):
        assert (one.phrases, one.scores.tolist()) == (other.phrases, other.scores.tolist())
        assert np.array_equal(one.score_map, other.score_map)


@pytest.mark.parametrize("smooth", [0.3, 0.5, 0.9])
def test_answers_do_not_depend_on_batching(smooth: float) -> None:
    pipe = zsavs.build_pipeline("text_bridged", preset="toy")
    frames, sound = made_up()
    wanted = list(pipe.video(frames, sound, smooth=smooth, batch_size=100))
    for size in (1, 2, 4):
        answers = list(pipe.video(frames, sound, smooth=smooth, batch_size=size))
        assert len(answers) == COUNT
        for one, other in zip(wanted, answers, strict=True):
            assert one.phrases == other.phrases
            assert one.queries.weights == pytest.approx(other.queries.weights, abs=1e-6)
            assert np.array_equal(one.masks, other.masks)


def test_a_long_video_is_never_held_as_a_whole() -> None:
    taken = 0

    def endless() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        frames, _ = made_up()
        while True:
            taken += 1
            yield frames[0]

    _, sound = made_up()
    long = AudioClip(np.tile(sound.waveform, (1, 10)), RATE)
    answers = zsavs.build_pipeline("audio_to_text", preset="toy").video(endless(), long, smooth=0.5, batch_size=2)
    for number in range(20):
        next(answers)
        assert taken <= number + 2 + Smoother(0.5).reach + 2


def test_files_are_read_as_they_are_needed(tmp_path: Path) -> None:
    frames, sound = made_up()
    for t, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f"{t}.png")
    soundfile.write(tmp_path / "sound.wav", sound.waveform.T, RATE, subtype="FLOAT")
    pipe = zsavs.build_pipeline("fused", preset="toy")
    paths = [tmp_path / f"{t}.png" for t in range(COUNT)]
    for one, other in zip(pipe.video(paths, tmp_path / "sound.wav"), pipe.video(frames, sound), strict=True):
        assert np.array_equal(one.masks, other.masks)


@pytest.mark.parametrize("smooth", [0.0, 0.5])
def test_no_frames_and_no_batch(smooth: float) -> None:
    pipe = zsavs.build_pipeline("fused", preset="toy")
    assert list(pipe.video([], ramp(1), smooth=smooth)) == []
    with pytest.raises(ContractError, match="batch_size"):
        list(pipe.video([BLACK], ramp(1), smooth=smooth, batch_size=0))


# ----------------------------------------------------------------------------------- evaluation
class Videos:
    """Three videos of four seconds: red with a gap in its third second, silence all through, and red again."""

    name, suite, root, split = "videos", "avsbench", "", "test"

    def __init__(self, broken: str = "") -> None:
        self.broken = broken
        frames, loud = made_up(gap=2)
        silent = AudioClip(np.zeros_like(loud.waveform), RATE)
        self.samples = {
            f"{video}/{t}": sample
            for video, sound in (("a", loud), ("b", silent), ("c", loud))
            for t, sample in enumerate(frames_with_audio(frames[:4], sound))
        }

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[str]:
        return iter(self.samples)

    def moment(self, item: str) -> tuple[str, int]:
        return item[0], int(item[2:])

    def load(self, item: str) -> Item:
        if item == self.broken:
            raise InputError(f"{item}: broken")
        _, mask = toy.scene(("red", "blue"), ("red",), size_hw=(48, 64), seed=int(item[2:]))
        return Item(self.samples[item], Target(mask & (item[0] != "b")))


def run(dataset: Any = None, **changes: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {"preset": "toy", "suites": ("avsbench",), "audio": ("recorded",), "smooth": 0.5}
    return evaluate(
        Videos() if dataset is None else dataset, Plan(("audio_to_text", "classify"), **{**settings, **changes})
    )


def fixed(report: dict[str, Any], strategy: str) -> dict[str, float]:
    return next(row["fixed"] for row in report["rows"] if row["strategy"] == strategy)


@pytest.mark.parametrize("strategy", ["audio_to_text", "classify"])
def test_smoothing_fills_the_gaps_and_never_crosses_into_another_video(strategy: str) -> None:
    off, on = fixed(run(smooth=0.0), strategy), fixed(run(), strategy)
    assert off["empty"] == pytest.approx(6 / 12)  # the silent video, and a second of each of the others
    assert on["empty"] == pytest.approx(4 / 12)  # the silent video, between two loud ones
    assert on["J"] > 0.99


def test_batches_limits_and_shards_do_not_change_the_numbers(tmp_path: Path) -> None:
    wanted = metrics_of(run(batch_size=100))
    for size in (1, 3):
        assert metrics_of(run(batch_size=size)) == wanted
    assert fixed(run(limit=3), "classify")["empty"] == 0, "frames after the limit are still around those before it"
    plan = Plan(("classify",), preset="toy", suites=("avsbench",), audio=("recorded",), smooth=0.5, batch_size=3)
    for part in range(2):
        evaluate(Videos(), replace(plan, shard=(part, 2)), tmp_path / str(part))
    whole = merge([tmp_path / "0", tmp_path / "1"], tmp_path / "whole")
    assert metrics_of(whole) == metrics_of(evaluate(Videos(), plan))


def test_a_frame_that_cannot_be_read_is_no_context() -> None:
    report = run(Videos(broken="a/1"), batch_size=2)
    assert [failed["item"] for failed in report["dataset"]["failed"]] == ["a/1"]
    assert fixed(report, "audio_to_text")["empty"] == pytest.approx(4 / 11)
    assert fixed(report, "classify")["empty"] == pytest.approx(5 / 11), "0.25 + 0.5 of 1.75 is no majority"


def test_a_strategy_that_fails_on_one_frame_loses_that_frame_only(monkeypatch: pytest.MonkeyPatch) -> None:
    tag = toy.ToyTagger.tag
    seen: list[int] = []

    def sometimes(self: Any, clips: Any) -> Any:
        if any(id(clip) == seen[0] for clip in clips):
            raise RuntimeError("too loud")
        return tag(self, clips)

    videos = Videos()
    seen.append(id(videos.samples["c/1"].audio))
    monkeypatch.setattr(toy.ToyTagger, "tag", sometimes)
    report = run(videos, batch_size=5)
    assert [(f["item"], "too loud" in f["error"]) for f in report["dataset"]["failed"]] == [("c/1", True)]


def test_images_of_cases_show_the_answer_that_was_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, int]] = []
    card = zsavs.AVSResult.card
    monkeypatch.setattr(
        zsavs.AVSResult,
        "card",
        lambda self, *a, **k: drawn.append((self.meta["sample"], len(self))) or card(self, *a, **k),
    )
    plan = Plan(("classify",), preset="toy", suites=(), audio=("recorded",), smooth=0.5, limit=4)
    evaluate(Videos(), plan, tmp_path / "run", visuals=4)
    assert ("frame 2", 1) in drawn
    assert ("frame 2", 0) not in drawn


def test_a_data_set_of_images_has_nothing_to_smooth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["eval", "--dataset", "orchestra", "--preset", "toy", "--strategy", "fused", "--limit", "1"]
    assert main([*words, "--smooth", "0.5"]) == 1
    assert "'orchestra' has no videos" in capsys.readouterr().err
    assert main([*words, "--smooth", "1"]) == 1
    assert main(words) == 0


def test_eval_smooths_a_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_ms3(tmp_path)
    words = ["eval", "--dataset", "ms3", "--root", str(tmp_path), "--preset", "toy", "--strategy", "fused"]
    assert main([*words, "--no-ablations", "--smooth", "0.5", "--json"]) == 0
    assert '"smooth": 0.5' in capsys.readouterr().out


def test_the_benchmarks_know_their_videos(tmp_path: Path) -> None:
    make_s4(tmp_path), make_ms3(tmp_path), make_avss(tmp_path)
    for dataset in (S4(tmp_path), MS3(tmp_path), AVSS(tmp_path), RobustS4(tmp_path)):
        moments = [dataset.moment(item) for item in dataset]
        assert len(set(moments)) == len(dataset), "no two items are the same moment"
        for item, (video, second) in zip(dataset, moments, strict=True):
            assert second == dataset.load(item).target.frame
            assert video in item or video.partition("/")[0] == dataset.load(item).target.condition
    positive, silent = (
        RobustS4(tmp_path).moment(f"{kind}/{next(iter(S4(tmp_path)))}") for kind in ("positive", "silence")
    )
    assert positive[0] != silent[0], "the same frames with other sounds are other videos"
