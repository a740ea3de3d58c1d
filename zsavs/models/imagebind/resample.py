"""ImageBind's resampling: torchaudio's default windowed sinc, in numpy."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from zsavs.errors import AudioError

__all__ = ["SAMPLE_RATE_HZ", "resample", "resampled_length"]


#: The resampler's kernel: zero crossings on either side, and its cut-off as a share of the lower Nyquist frequency.
_ZERO_CROSSINGS = 6


_ROLL_OFF = 0.99


#: Recorders end at 768 kHz; the kernel takes memory in proportion to the rate.
_MAX_RATE_HZ = 1_000_000


#: Outputs of the resampler that are computed together.
_BLOCK = 1 << 15


SAMPLE_RATE_HZ = 16_000


# ------------------------------------------------------------------------------------ resampler
def resampled_length(samples: int, rate_hz: int, target_hz: int = SAMPLE_RATE_HZ) -> int:
    """Samples that :func:`resample` makes out of ``samples``."""
    old, new = _ratio(rate_hz, target_hz)
    # The quotient is rounded to float32 on its way in torchaudio, which costs some lengths a sample.
    return samples if old == new else min(math.ceil(np.float32(new * samples / old)), (samples // old + 1) * new)


def resample(
    waveform: NDArray[np.float32],
    rate_hz: int,
    target_hz: int = SAMPLE_RATE_HZ,
    *,
    start: int = 0,
    stop: int | None = None,
) -> NDArray[np.float32]:
    """Change the sample rate with a Hann-windowed sinc, as torchaudio does by default.

    Every output is a weighted sum of the inputs within six zero crossings of the kernel around it. torchaudio lays the
    kernel out over all phases; here only the taps that are not zero are stored, so that rates without a common factor
    cost no more memory than others, and a part of a long waveform is resampled without the rest.

    Args:
        waveform: (C, L) float32 at ``rate_hz``.
        rate_hz, target_hz: the rate it has, and the rate it gets.
        start, stop: outputs to compute; all by default.

    Returns:
        (C, stop - start) float32, a new array.

    Raises:
        AudioError: more than a million samples a second.
    """
    if rate_hz > _MAX_RATE_HZ:
        raise AudioError(f"audio at {rate_hz} Hz cannot be resampled, at most {_MAX_RATE_HZ}; is the rate right?")
    old, new = _ratio(rate_hz, target_hz)
    samples = waveform.shape[1]
    stop = resampled_length(samples, rate_hz, target_hz) if stop is None else stop
    if old == new:
        return waveform[:, start:stop].astype(np.float32)
    result = np.empty((len(waveform), stop - start), np.float32)
    kernel = _kernel(old, new)
    taps = kernel.shape[1]
    for first in range(start, stop, _BLOCK):
        outputs = np.arange(first, min(first + _BLOCK, stop), dtype=np.int64)
        begins = outputs * old // new - (taps // 2 - 1)  # of each output's inputs
        low, high = int(begins[0]), int(begins[-1]) + taps
        inside = waveform[:, max(low, 0) : min(high, samples)]
        inputs = np.pad(inside, ((0, 0), (max(-low, 0), max(high - max(samples, low), 0))))[:, : high - low]
        weights = kernel[outputs % new]
        for channel, part in zip(result, inputs, strict=True):
            windows = sliding_window_view(part, taps)[begins - low]
            channel[first - start : first - start + len(outputs)] = np.einsum("ot,ot->o", windows, weights)
    return result


def _ratio(rate_hz: int, target_hz: int) -> tuple[int, int]:
    common = math.gcd(rate_hz, target_hz)
    return rate_hz // common, target_hz // common


@lru_cache(maxsize=8)
def _kernel(old: int, new: int) -> NDArray[np.float32]:
    """(new, taps): for each of ``new`` phases, the weights of the inputs around it.

    The first tap of phase j is the input ``taps / 2 - 1`` before input ``j * old // new``.
    """
    cut_off = _ROLL_OFF * min(old, new)
    reach = math.ceil(_ZERO_CROSSINGS * old / cut_off)
    phase = np.arange(new)[:, None]
    tap = phase * old // new + np.arange(-reach, reach + 2)
    time = np.clip(cut_off * (tap / old - phase / new), -_ZERO_CROSSINGS, _ZERO_CROSSINGS)
    hann = np.cos(np.pi * time / (2 * _ZERO_CROSSINGS)) ** 2
    return np.asarray(np.sinc(time) * hann * cut_off / old, np.float32)
