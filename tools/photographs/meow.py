"""A cat that meows twice, synthesised: harmonics of a gliding pitch through gliding formants, with some breath.

The formant frequencies glide as of a mouth that opens and closes. A random search over the numbers below chose them, by
what YAMNet hears in one meow: the sound is made to be recognised, and proves nothing about how well YAMNet hears cats.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["RATE_HZ", "synthesise"]

RATE_HZ = 16_000
_SEED = 0
_LONGEST_S = 0.97
#: Seconds of near silence before, between and after the meows.
_PAUSES_S = (0.1, 0.4, 0.1)
_HARMONICS = 23

#: Curves over the length of a meow: (time from 0 to 1, value). Pitch in Hz, then loudness.
_PITCH = ((0.0, 264.0), (0.235, 705.0), (0.6, 736.0), (1.0, 697.0))
_LOUDNESS = ((0.0, 0.0), (0.062, 0.8), (0.4, 1.0), (0.75, 0.6), (1.0, 0.0))
#: Each formant: centre in Hz as a curve, bandwidth in Hz, and how strong it is.
_FORMANTS = (
    (((0.0, 300.0), (0.35, 383.0), (0.65, 631.0), (1.0, 414.0)), 100.0, 1.0),
    (((0.0, 3333.0), (0.35, 2218.0), (0.65, 3109.0), (1.0, 1140.0)), 415.0, 2.31),
    (((0.0, 3400.0), (0.4, 4141.0), (1.0, 3200.0)), 450.0, 0.41),
    (((0.0, 5200.0), (1.0, 5200.0)), 700.0, 0.063),
)
#: The k-th harmonic is weaker by k to this power.
_TILT = 0.265
#: Vibrato as a share of the pitch and in Hz; a random waver as a share of the pitch; breath relative to the voice.
_VIBRATO, _VIBRATO_HZ, _WAVER, _BREATH = 0.0097, 9.39, 0.0137, 0.096


def synthesise() -> NDArray[np.float64]:
    """The waveform: (samples,) at :data:`RATE_HZ`, peaking at 0.6; the same at each call."""
    rng = np.random.default_rng(_SEED)
    before, between, after = (np.zeros(round(seconds * RATE_HZ)) for seconds in _PAUSES_S)
    first, second = _meow(rng, _LONGEST_S, 1.0), _meow(rng, 0.9 * _LONGEST_S, 0.97)
    wave = np.concatenate([before, first, between, second, after])
    wave = 0.6 * wave / np.abs(wave).max() + 3e-4 * rng.standard_normal(len(wave))
    return np.asarray(0.6 * wave / np.abs(wave).max())


def _meow(rng: np.random.Generator, seconds: float, height: float) -> NDArray[np.float64]:
    """One meow, with the pitch times ``height``."""
    count = round(seconds * RATE_HZ)
    vibrato = np.sin(2 * np.pi * _VIBRATO_HZ * np.arange(count) / RATE_HZ)
    window = np.hanning(400) / np.hanning(400).sum()
    waver = np.convolve(rng.standard_normal(count + 399), window, "valid")
    pitch_hz = height * _curve(_PITCH, count) * (1 + _VIBRATO * vibrato) * (1 + _WAVER * waver)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    voice = np.zeros(count)
    for k in range(1, _HARMONICS + 1):
        below_nyquist = np.clip((7600 - k * pitch_hz) / 400, 0, 1)
        voice += below_nyquist * _gain(k * pitch_hz) * k**-_TILT * np.sin(k * phase + 0.7 * k * k)
    voice /= np.sqrt(np.mean(voice**2))
    breath = _BREATH * rng.standard_normal(count) * (1 + np.cos(phase)) / 2
    return (voice + breath) * _curve(_LOUDNESS, count)


def _gain(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much the formants let through of a frequency, which changes over the meow."""
    total = np.zeros(len(frequency_hz))
    for centre_hz, bandwidth_hz, strength in _FORMANTS:
        distance = (frequency_hz - _curve(centre_hz, len(frequency_hz))) / (bandwidth_hz / 2)
        total += strength / np.sqrt(1 + distance**2)
    return total


def _curve(points: Sequence[tuple[float, float]], count: int) -> NDArray[np.float64]:
    """A curve through points, level at each of them: half a cosine from one to the next."""
    times, values = (np.array(numbers) for numbers in zip(*points, strict=True))
    time = np.linspace(0, 1, count)
    left = np.clip(np.searchsorted(times, time, side="right") - 1, 0, len(times) - 2)
    way = (time - times[left]) / (times[left + 1] - times[left])
    return np.asarray(values[left] + (values[left + 1] - values[left]) * (1 - np.cos(np.pi * way)) / 2)
