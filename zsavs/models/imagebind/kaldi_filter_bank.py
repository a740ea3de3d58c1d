"""Kaldi's log-mel filter bank as ImageBind takes it, in numpy, to the values of torchaudio's ``compliance.kaldi``."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from zsavs.models.imagebind.resample import SAMPLE_RATE_HZ

__all__ = ["log_mel"]


#: Frames of the filter bank: 25 ms every 10 ms.
_FRAME, _HOP, _FFT = 400, 160, 512


_PRE_EMPHASIS = 0.97


_LOW_HZ = 20.0


#: Energies below are raised to it: float32's relative step.
_FLOOR = float(np.finfo(np.float32).eps)


# ---------------------------------------------------------------------------------- filter bank
def log_mel(wave: NDArray[np.float32], mel_bins: int = 128) -> NDArray[np.float32]:
    """Log energies in mel bands, as Kaldi's filter bank computes them with the settings of AST and ImageBind.

    Frames of 25 ms every 10 ms, only whole ones; each is brought to mean 0, pre-emphasised and tapered with a symmetric
    Hann window; power spectrum; triangles of height 1 that are linear in mel, from 20 Hz to 8 kHz; natural logarithm.

    Args:
        wave: (T,) at 16 kHz; fewer than 400 samples are filled up with zeros to one frame.
        mel_bins: number of bands.

    Returns:
        (mel_bins, 1 + (T - 400) // 160) float32, at least -15.942385, the logarithm of float32's relative step.
    """
    samples = np.pad(wave.astype(np.float64), (0, max(_FRAME - len(wave), 0)))
    frames = sliding_window_view(samples, _FRAME)[::_HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    frames = (frames - _PRE_EMPHASIS * before) * _hann()
    power = np.abs(np.fft.rfft(frames, _FFT)) ** 2
    energy = power @ _triangles(mel_bins)
    return np.ascontiguousarray(np.log(np.maximum(energy, _FLOOR)).T, np.float32)


@cache
def _hann() -> NDArray[np.float64]:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / (_FRAME - 1)))


@cache
def _triangles(mel_bins: int) -> NDArray[np.float64]:
    """(257, mel_bins): weight of each frequency of the spectrum in each band."""
    low, high = _mel(np.array([_LOW_HZ, SAMPLE_RATE_HZ / 2]))
    edges = low + np.arange(mel_bins + 2) * (high - low) / (mel_bins + 1)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    frequency = _mel(np.fft.rfftfreq(_FFT, 1 / SAMPLE_RATE_HZ))[:, None]
    rising, falling = (frequency - left) / (centre - left), (right - frequency) / (right - centre)
    weights = np.asarray(np.maximum(np.minimum(rising, falling), 0), np.float64)
    weights[-1] = 0  # the Nyquist frequency belongs to no band, whatever rounding says
    return weights


def _mel(frequency_hz: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(1127 * np.log1p(frequency_hz / 700))
