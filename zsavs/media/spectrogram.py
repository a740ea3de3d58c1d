"""The short-time Fourier transform of a waveform, and its inverse."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["frame_length", "istft", "stft"]

#: Length of a frame in seconds; frames overlap by half.
_FRAME_S = 0.064


def frame_length(sample_rate_hz: int) -> int:
    """Samples of a frame at a rate: about 64 ms, even, at least 2."""
    return max(2, 2 * round(_FRAME_S * sample_rate_hz / 2))


def stft(wave: NDArray[np.floating[Any]], length: int) -> NDArray[np.complex64]:
    """The short-time Fourier transform under a Hann window, with hops of half a frame.

    Args:
        wave: (..., T), T at least 1.
        length: samples of a frame, even.

    Returns:
        (..., F, N), F = length / 2 + 1 frequencies, N = 1 + ceil(T / hop) frames; frame n is centred on sample n hop.
    """
    hop = length // 2
    frames = 1 + -(-wave.shape[-1] // hop)
    after = (frames + 1) * hop - hop - wave.shape[-1]
    padded = np.pad(wave, [(0, 0)] * (wave.ndim - 1) + [(hop, after)])
    cut = np.lib.stride_tricks.sliding_window_view(padded, length, axis=-1)[..., ::hop, :]
    return np.fft.rfft(cut * _window(length)).swapaxes(-1, -2).astype(np.complex64)


def istft(spectrogram: NDArray[np.complexfloating[Any, Any]], length: int, samples: int) -> NDArray[np.float32]:
    """Invert :func:`stft`; of a spectrogram that no waveform has, the waveform with the nearest one.

    Overlap and add with the window once more, divided by the sum of its squares (Griffin & Lim, "Signal estimation
    from modified short-time Fourier transform", 1984).

    Args:
        spectrogram: (..., F, N).
        length: samples of a frame.
        samples: T of the waveform.

    Returns:
        (..., T) float32.
    """
    hop, window = length // 2, _window(length)
    frames = np.fft.irfft(spectrogram.swapaxes(-1, -2), length) * window
    # Two frames lie over every sample: the second half of one and the first half of the next.
    joined = frames[..., :-1, hop:] + frames[..., 1:, :hop]
    weight = window[hop:] ** 2 + window[:hop] ** 2
    wave = (joined / weight).reshape(*joined.shape[:-2], -1)
    return np.ascontiguousarray(wave[..., :samples], np.float32)


def _window(length: int) -> NDArray[np.float64]:
    """A periodic Hann window."""
    window: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    return window
