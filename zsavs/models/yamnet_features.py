"""YAMNet's input: log-mel spectrograms in patches, as in tensorflow/models, research/audioset/yamnet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["HOP_S", "RATE_HZ", "WINDOW_S", "patches", "stream_patches"]

RATE_HZ = 16_000
#: Samples of one frame and from one frame to the next, and the length of the Fourier transform.
_FRAME, _HOP, _FFT = 400, 160, 512
_MEL_BINS, _LOWEST_HZ, _HIGHEST_HZ = 64, 125.0, 7500.0
#: Frames of a patch and from one patch to the next.
_PATCH, _PATCH_HOP = 96, 48
_SAMPLES = (_PATCH - 1) * _HOP + _FRAME
#: What is added before the logarithm.
_OFFSET = 0.001

#: Samples of which patches are made at once.
_BLOCK = 2**18

#: Length of a patch and from one patch to the next, in seconds.
WINDOW_S, HOP_S = _SAMPLES / RATE_HZ, _PATCH_HOP * _HOP / RATE_HZ


def patches(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-mel patches of a clip.

    Args:
        wave: (T,) at 16 kHz, in [-1, 1]; it is followed by silence up to the end of a patch, so that all of it is in
            one.

    Returns:
        (P, 96, 64) float32, P at least 1: 96 frames of 25 ms, 10 ms apart, in 64 mel bands; patches begin 0.48 s apart.
    """
    count = 1 + max(0, -((_SAMPLES - len(wave)) // (_PATCH_HOP * _HOP)))
    wave = np.pad(wave, (0, (count - 1) * _PATCH_HOP * _HOP + _SAMPLES - len(wave)))
    frames = np.lib.stride_tricks.sliding_window_view(wave, _FRAME)[::_HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / _FRAME)
    log_mel = np.log(np.abs(np.fft.rfft(frames * hann, _FFT)) @ _filters() + _OFFSET)
    return np.stack([log_mel[i * _PATCH_HOP : i * _PATCH_HOP + _PATCH] for i in range(count)]).astype(np.float32)


def stream_patches(blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """The patches of :func:`patches`, one at a time, of a waveform that comes in blocks (n,) one after the other.

    Yields:
        (96, 64) float32, at least one.
    """
    hop, held = _PATCH_HOP * _HOP, np.zeros(0, np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        if len(held) >= _BLOCK:
            whole = (len(held) - _SAMPLES) // hop  # without the last one that fits, which is for the end
            yield from patches(held[: (whole - 1) * hop + _SAMPLES])
            held = held[whole * hop :]
    yield from patches(held)


@cache
def _filters() -> NDArray[np.float64]:
    """Mel filters (257, 64): triangles on the mel axis of HTK; the constant part of a frame is in none."""
    mel = _mel(np.arange(_FFT // 2 + 1) * RATE_HZ / _FFT)[:, None]
    edges = np.linspace(_mel(np.array(_LOWEST_HZ)), _mel(np.array(_HIGHEST_HZ)), _MEL_BINS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    filters = np.maximum(0, np.minimum((mel - low) / (centre - low), (high - mel) / (high - centre)))
    filters[0] = 0
    return np.asarray(filters)


def _mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1127 * np.log1p(hz / 700))
