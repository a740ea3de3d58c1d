"""Waveforms: resampled, fitted to a length, cut into windows, and their level.

A waveform is float32 with full scale [-1, 1]; time is always the last axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import AudioError, BrokenInstallation
from zsavs.media.audio_clip import FASTEST_HZ, AudioClip
from zsavs.media.mapped import release

__all__ = ["SILENCE_DB", "fit", "resample", "resampled_blocks", "rms_db", "stream_windows", "windows"]

#: The level of digital silence, where the logarithm would be minus infinity.
SILENCE_DB = -120.0
#: The most samples that resampling makes (1 GiB): an hour and a half at 48 kHz.
_MAX_RESAMPLED = 2**28
#: The most that are made one block after the other: 12 hours at 48 kHz.
_MAX_STREAMED = 2**31
#: The most samples of a block, before and after resampling.
_BLOCK = 2**18


def resample(wave: NDArray[np.float32], rate_hz: int, to_hz: int) -> NDArray[np.float32]:
    """The waveform at another sample rate, by soxr's band-limited "HQ" filter (linear phase, no delay).

    Each channel comes out as it would alone. The output has ``max(1, round(T * to_hz / rate_hz))`` samples, halves
    rounded up.

    Args:
        wave: (T,) or (C, T) float32, T at least 1.
        rate_hz: its sample rate.
        to_hz: the rate wanted, both at least 1 and this at most 768000.

    Returns:
        (T',) or (C, T') float32; ``wave`` itself where the rates agree.

    Raises:
        AudioError: no samples, more than two dimensions, a rate out of range, or a result of more than 2^28 samples.
        BrokenInstallation: soxr cannot be imported.
    """
    wave = np.asarray(wave, np.float32)
    if wave.ndim not in (1, 2) or wave.size == 0:
        raise AudioError(f"resample: expected samples (T,) or (C, T), got shape {wave.shape}.")
    _check_rates(rate_hz, to_hz)
    if rate_hz == to_hz:
        return wave
    soxr = _soxr()
    length = _resampled_length(wave.shape[-1], rate_hz, to_hz, _MAX_RESAMPLED // (wave.size // wave.shape[-1]))
    changed: NDArray[np.float32] = soxr.resample(wave.T, rate_hz, to_hz, quality="HQ").T
    missing = length - changed.shape[-1]
    if missing > 0:  # soxr may round a half down, and makes no sample of very few
        last = (changed if changed.size else wave)[..., -1:]
        changed = np.concatenate([changed, np.repeat(last, missing, axis=-1)], axis=-1)
    return np.ascontiguousarray(changed[..., :length])


def resampled_blocks(clip: AudioClip, to_hz: int) -> Iterator[NDArray[np.float32]]:
    """The downmix of a clip at another sample rate, block by block, in memory that does not grow with the clip.

    One after the other the blocks are what :func:`resample` makes of ``clip.mono()`` at once, to within 1e-6 (the same
    bits with the soxr at hand).

    Args:
        clip: of any rate, length and channel count.
        to_hz: the rate wanted, 1 to 768000.

    Yields:
        (n,) float32, n from 1 to about 2^18.

    Raises:
        AudioError: a rate out of range, or a result of more than 2^31 samples.
        BrokenInstallation: soxr cannot be imported.
    """
    rate_hz, samples = clip.sample_rate_hz, clip.waveform.shape[1]
    _check_rates(rate_hz, to_hz)
    length = _resampled_length(samples, rate_hz, to_hz, _MAX_STREAMED)
    step = max(1, min(_BLOCK, _BLOCK * rate_hz // to_hz))
    if samples <= step:
        yield resample(clip.mono(), rate_hz, to_hz)
        return
    stream = None if rate_hz == to_hz else _soxr().ResampleStream(rate_hz, to_hz, 1, dtype="float32", quality="HQ")
    made, last = 0, np.zeros(1, np.float32)
    for start in range(0, samples, step):
        block = clip.mono(start, start + step)
        if stream is not None:
            block = stream.resample_chunk(np.ascontiguousarray(block), last=start + step >= samples)
        block = block[: length - made]
        made += len(block)
        if len(block):
            last = block[-1:].copy()
            yield block
        release(clip.waveform)
    if made < length:
        yield np.repeat(last, length - made)


def stream_windows(
    clip: AudioClip, rate_hz: int, length_s: float, hop_s: float
) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """The windows of a clip's downmix at a model's rate, one at a time, in memory that does not grow with the clip.

    They are those of :func:`windows` of the resampled downmix, but for one thing: a clip that is not longer than a
    window is one window as long as it is, as models fill it up each in its own way.

    Args:
        clip: of any rate, length and channel count.
        rate_hz: the model's.
        length_s: length of a window in seconds, above 0.
        hop_s: from the start of one window to the next, in seconds, above 0 and not above ``length_s``.

    Yields:
        Where the window starts, in seconds from the start of the clip, and its waveform (L,) float32.

    Raises:
        AudioError: as :func:`windows` and :func:`resampled_blocks`.
        BrokenInstallation: soxr cannot be imported.
    """
    length, hop = _window_samples(rate_hz, length_s, hop_s)
    last = _resampled_length(clip.waveform.shape[1], clip.sample_rate_hz, rate_hz, _MAX_STREAMED) - length
    # ``held`` is the waveform from sample ``first`` on; the next window begins at ``start``.
    held, first, start = np.zeros(0, np.float32), 0, 0
    for block in resampled_blocks(clip, rate_hz):
        held = np.concatenate([held[start - first :], block])
        first = start
        while last > 0 and start + length <= first + len(held):
            yield start / rate_hz, held[start - first : start - first + length].copy()
            if start == last:
                return
            start = min(start + hop, last)
    yield 0.0, held


def fit(wave: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """A mono waveform of exactly ``n`` samples: repeated until it is long enough, then cut at the end.

    Args:
        wave: (T,) float32, T at least 1.
        n: at least 1.

    Returns:
        (n,) float32.

    Raises:
        AudioError: not mono, no samples, or ``n`` below 1.
    """
    wave = _mono(wave, "fit")
    if n < 1:
        raise AudioError(f"fit: the length must be at least one sample, got {n}.")
    return np.tile(wave, -(-n // len(wave)))[:n] if len(wave) < n else wave[:n]


def windows(wave: NDArray[np.float32], sample_rate_hz: int, length_s: float, hop_s: float) -> NDArray[np.float32]:
    """Equally long windows that cover all of a mono waveform.

    With L = round(length_s * rate) and H = round(hop_s * rate), each at least 1, window k holds the samples from kH
    on; the last one is moved back to end where the waveform ends, so that nothing is padded. A waveform not longer than
    one window gives one window, the waveform repeated up to L samples (:func:`fit`).

    Args:
        wave: (T,) float32, T at least 1.
        sample_rate_hz: its rate, at least 1.
        length_s: length of a window in seconds, above 0.
        hop_s: from the start of one window to the next, in seconds, above 0 and not above ``length_s``.

    Returns:
        (W, L) float32, W = 1 + ceil((T - L) / H), at least 1.

    Raises:
        AudioError: not mono, no samples, or lengths out of range.
    """
    wave = _mono(wave, "windows")
    length, hop = _window_samples(sample_rate_hz, length_s, hop_s)
    if len(wave) <= length:
        return fit(wave, length)[None]
    starts = np.append(np.arange(0, len(wave) - length, hop), len(wave) - length)
    cut: NDArray[np.float32] = np.lib.stride_tricks.sliding_window_view(wave, length)[starts]
    return cut


def rms_db(wave: NDArray[np.float32]) -> float:
    """The level in dB below full scale, 10 log10 of the mean square over all samples and channels.

    A square wave of amplitude 1 has 0 dB, a sine of amplitude 1 has -3.01 dB; digital silence has -120 dB, and
    nothing has less.

    Args:
        wave: float array of any shape, at least one sample, full scale [-1, 1].

    Raises:
        AudioError: no samples.
    """
    if np.size(wave) == 0:
        raise AudioError("rms_db: a waveform without samples has no level.")
    power = float(np.mean(np.square(wave, dtype=np.float64)))
    return max(SILENCE_DB, 10 * math.log10(power)) if power > 0 else SILENCE_DB


def _window_samples(rate_hz: int, length_s: float, hop_s: float) -> tuple[int, int]:
    """Samples of a window and of a hop, after a check."""
    if rate_hz < 1 or not 0 < hop_s <= length_s < math.inf:
        raise AudioError(
            f"windows: expected a rate of at least 1 Hz and 0 < hop_s <= length_s, got {rate_hz} Hz, "
            f"hop_s={hop_s}, length_s={length_s}."
        )
    return max(1, round(length_s * rate_hz)), max(1, round(hop_s * rate_hz))


def _check_rates(rate_hz: int, to_hz: int) -> None:
    if rate_hz < 1 or not 1 <= to_hz <= FASTEST_HZ:  # soxr does not come back from absurd ratios
        raise AudioError(
            f"resample: sample rates must be at least 1 Hz, the new one at most {FASTEST_HZ}, got {rate_hz} and "
            f"{to_hz}."
        )


def _resampled_length(samples: int, rate_hz: int, to_hz: int, most: int) -> int:
    """Samples after resampling, halves rounded up, at least 1 and at most ``most``."""
    length = max(1, (2 * samples * to_hz + rate_hz) // (2 * rate_hz))
    if length > most:
        raise AudioError(
            f"resample: {samples} samples at {rate_hz} Hz, {samples / rate_hz:.0f} s, are too long for {to_hz} Hz; "
            f"check the sample rate, or give a shorter clip."
        )
    return length


def _soxr() -> Any:
    try:
        import soxr
    except ImportError as error:
        raise BrokenInstallation(
            f"soxr cannot be imported ({error}); run: pip install --force-reinstall soxr"
        ) from error
    return soxr


def _mono(wave: NDArray[np.float32], what: str) -> NDArray[np.float32]:
    """The waveform, after a check that it is (T,) with at least one sample."""
    wave = np.asarray(wave, np.float32)
    if wave.ndim != 1 or len(wave) == 0:
        raise AudioError(f"{what}: expected a mono waveform (T,), got shape {wave.shape}; use clip.mono().")
    return wave
