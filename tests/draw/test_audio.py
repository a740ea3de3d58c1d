"""The image of an audio clip: waveform, spectrogram and time axis."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from drawings import clip, pixels_of, silence

from zsavs.draw.audio import audio_strip, envelope, spectrogram, time_ticks
from zsavs.draw.colours import QUIET
from zsavs.types import AudioClip


def test_the_envelope_misses_no_click_and_follows_short_sounds() -> None:
    wave = np.zeros((2, 1_000_000), np.float32)
    wave[:, 700_001] = -0.8
    low, high = envelope(AudioClip(wave, 48_000), 500)
    assert low.argmin() == 350
    assert low.min() == pytest.approx(-0.8)
    assert high.max() == 0
    assert np.count_nonzero(low) == 1
    low, high = envelope(AudioClip(np.array([[0.0, 1.0]], np.float32), 10), 100)
    assert (low <= high).all()
    assert (low[0], high[-1]) == (0, 1)
    np.testing.assert_allclose(low[30:70], np.arange(30, 70) / 50 - 0.5, atol=0.03)


def test_channels_that_cancel_are_drawn_as_they_are_heard() -> None:
    one = clip(1.0, 16_000, 500.0)
    wave = one.waveform[0]
    opposite = AudioClip(np.stack([wave, -wave]), 16_000)
    np.testing.assert_array_equal(envelope(opposite, 100), envelope(one, 100))
    np.testing.assert_array_equal(spectrogram(opposite, 100, 40), spectrogram(one, 100, 40))


def test_memory_does_not_grow_with_the_length() -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, (2, 8_000_000)).astype(np.float32)

    def peak(samples: int) -> int:
        sound = AudioClip(wave[:, :samples], 16_000)
        tracemalloc.start()
        try:
            audio_strip(sound, 300, 200, 16)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(16_000)
    assert peak(8_000_000) < 1.2 * peak(1_000_000)


@pytest.mark.parametrize("hz", [300.0, 1000.0, 6000.0])
def test_a_tone_lies_in_the_row_of_its_frequency(hz: float) -> None:
    level = spectrogram(clip(1.0, 32_000, hz), 100, 160)
    assert level.shape == (160, 100)
    mel = 2595 * np.log10(1 + np.array([hz, 16_000]) / 700)
    expected = 160 * (1 - mel[0] / mel[1])
    assert abs(level[:, 50].argmax() + 0.5 - expected) <= 2
    assert level.max() == 1
    assert np.median(level) < 0.2


def test_a_burst_lies_in_the_column_of_its_time() -> None:
    wave = np.zeros((1, 160_000), np.float32)
    wave[0, 40_000:41_600] = np.random.default_rng(0).normal(0, 0.1, 1600)
    level = spectrogram(AudioClip(wave, 16_000), 400, 60).mean(axis=0)
    assert set(np.flatnonzero(level > 0.3)) <= set(range(98, 107))
    assert level[101] > 0.5


def test_silence_is_pale_and_a_whisper_is_not_shown_as_a_shout() -> None:
    assert spectrogram(silence(), 50, 40).max() == 0
    assert spectrogram(clip(level=1e-4), 50, 40).max() < 0.7
    assert spectrogram(clip(level=0.5), 50, 40).max() == 1
    quiet = np.asarray(audio_strip(clip(level=1e-4), 300, 200, 16))[:50]
    loud = np.asarray(audio_strip(clip(level=0.5), 300, 200, 16))[:50]
    assert (quiet < 200).any(axis=-1).sum() < 0.2 * (loud < 200).any(axis=-1).sum()


@pytest.mark.parametrize(
    "duration", [2e-5, 0.01, 0.999, 1.0, 2.61, 5.0, 59.0, 99.9, 100.0, 600.0, 3599.0, 3600.0, 9e4, 1e7]
)
def test_ticks_are_round_few_and_inside(duration: float) -> None:
    ticks, unit = time_ticks(duration, 8)
    assert 2 <= len(ticks) <= 9
    assert ticks[0] == (0, "0" if unit == "s" else "0:00")
    assert ticks[-1][0] <= duration * (1 + 1e-9)
    for seconds, label in ticks:
        *whole, part = map(float, label.split(":"))
        scale = {"s": 1, "min": 60, "h": 3600}[unit]
        assert (whole[0] * scale + part * scale / 60 if whole else part) == pytest.approx(seconds)
    assert len({label for _, label in ticks}) == len(ticks)


@pytest.mark.parametrize(
    ("duration", "labels", "unit"),
    [
        (4.0, "0 1 2 3 4", "s"),
        (20.0, "0 5 10 15 20", "s"),
        (120.0, "0:00 0:30 1:00 1:30 2:00", "min"),
        (600.0, "0:00 5:00 10:00", "min"),
        (3600.0, "0:00 0:20 0:40 1:00", "h"),
        (4 * 3600.0, "0:00 1:00 2:00 3:00 4:00", "h"),
    ],
)
def test_the_axis_of_a_long_clip_is_a_clock(duration: float, labels: str, unit: str) -> None:
    ticks, of = time_ticks(duration, 4)
    assert (" ".join(label for _, label in ticks), of) == (labels, unit)


@pytest.mark.parametrize(
    "sound",
    [
        silence(),
        silence(1 / 16_000),
        clip(0.01),
        clip(0.01, 44_100),
        AudioClip(np.ones((1, 5), np.float32), 1),
        AudioClip(np.full((1, 9), 50.0, np.float32), 8_000_000),
        AudioClip(np.random.default_rng(0).normal(0, 1, (256, 300)).astype(np.float32), 8000),
    ],
    ids=str,
)
def test_odd_sounds_are_drawn(sound: AudioClip) -> None:
    image = audio_strip(sound, 500, 220, 16)
    assert (image.mode, image.size) == ("RGB", (500, 220))
    assert pixels_of(image, QUIET) > 10  # the ticks of the axis


def test_ten_minutes_take_bounded_time_and_memory() -> None:
    rng = np.random.default_rng(0)
    wave = np.tile(rng.normal(0, 0.1, (2, 441_000)).astype(np.float32), 60)
    long = AudioClip(wave, 44_100)
    start = time.perf_counter()
    tracemalloc.start()
    try:
        audio_strip(long, 1200, 270, 17)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - start < 10
    assert peak < wave.nbytes / 4, f"{peak / 1e6:.0f} MB for a recording of {wave.nbytes / 1e6:.0f} MB"
