"""Waveforms: resampled, fitted to a length, cut into windows, measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waveforms import RATE, noise, tone

from zsavs.errors import AudioError
from zsavs.media.waveform import fit, resample, rms_db, windows

# --- resampling -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 192_000])
@pytest.mark.parametrize("to", [16_000, 32_000, 48_000])
def test_a_tone_stays_the_tone(rate, to):
    changed = resample(tone(1, rate, 1000), rate, to)
    expected = tone(1, to, 1000)
    assert changed.shape == expected.shape
    assert changed.dtype == np.float32
    inner = slice(to // 20, -to // 20)
    assert np.abs(changed - expected)[inner].max() < 1e-5


def test_what_the_new_rate_cannot_hold_is_gone():
    """A 10 kHz tone must not fold back to 6 kHz at 16 kHz."""
    assert np.abs(resample(tone(1, 48_000, 10_000), 48_000, 16_000))[800:-800].max() < 1e-4


def test_equal_rates_change_nothing():
    wave = noise(100)
    assert resample(wave, RATE, RATE) is wave


@pytest.mark.parametrize(("rate", "to"), [(44_100, 48_000), (48_000, 16_000), (24_000, 22_050), (7, 48_000)])
@pytest.mark.parametrize("samples", [1, 2, 3, 7, 160, 1680, 4411])
def test_the_length_is_the_rounded_share(rate, to, samples):
    changed = resample(noise(samples), rate, to)
    assert len(changed) == max(1, math.floor(samples * to / rate + 0.5))
    assert np.isfinite(changed).all()


@pytest.mark.parametrize("more", [-2, -1, 1, 2])
def test_the_length_does_not_hang_on_the_version_of_soxr(monkeypatch, more):
    monkeypatch.setattr("soxr.resample", lambda wave, *_, **__: np.ones((50 + more, 2), np.float32))
    assert resample(np.ones((2, 100), np.float32), 48_000, 24_000).tolist() == [[1] * 50] * 2


def test_channels_are_resampled_one_by_one():
    wave = np.stack([noise(50_000, seed) for seed in range(3)])
    together = resample(wave, 44_100, 16_000)
    assert together.flags.c_contiguous
    for row, alone in zip(together, wave, strict=True):
        np.testing.assert_array_equal(row, resample(alone, 44_100, 16_000))
    np.testing.assert_array_equal(together, resample(wave, 44_100, 16_000))


@pytest.mark.parametrize(
    ("wave", "rate", "to"),
    [(np.zeros(0), 1, 2), (np.zeros((1, 1, 1)), 1, 2), (np.zeros(3), 0, 2), (np.zeros(3), 2, -1)],
)
def test_resample_refuses(wave, rate, to):
    with pytest.raises(AudioError, match="resample"):
        resample(wave, rate, to)


# --- windows ----------------------------------------------------------------------------------------------------------


def test_windows_start_every_hop_and_the_last_ends_at_the_end():
    wave = np.arange(107, dtype=np.float32)
    cut = windows(wave, 10, length_s=4, hop_s=2)
    assert cut.shape == (5, 40)
    np.testing.assert_array_equal(cut[:, 0], [0, 20, 40, 60, 67])
    for window in cut:
        np.testing.assert_array_equal(window, np.arange(window[0], window[0] + 40))


def test_windows_that_fit_exactly_are_not_doubled():
    np.testing.assert_array_equal(windows(np.arange(12, dtype=np.float32), 1, 4, 4)[:, 0], [0, 4, 8])
    assert windows(np.arange(4, dtype=np.float32), 1, 4, 4).shape == (1, 4)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 3000), st.floats(0.001, 2), st.floats(0.001, 1))
def test_windows_cover_every_sample(samples, length_s, share):
    wave = np.arange(samples, dtype=np.float32)
    cut = windows(wave, 1000, length_s, max(length_s * share, 1e-4))
    assert set(np.unique(cut).astype(int)) == set(range(samples))
    assert cut.shape[1] == max(1, round(length_s * 1000))
    if samples > cut.shape[1]:
        assert cut[-1, -1] == samples - 1
        assert (np.diff(cut, axis=1) == 1).all()


@pytest.mark.parametrize("samples", [1, 2, 160, 15_999])
def test_a_short_sound_is_repeated(samples):
    wave = noise(samples)
    cut = windows(wave, RATE, 1.0, 0.5)
    assert cut.shape == (1, RATE)
    np.testing.assert_array_equal(cut[0], wave[np.arange(RATE) % samples])
    np.testing.assert_array_equal(cut[0], fit(wave, RATE))


def test_windows_do_not_change_with_the_sound():
    wave = noise(100)
    cut = windows(wave, 10, 4, 2)
    wave[:] = 0
    assert cut.any()


@pytest.mark.parametrize(("length", "hop", "rate"), [(0, 0, 1), (1, 0, 1), (1, 2, 1), (1, 1, 0), (math.inf, 1, 1)])
def test_windows_refuse(length, hop, rate):
    with pytest.raises(AudioError, match="windows"):
        windows(noise(10), rate, length, hop)


@pytest.mark.parametrize("wave", [np.zeros((2, 10), np.float32), np.zeros(0, np.float32)])
def test_only_mono_is_cut(wave):
    with pytest.raises(AudioError, match="mono"):
        windows(wave, 10, 1, 1)
    with pytest.raises(AudioError, match="mono"):
        fit(wave, 10)


def test_fit():
    wave = np.arange(3, dtype=np.float32)
    np.testing.assert_array_equal(fit(wave, 7), [0, 1, 2, 0, 1, 2, 0])
    np.testing.assert_array_equal(fit(wave, 3), [0, 1, 2])
    np.testing.assert_array_equal(fit(wave, 2), [0, 1])
    with pytest.raises(AudioError, match="fit"):
        fit(wave, 0)


# --- level ------------------------------------------------------------------------------------------------------------


def test_level():
    assert rms_db(np.array([1, -1, 1, -1], np.float32)) == 0
    assert rms_db(tone(1, amplitude=1)) == pytest.approx(-3.0103, abs=1e-3)
    assert rms_db(np.full((2, 50), 0.5, np.float32)) == pytest.approx(-6.0206, abs=1e-3)
    assert rms_db(np.full(4, 1e25, np.float32)) == pytest.approx(500, abs=1e-3)
    assert rms_db(np.array([[1, 1], [0, 0]], np.float32)) == pytest.approx(-3.0103, abs=1e-3)


def test_silence_has_a_floor():
    assert rms_db(np.zeros(10, np.float32)) == -120
    assert rms_db(np.full(10, 1e-9, np.float32)) == -120
    assert rms_db(np.full(10, 1e-30, np.float32)) == -120
    with pytest.raises(AudioError, match="no level"):
        rms_db(np.zeros(0, np.float32))
