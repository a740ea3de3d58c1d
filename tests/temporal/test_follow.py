"""A video, answered: heard once, looked at where something sounds, followed."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_video

import zsavs
from zsavs.errors import AudioError, ContractError, InputError
from zsavs.media.video_file import VideoFrame
from zsavs.pipeline import Pipeline
from zsavs.temporal.video_result import VideoResult
from zsavs.types import AudioClip, AVSample, Detections, Query


@pytest.fixture(scope="module")
def pipe() -> Pipeline:
    return zsavs.build_pipeline("audio_to_text", preset="toy")


@pytest.fixture(scope="module")
def answered(pipe: Pipeline) -> VideoResult:
    return pipe.video(toy_video.frames(), toy_video.audio(), fps=toy_video.FPS, tracker="associate")


def by_phrase(result: VideoResult) -> dict[str, Any]:
    return {track.phrase: track for track in result.tracks}


def near(spans: Any, wanted: Any, most: float = 0.26) -> bool:
    return len(spans) == len(wanted) and all(
        abs(a - c) <= most and abs(b - d) <= most for (a, b), (c, d) in zip(spans, wanted, strict=True)
    )


def test_sources_are_found_while_they_sound_and_have_one_id(answered: VideoResult) -> None:
    tracks = by_phrase(answered)
    assert len(answered.tracks) == 2, "what sounds twice is one track"
    assert all(near(tracks[colour].times, spans) for colour, spans in toy_video.TIMES.items())
    for number, result in enumerate(answered):
        time_s = number / toy_video.FPS
        on = [c for c, spans in toy_video.TIMES.items() if any(a + 0.3 <= time_s < b - 0.3 for a, b in spans)]
        off = [c for c, spans in toy_video.TIMES.items() if not any(a - 0.3 <= time_s < b + 0.3 for a, b in spans)]
        assert set(on) <= set(result.phrases)
        assert not set(off) & set(result.phrases)


def test_masks_follow_what_moves(answered: VideoResult) -> None:
    red = by_phrase(answered)["red"]
    for number in (6, 14, 34, 42):
        mask = red.mask(number)
        assert mask is not None
        assert abs(np.flatnonzero(mask.any(axis=0)).mean() - (15 + number)) < 3


def test_what_was_heard_is_told_of_the_whole_video(answered: VideoResult) -> None:
    assert answered.queries.times is not None
    told = dict(zip(answered.queries.phrases, answered.queries.times, strict=True))
    assert all(near(told[colour], spans) for colour, spans in toy_video.TIMES.items())
    assert answered.meta["tracker"] == "associate"
    assert answered.meta["fps"] == toy_video.FPS
    assert set(answered.timings) == {"hear", "look", "track"}


def test_nothing_is_looked_at_where_nothing_sounds(pipe: Pipeline) -> None:
    asked: list[str] = []

    class Counting:
        def segment(self, samples: Any, proposals: Any) -> Any:
            asked.extend(sample.name for sample in samples)
            return pipe.segmenter.segment(samples, proposals)

    counted = replace(pipe, segmenter=Counting())
    counted.video(toy_video.frames(), toy_video.audio(), fps=toy_video.FPS, tracker="associate")
    seconds = [float(name.removesuffix(" s")) for name in asked]
    assert seconds
    assert all(any(a - 0.3 <= s < b + 0.3 for spans in toy_video.TIMES.values() for a, b in spans) for s in seconds)


def test_always_keeps_what_is_silent_in_view(pipe: Pipeline, answered: VideoResult) -> None:
    always = pipe.video(toy_video.frames(), toy_video.audio(), fps=toy_video.FPS, tracker="associate", show="always")
    assert len(by_phrase(always)["red"]) > len(by_phrase(answered)["red"])
    assert always.frame(1).phrases == ()
    assert "red" in always.frame(1, "always").phrases


def test_the_answer_does_not_depend_on_the_batch(pipe: Pipeline, answered: VideoResult) -> None:
    one = pipe.video(toy_video.frames(), toy_video.audio(), fps=toy_video.FPS, tracker="associate", batch_size=3)
    assert [track.runs for track in one.tracks] == [track.runs for track in answered.tracks]
    assert one.queries.times == answered.queries.times


def test_without_a_tracker_every_frame_is_by_itself(pipe: Pipeline, answered: VideoResult) -> None:
    alone = pipe.video(toy_video.frames(), toy_video.audio(), fps=toy_video.FPS, tracker="none")
    assert alone.meta["tracker"] == "none"
    assert [r.mask.sum() for r in alone] == [r.mask.sum() for r in answered]


def test_a_tracker_from_pivots_is_given_few_frames(pipe: Pipeline) -> None:
    class Copies:
        looks = "pivots"
        seen = 0

        def track(self, images: Any, found: Any) -> list[Detections]:
            Copies.seen += len(found)
            last = Detections.nothing(images[0].shape[:2])
            answers = []
            for place in range(len(images)):
                last = found.get(place, last)
                answers.append(replace(last, ids=np.array([("red", "blue").index(p) for p in last.phrases], int)))
            return answers

    result = pipe.video(toy_video.frames(), toy_video.audio(), fps=toy_video.FPS, tracker=Copies())
    assert 3 <= Copies.seen < 20
    assert {"red", "blue"} <= set(by_phrase(result))


def test_frames_after_the_audio_have_no_answer_and_it_says_so(pipe: Pipeline) -> None:
    clip = toy_video.audio()
    short = AudioClip(clip.waveform[:, : 3 * toy_video.RATE_HZ], toy_video.RATE_HZ)
    result = pipe.video(toy_video.frames(), short, fps=toy_video.FPS, tracker="associate")
    assert "ends at 3.00 s; 36 frames" in result.meta["notes"]["no_audio"]
    assert not any(len(result.frame(number)) for number in range(12, 48))


def test_a_part_has_the_times_of_the_whole(pipe: Pipeline) -> None:
    part = pipe.video(
        toy_video.frames(), toy_video.audio(), fps=toy_video.FPS, tracker="associate", start_s=4.0, end_s=8.0
    )
    assert len(part) == 16
    assert part.frames[0] == 4.0
    assert near(by_phrase(part)["blue"].times, toy_video.TIMES["blue"])


@pytest.mark.parametrize("strategy", ["fused", "joint_embedding", "classify", "caption", "cofactorization"])
def test_every_kind_of_strategy_is_followed(strategy: str) -> None:
    pipe = zsavs.build_pipeline(strategy, preset="toy")
    result = pipe.video(toy_video.frames(), toy_video.audio(), fps=toy_video.FPS, tracker="associate")
    assert {"red", "blue"} <= {phrase.removesuffix(" thing") for phrase in result.queries.phrases}
    assert len(result) == 48


def test_silence_is_an_empty_answer(pipe: Pipeline) -> None:
    silent = AudioClip(np.zeros((1, 8000), np.float32), 8000)
    result = pipe.video(toy_video.frames()[:4], silent, fps=4, tracker="associate")
    assert result.tracks == ()
    assert len(result.queries) == 0
    assert VideoResult.load(result.to_json()).tracks == ()


def test_a_file_is_answered_as_its_frames(pipe: Pipeline, answered: VideoResult, tmp_path: Path) -> None:
    path = toy_video.write(tmp_path / "discs.mp4")
    done: list[tuple[int, int | None]] = []
    result = pipe.video(path, fps=toy_video.FPS, progress=lambda n, total: done.append((n, total)))
    assert result.source == str(path)
    assert done[-1] == (48, 48)
    assert {track.phrase for track in result.tracks} == {"red", "blue"}
    assert all(near(by_phrase(result)[colour].times, spans) for colour, spans in toy_video.TIMES.items())
    same = zsavs.segment(str(path), strategy="audio_to_text", preset="toy", fps=toy_video.FPS)
    assert same.to_json().split('"timings_s"')[0] == result.to_json().split('"timings_s"')[0]
    loaded = VideoResult.load(result.save(tmp_path, "answer", masks="png")["json"])
    assert [track.runs for track in loaded.tracks] == [track.runs for track in result.tracks]
    assert len(list((tmp_path / "answer_masks").iterdir())) == 48
    assert loaded.to_coco()["annotations"][0]["track_id"] in (1, 2)


def test_frames_may_have_times_of_their_own(pipe: Pipeline, answered: VideoResult) -> None:
    """With some of them left out, the others are what they were."""
    kept = [number for number in range(toy_video.FPS * toy_video.SECONDS) if number not in (6, 7, 20)]
    frames = toy_video.frames()
    given = [VideoFrame(frames[number], number / toy_video.FPS) for number in kept]
    result = pipe.video(given, toy_video.audio(), fps=toy_video.FPS, tracker="associate")
    np.testing.assert_array_equal(result.frames, answered.frames[kept])
    assert [(track.phrase, track.times) for track in result.tracks] == [(t.phrase, t.times) for t in answered.tracks]
    for number, own in enumerate(kept):
        np.testing.assert_array_equal(result.frame(number).mask, answered.frame(own).mask)
    for wrong in (given[::-1], [given[0], frames[1]], [VideoFrame(frames[0], math.nan)]):
        with pytest.raises(InputError, match="all need one, in order"):
            pipe.video(wrong, toy_video.audio(), fps=4, tracker="none")


def test_what_cannot_be_answered_is_said(pipe: Pipeline, tmp_path: Path) -> None:
    frames, audio = toy_video.frames(), toy_video.audio()
    for words, given in (
        ("fps must be", {"fps": 0}),
        ("show must be", {"show": "never"}),
        ("start_s and end_s", {"start_s": 3.0, "end_s": 2.0}),
        ("no frames between", {"start_s": 50.0}),
    ):
        with pytest.raises(InputError, match=words):
            pipe.video(frames, audio, **{"fps": 4, "tracker": "associate", **given})
    with pytest.raises(InputError, match="need their audio"):
        pipe.video(frames, fps=4, tracker="associate")  # type: ignore[call-overload]
    with pytest.raises(ContractError, match="tracker: expected an object"):
        pipe.video(frames, audio, tracker=3)  # type: ignore[call-overload]
    with pytest.raises(ContractError, match="batch_size"):
        pipe.video(frames, audio, tracker="none", batch_size=0)
    with pytest.raises(InputError, match="frame 1 is"):
        pipe.video([frames[0], frames[1][:10]], audio, fps=1, tracker="none")
    with pytest.raises(zsavs.ZsavsError, match="none_such"):
        pipe.video(frames, audio, tracker="none_such")
    with pytest.raises(AudioError, match="needs an audio"):
        zsavs.segment(frames[0], preset="toy")  # type: ignore[call-overload]
    (tmp_path / "a.txt").write_text("no video")
    with pytest.raises(zsavs.ZsavsError, match="no video"):
        zsavs.segment(tmp_path / "a.txt", preset="toy")
    with pytest.raises(InputError, match="no such file"):
        zsavs.segment(tmp_path / "gone.mp4", preset="toy")


def test_a_pipeline_made_by_hand_takes_trackers_themselves(pipe: Pipeline) -> None:
    class Nothing:
        def query(self, samples: list[AVSample]) -> list[Query]:
            return [Query.nothing() for _ in samples]

    own = Pipeline(Nothing(), pipe.grounder, pipe.verifier, pipe.segmenter)
    result = own.video(toy_video.frames(), toy_video.audio(), fps=4, tracker="none", end_s=math.inf)
    assert result.tracks == ()
    with pytest.raises(InputError, match="was not built from names"):
        own.video(toy_video.frames(), toy_video.audio(), tracker="associate")
