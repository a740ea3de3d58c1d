"""Audio clips: what is no waveform, what is no rate, and the downmix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from refusals import one_line

from zsavs.errors import AudioError
from zsavs.media.audio_clip import AudioClip, excerpt


def clip(wave: Any, rate: Any = 16_000) -> AudioClip:
    return AudioClip(wave, rate)


@pytest.mark.parametrize(
    ("wave", "says"),
    [
        (np.zeros(100, np.float32), r"\(channels, samples\).*\(100,\).*wave\[None, :\]"),
        (np.zeros((1, 1, 100), np.float32), r"\(1, 1, 100\)"),
        (np.zeros((1, 100), np.int16), r"int16.*32768"),
        (np.zeros((1, 100), np.complex64), r"complex64"),
        (np.zeros((1, 100), np.bool_), r"bool"),
        (np.zeros((1, 0), np.float32), "no samples"),
        (np.zeros((0, 100), np.float32), "no samples"),
        (np.zeros((48_000, 2), np.float32), "48000 channels.*transposed"),
        (np.array([[0, np.nan]], np.float32), "NaN or infinity.*nan_to_num"),
        (np.array([[0, -np.inf]], np.float32), "NaN or infinity"),
        (np.array([[1e300]], np.float64), r"reaches 1e\+300, and full scale is \[-1, 1\]"),
        (np.array([[0, -1e20]], np.float32), r"reaches 1e\+20.*byte order"),
    ],
)
def test_a_wrong_waveform_is_refused_with_the_reason(wave: Any, says: str) -> None:
    with pytest.raises(AudioError, match=says) as error:
        clip(wave)
    assert one_line(error).startswith("AudioClip: ")


@pytest.mark.parametrize("rate", [0, -1, 44_100.5, True, "16000", "fast", None, float("nan"), float("inf"), [16_000]])
def test_a_wrong_rate_is_refused(rate: Any) -> None:
    with pytest.raises(AudioError, match="sample_rate_hz must be a positive whole number"):
        clip(np.zeros((1, 10), np.float32), rate)


@pytest.mark.parametrize("rate", [1, np.int64(8000), 8000.0, np.float32(8000)])
def test_a_whole_rate_of_any_type_becomes_an_int(rate: Any) -> None:
    assert type(clip(np.zeros((1, 10), np.float32), rate).sample_rate_hz) is int


def test_a_message_names_the_file() -> None:
    with pytest.raises(AudioError, match=r"^bark\.wav: "):
        AudioClip(np.zeros((1, 0), np.float32), 16_000, source="bark.wav")


def test_louder_than_full_scale_is_allowed() -> None:
    assert clip(np.full((1, 4), 3.0, np.float32)).waveform.max() == 3.0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_any_float_dtype_becomes_float32(dtype: Any) -> None:
    assert clip(np.zeros((1, 4), dtype)).waveform.dtype == np.float32


def test_dual_mono_gives_the_bits_of_mono(rng: np.random.Generator) -> None:
    wave = rng.standard_normal((1, 10_001)).astype(np.float32)
    assert np.array_equal(clip(wave.repeat(2, axis=0)).mono(), clip(wave).mono())
    assert np.array_equal(clip(wave).mono(), wave[0])


def test_mono_is_the_mean_of_the_channels() -> None:
    mono = clip(np.array([[1, 0, -1], [0, 0.5, 1]], np.float32)).mono()
    assert mono.dtype == np.float32
    assert mono.tolist() == [0.5, 0.25, 0.0]


def test_duration_and_repr() -> None:
    stereo = clip(np.zeros((2, 24_000), np.float32))
    assert stereo.duration_s == 1.5
    assert repr(stereo) == "AudioClip(1.50 s, 2 channels, 16000 Hz)"
    assert "1 channel," in repr(clip(np.zeros((1, 8), np.float32)))


# ------------------------------------------------------------------------------- channels that cancel each other
def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("gain", [-1.0, -0.9, -1.1])
def test_channels_of_opposite_sign_are_heard_by_the_loudest(
    rng: np.random.Generator, caplog: pytest.LogCaptureFixture, gain: float
) -> None:
    wave = rng.standard_normal(20_000).astype(np.float32) / 8
    stereo = AudioClip(np.stack([wave, np.float32(gain) * wave]), 16_000, source="bark.wav")
    loudest = 1 if gain < -1 else 0
    for _ in range(2):
        assert np.array_equal(stereo.mono(), stereo.waveform[loudest])
    assert said(caplog) == [
        "bark.wav: the channels are opposite in sign and cancel in their mean; "
        f"channel {loudest + 1} of 2 is heard alone."
    ]


def test_a_constant_offset_does_not_hide_that_they_cancel(rng: np.random.Generator) -> None:
    wave = rng.standard_normal(20_000).astype(np.float32) / 8
    assert np.array_equal(clip(np.stack([wave, 0.5 - np.float32(0.95) * wave])).mono(), wave)


@pytest.mark.parametrize("channels", [2, 3, 8, 200])
def test_channels_with_nothing_in_common_are_averaged(
    rng: np.random.Generator, caplog: pytest.LogCaptureFixture, channels: int
) -> None:
    for wave in (
        rng.standard_normal((channels, 2000)).astype(np.float32),
        np.eye(channels, 2000, dtype=np.float32),
        np.concatenate([np.ones((1, 2000)), np.zeros((channels - 1, 2000))]) * rng.standard_normal(2000),
    ):
        some = clip(wave)
        assert np.array_equal(some.mono(), some.waveform.mean(axis=0, dtype=np.float32))
    assert not said(caplog)


@pytest.mark.parametrize("wave", [np.zeros((2, 50)), np.array([[0.25], [-0.25]]) * np.ones(50), [[0.5], [-0.5]]])
def test_of_silence_and_constants_nothing_is_said(caplog: pytest.LogCaptureFixture, wave: Any) -> None:
    assert not clip(np.array(wave, np.float32)).mono().any()
    assert not said(caplog)


def test_the_loudest_levels_that_are_allowed_cancel_too() -> None:
    wave = np.array([2.0**32, -(2.0**32), 0.0, 5.0], np.float32)
    assert np.array_equal(clip(np.stack([wave, -wave])).mono(), wave)


def test_what_is_cut_from_a_clip_is_downmixed_as_the_clip_and_it_is_said_once(
    rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    wave = rng.standard_normal(16_000).astype(np.float32) / 8
    whole = clip(np.stack([-0.99 * wave, wave]))
    for part in (excerpt(whole, 0.25, 0.5, 0.5), whole.part(4000, 12_000)):
        assert np.array_equal(part.mono(), wave[4000:12_000])
        assert len(part.waveform) == 2
    assert len(said(caplog)) == 1


@pytest.mark.parametrize("sign", [1, -1])
def test_a_part_of_the_downmix_is_that_part_of_the_whole(rng: np.random.Generator, sign: float) -> None:
    wave = rng.standard_normal((3, 5001)).astype(np.float32)
    wave[1] += sign * wave[0]
    some = clip(wave)
    assert np.array_equal(some.mono(17, 1003), some.mono()[17:1003])
    assert np.array_equal(some.mono(stop=9), some.mono()[:9])
    assert len(some.mono(4000, 10_000)) == 1001
