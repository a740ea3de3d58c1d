"""From a recording to what ImageBind's audio tower takes: resampling, clips, and a Kaldi-like filter bank.

Each step is as in the official pipeline (torchaudio's default resampler and its Kaldi filter bank, clips spaced by
pytorchvideo's sampler), as every departure from it is seen in the embedding; it needs numpy only.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from zsavs.errors import AudioError, InputError
from zsavs.types import AudioClip

if TYPE_CHECKING:
    import torch

__all__ = ["SAMPLE_RATE_HZ", "clip_bounds", "clip_mels", "log_mel", "preprocess_audio", "resample", "resampled_length"]

SAMPLE_RATE_HZ = 16_000

#: Length of a clip.
_CLIP_S = 2

#: Mean and deviation of log-mel energies over AudioSet.
_MEAN, _STD = np.float32(-4.268), np.float32(9.138)

#: The resampler's kernel: zero crossings on either side, and its cut-off as a share of the lower Nyquist frequency.
_ZERO_CROSSINGS = 6
_ROLL_OFF = 0.99

#: Recorders end at 768 kHz; the kernel takes memory in proportion to the rate.
_MAX_RATE_HZ = 1_000_000

#: Outputs of the resampler that are computed together.
_BLOCK = 1 << 15

#: Frames of the filter bank: 25 ms every 10 ms.
_FRAME, _HOP, _FFT = 400, 160, 512
_PRE_EMPHASIS = 0.97
_LOW_HZ = 20.0

#: Energies below are raised to it: float32's relative step.
_FLOOR = float(np.finfo(np.float32).eps)


def preprocess_audio(
    waveform: NDArray[np.float32], sample_rate_hz: int, *, clips: int = 3, mel_bins: int = 128, frames: int = 204
) -> torch.Tensor:
    """Turn a recording into standardised spectrograms of S clips of 2 s, spread evenly over it.

    The first clip begins with the recording and the last one ends with it. So six seconds or less are heard in full,
    of a longer recording six seconds are; up to two seconds, all clips are the same.

    Args:
        waveform: (C, L) float, full scale [-1, 1]. Only the first channel is heard, as by the official code.
        sample_rate_hz: of ``waveform``.
        clips: S, at least 1; a single clip is the first 2 s.
        mel_bins, frames: size of a spectrogram, as the model's configuration says.

    Returns:
        (S, 1, mel_bins, frames) float32. Digital silence is -1.2776 everywhere, padding 0.4671.

    Raises:
        AudioError: not such an array or rate.
        InputError: fewer than one clip.
    """
    import torch

    mels = clip_mels(waveform, sample_rate_hz, clips=clips, mel_bins=mel_bins, frames=frames)
    return torch.from_numpy((mels - _MEAN) / _STD)[:, None]


def clip_mels(
    waveform: NDArray[np.float32], sample_rate_hz: int, *, clips: int = 3, mel_bins: int = 128, frames: int = 204
) -> NDArray[np.float32]:
    """The spectrograms of :func:`preprocess_audio` before they are standardised: (S, mel_bins, frames) float32.

    Each clip is brought to mean 0, the mean being taken over all channels, before the first channel's spectrogram is
    made. A clip that ends early, or has fewer frames than asked for, is padded with 0; of more, the first are kept.

    Raises:
        AudioError, InputError: as :func:`preprocess_audio`.
    """
    recording = AudioClip(np.asarray(waveform), sample_rate_hz)
    wave = recording.waveform
    result = np.zeros((clips if clips > 0 else 0, mel_bins, frames), np.float32)
    length = resampled_length(wave.shape[1], sample_rate_hz)
    heard, heard_until = wave[:, :0], 0
    for row, (start, end) in enumerate(clip_bounds(length, clips)):
        stop = min(end, length)
        clip = resample(wave, sample_rate_hz, start=start, stop=stop)
        # The official code subtracts each clip's mean in place: what a clip shares with the one before it arrives
        # already shifted. This shows where a recording has a constant offset.
        shared = max(heard_until - start, 0)
        clip[:, :shared] = heard[:, heard.shape[1] - shared :]
        # The channels' means one by one, so that two equal channels give the very bits of one.
        clip -= np.float32(clip.mean(axis=1, dtype=np.float64).mean())
        heard, heard_until = clip, stop
        mel = log_mel(clip[0], mel_bins)[:, :frames]
        result[row, :, : mel.shape[1]] = mel
    return result


def clip_bounds(samples: int, clips: int = 3) -> list[tuple[int, int]]:
    """First sample of each clip and the one after its last, for a recording of ``samples`` samples at 16 kHz.

    Every clip is 2 s long; of a shorter recording it holds what there is.

    Raises:
        InputError: fewer than one clip.
    """
    if clips < 1:
        raise InputError(f"ImageBind hears at least one clip of a recording, got clips={clips}.")
    # Truncating the exact multiple of a float64 room is what the official sampler does; integer arithmetic begins the
    # last clip one sample late for half of all lengths.
    room = Fraction(max(samples / SAMPLE_RATE_HZ - _CLIP_S, 0.0))
    starts = [int(room * i / max(clips - 1, 1) * SAMPLE_RATE_HZ) for i in range(clips)]
    return [(start, start + _CLIP_S * SAMPLE_RATE_HZ) for start in starts]


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
    kernel out over all phases; here only the taps that are not zero are kept, so that rates without a common factor
    cost no more memory than others, and a part of a long recording is resampled without the rest.

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
        raise AudioError(f"a recording at {rate_hz} Hz cannot be resampled, at most {_MAX_RATE_HZ}; is the rate right?")
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
        for channel, piece in zip(result, inputs, strict=True):
            windows = sliding_window_view(piece, taps)[begins - low]
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
