"""An encoder that embeds frames: its short windows find what is brief, and its frames say when, to a frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from zsavs.algebra.directions import unit
from zsavs.calibration.heard import listen
from zsavs.calibration.scorers import AudioScorer
from zsavs.decomposition.embedded_clip import EmbeddedClip, EmbeddedClipEncoder
from zsavs.protocols import AudioFrameEncoder
from zsavs.strategies.audio_to_text import AudioToText
from zsavs.strategies.cofactorization import Cofactorization
from zsavs.testing import check_encoder, toy
from zsavs.types import AudioClip, AVSample, Query

RATE = 16_000
FRAME_S = 0.04
COLOURS = tuple(toy.COLOURS)


class Ears(toy.ToyAudioText):
    """Hears each colour's share of the power in frames of 0.04 s; a clip is the mean of its frames."""

    def __init__(self) -> None:
        super().__init__()
        noise = np.random.default_rng(0).standard_normal((4, 1, RATE)).astype(np.float32)
        clips = [toy.tone(), *(toy.tone(colour) for colour in COLOURS), *(AudioClip(0.1 * n, RATE) for n in noise)]
        self.sound_bank = self.encode_audio(clips)

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        means = np.array([self.frames(clip).mean(axis=0) for clip in clips], np.float32).reshape(-1, 8)
        return np.asarray(unit(means), np.float32)

    def frames(self, clip: AudioClip) -> NDArray[np.float32]:
        """(F, 8) unit rows."""
        step = round(FRAME_S * clip.sample_rate_hz)
        wave = clip.mono()
        wave = np.pad(wave, (0, -len(wave) % step)).reshape(-1, step)
        turns = np.exp(2j * np.pi * np.outer(np.arange(step) / clip.sample_rate_hz, [*toy.PITCHES_HZ.values()]))
        shares = 2 * np.abs(wave @ turns / step) ** 2 / (np.square(wave).mean(axis=1, keepdims=True) + 1e-6)
        rest = np.maximum(1 - shares.sum(axis=1, keepdims=True), 0.05)
        return np.asarray(unit(np.concatenate([shares, rest, 0 * rest], axis=1)), np.float32)


class Framed(Ears):
    """The same, and says so; counts the seconds that it is given."""

    frame_s = FRAME_S

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.calls: list[float] = []

    def encode_audio_frames(self, clips: Sequence[AudioClip]) -> list[NDArray[np.float32]]:
        self.calls.append(sum(clip.duration_s for clip in clips))
        self.seconds += self.calls[-1]
        return [self.frames(clip) for clip in clips]


def recording(seconds: float, *events: tuple[str, float, float], noise: float = 0.0) -> AudioClip:
    """Hums of colours, each from a second to another one, in silence or noise."""
    rng = np.random.default_rng(0)
    wave = noise * rng.standard_normal(round(seconds * RATE)).astype(np.float32)
    for colour, on, off in events:
        hum = toy.tone(colour, seconds=off - on).waveform[0]
        wave[round(on * RATE) : round(on * RATE) + len(hum)] += hum
    return AudioClip(wave[None].astype(np.float32), RATE)


def heard_by(encoder: Ears, clip: AudioClip) -> Query:
    (query,) = AudioToText(encoder, COLOURS, min_z=1.0, max_gap=4.0).query([AVSample(IMAGE, clip)])
    return query


IMAGE = np.zeros((8, 8, 3), np.uint8)


def test_the_ears_are_an_encoder_of_frames() -> None:
    assert isinstance(Framed(), AudioFrameEncoder)
    assert not isinstance(Ears(), AudioFrameEncoder)
    check_encoder(Framed())


@pytest.mark.parametrize(("on", "off"), [(1.32, 2.48), (0.0, 3.0), (3.64, 5.96), (2.5, 3.1)])
def test_on_and_off_are_right_to_a_frame(on: float, off: float) -> None:
    """Beside another colour that sounds all along, so that no silence tells."""
    query = heard_by(Framed(), recording(6.0, ("blue", 0.0, 6.0), ("red", on, off)))
    assert set(query.phrases) == {"red", "blue"}
    assert query.times is not None
    times = dict(zip(query.phrases, query.times, strict=True))
    ((begin, end),) = times["red"]
    assert (begin, end) == pytest.approx((on, off), abs=FRAME_S)
    assert times["blue"][0] == pytest.approx((0.0, 6.0), abs=FRAME_S)


def test_windows_alone_are_right_to_half_a_second_at_best() -> None:
    query = heard_by(Ears(), recording(6.0, ("blue", 0.0, 6.0), ("red", 2.5, 2.9)))
    assert query.times is not None
    assert all(off - on > 1 for spans in query.times for on, off in spans), "what the frames are for"


def test_a_clip_of_one_window_has_times_too() -> None:
    query = heard_by(Framed(), recording(0.8, ("blue", 0.0, 0.8), ("red", 0.2, 0.6)))
    assert query.times is not None
    times = dict(zip(query.phrases, query.times, strict=True))
    assert times["red"][0] == pytest.approx((0.2, 0.6), abs=FRAME_S)
    assert heard_by(Ears(), recording(0.8, ("red", 0.2, 0.6))).times is None


def test_what_is_brief_scores_as_what_lasts() -> None:
    """Half a second of red in a minute of blue; a window of four seconds hears seven times as much blue."""
    brief = recording(60.0, ("blue", 0.0, 60.0), ("red", 30.2, 30.8))
    by_frames, by_windows = (
        float(AudioScorer(encoder, COLOURS)([brief], ["red"])[0, 0]) for encoder in (Framed(), Ears())
    )
    assert by_frames > by_windows + 0.5


def test_silence_around_a_sound_changes_nothing() -> None:
    """To half precision, in which frames are kept."""
    short, long = recording(8.0, ("red", 3.0, 4.2)), recording(30.0, ("red", 19.0, 20.2))
    scorer = AudioScorer(Framed(), COLOURS)
    one, other = scorer.listen([short, long])
    np.testing.assert_allclose(one.embeddings, other.embeddings, atol=1e-3)
    np.testing.assert_allclose(other.starts_s - one.starts_s, 16.0)
    red, shifted = (scorer.timed(Query(("red",), np.ones(1, np.float32)), each).times for each in (one, other))
    assert red is not None
    assert shifted is not None
    assert np.array(shifted[0]) - 16 == pytest.approx(np.array(red[0]), abs=1e-6)


def test_only_what_is_audible_goes_through_the_encoder_and_once() -> None:
    encoder = Framed()
    clip = recording(60.0, ("red", 10.0, 13.0), ("blue", 40.0, 40.2))
    listen(encoder, [clip])
    listen(encoder, [clip])
    assert encoder.seconds == pytest.approx(3 + 1, abs=0.3)


def test_a_long_recording_is_heard_in_pieces_without_a_seam() -> None:
    encoder = Framed()
    clip = recording(1000.3, ("blue", 0.0, 1000.3), ("red", 59.0, 61.4))
    (heard,) = listen(encoder, [clip])
    assert max(encoder.calls) < 8 * 90
    assert len(encoder.calls) > 1
    assert heard.frames is not None
    np.testing.assert_allclose(np.diff(heard.frames.starts_s), FRAME_S, atol=1e-6)
    assert heard.frames.starts_s[-1] == pytest.approx(1000.3, abs=2 * FRAME_S)
    np.testing.assert_array_equal(heard.frames.embeddings, encoder.frames(clip).astype(np.float16))


def test_a_batch_is_its_clips_one_by_one() -> None:
    clips = [
        recording(6.0, ("red", 1.0, 2.0)),
        recording(0.02, ("blue", 0.0, 0.02)),
        recording(3.0),
        recording(20.0, ("green", 0.0, 20.0), ("red", 7.0, 9.0), noise=0.01),
    ]
    together = listen(Framed(), clips)
    for one, clip in zip(together, clips, strict=True):
        (alone,) = listen(Framed(), [clip])
        np.testing.assert_array_equal(one.embeddings, alone.embeddings)
        assert one.frames is not None
        assert alone.frames is not None
        np.testing.assert_array_equal(one.frames.embeddings, alone.frames.embeddings)
        np.testing.assert_array_equal(one.frames.starts_s, alone.frames.starts_s)
        assert np.linalg.norm(one.embeddings, axis=1) == pytest.approx(1, abs=1e-5)
        assert len(one.embeddings) == len(one.starts_s)


def test_a_window_is_the_mean_of_its_frames() -> None:
    clip = recording(5.0, ("red", 0.0, 2.0), ("blue", 2.0, 5.0))
    encoder = Framed()
    (heard,) = listen(encoder, [clip])
    (frames,) = encoder.encode_audio_frames([clip])
    for row, start in zip(heard.embeddings, heard.starts_s, strict=True):
        if abs(start / FRAME_S % 1 - 0.5) < 0.01:  # between two frames
            continue
        first = round(start / FRAME_S)
        mean = frames[first : first + 25].mean(axis=0)
        np.testing.assert_allclose(row, mean / np.linalg.norm(mean), atol=1e-3)


def test_a_window_of_the_clip_is_its_audio() -> None:
    clip = recording(5.0, ("red", 0.0, 5.0))
    (heard,) = listen(Framed(), [clip])
    window = heard.window(clip, 2)
    assert window.duration_s == 1.0
    start = round(heard.starts_s[2] * RATE)
    np.testing.assert_array_equal(window.waveform, clip.waveform[:, start : start + RATE])
    (heard,) = listen(Framed(), [short := recording(0.5, ("red", 0.0, 0.5))])
    assert heard.window(short, 0) is short


def test_a_source_that_is_known_by_its_embedding_keeps_it_beside_clips_with_frames() -> None:
    encoder = EmbeddedClipEncoder(Framed())
    clip = recording(6.0, ("red", 1.0, 2.0))
    row = Framed().encode_audio([toy.tone("green")])[0]
    source = EmbeddedClip(clip.waveform, RATE, embedding=row, space="toy")
    framed, embedded = listen(encoder, [clip, source])
    assert framed.frames is not None
    assert embedded.frames is None
    np.testing.assert_array_equal(embedded.embeddings, row[None])


def test_cofactorization_takes_the_tokens_of_short_windows() -> None:
    sample, _ = toy.scene(["red", "blue"], [])
    clip = recording(6.0, ("red", 1.32, 2.48))
    (query,) = Cofactorization(Framed(), toy.ToyImageText(), COLOURS, silent=(), min_z=1.0).query(
        [AVSample(sample.image, clip)]
    )
    assert query.phrases == ("red",)
    assert query.times is not None
    assert query.times[0][0] == pytest.approx((1.32, 2.48), abs=FRAME_S)
