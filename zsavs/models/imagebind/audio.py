"""ImageBind's preprocessing of audio: a waveform to standardised log-mel spectrograms.

Each step is as in the official pipeline (torchaudio's default resampler and its Kaldi filter bank, clips spaced by
pytorchvideo's sampler), as every departure from it is seen in the embedding; it needs numpy only.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.models.imagebind.kaldi_filter_bank import log_mel
from zsavs.models.imagebind.resample import SAMPLE_RATE_HZ, resample, resampled_length
from zsavs.types import AudioClip

if TYPE_CHECKING:
    import torch

__all__ = ["clip_bounds", "clip_mels", "preprocess_audio"]


#: Length of a clip.
_CLIP_S = 2


#: Mean and deviation of log-mel energies over AudioSet.
_MEAN, _STD = np.float32(-4.268), np.float32(9.138)


def preprocess_audio(
    waveform: NDArray[np.float32], sample_rate_hz: int, *, clips: int = 3, mel_bins: int = 128, frames: int = 204
) -> torch.Tensor:
    """Standardised spectrograms of S clips of 2 s, spread evenly over a waveform.

    The first clip begins with the waveform and the last one ends with it. So six seconds or less are heard in full,
    of a longer waveform six seconds are; up to two seconds, all clips are the same.

    Args:
        waveform: (C, L) float, full scale [-1, 1]. Only the first channel is heard, as by the official code.
        sample_rate_hz: of ``waveform``.
        clips: S, at least 1; a single clip is the first 2 s.
        mel_bins, frames: size of a spectrogram, as in the model's configuration.

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
    made. A clip that ends early, or has fewer frames than asked for, is padded with 0; of more, the first are taken.

    Raises:
        AudioError, InputError: as :func:`preprocess_audio`.
    """
    checked = AudioClip(np.asarray(waveform), sample_rate_hz)
    wave = checked.waveform
    result = np.zeros((clips if clips > 0 else 0, mel_bins, frames), np.float32)
    length = resampled_length(wave.shape[1], sample_rate_hz)
    heard, heard_until = wave[:, :0], 0
    for row, (start, end) in enumerate(clip_bounds(length, clips)):
        stop = min(end, length)
        clip = resample(wave, sample_rate_hz, start=start, stop=stop)
        # The official code subtracts each clip's mean in place: what a clip shares with the one before it arrives
        # already shifted. This shows where a waveform has a constant offset.
        shared = max(heard_until - start, 0)
        clip[:, :shared] = heard[:, heard.shape[1] - shared :]
        # The channels' means one by one, so that two equal channels give the very bits of one.
        clip -= np.float32(clip.mean(axis=1, dtype=np.float64).mean())
        heard, heard_until = clip, stop
        mel = log_mel(clip[0], mel_bins)[:, :frames]
        result[row, :, : mel.shape[1]] = mel
    return result


def clip_bounds(samples: int, clips: int = 3) -> list[tuple[int, int]]:
    """First sample of each clip and the one after its last, for a waveform of ``samples`` samples at 16 kHz.

    Every clip is 2 s long; of a shorter waveform it holds what there is.

    Raises:
        InputError: fewer than one clip.
    """
    if clips < 1:
        raise InputError(f"ImageBind takes at least one clip of a waveform, got clips={clips}.")
    # Truncating the exact multiple of a float64 room is what the official sampler does; integer arithmetic begins the
    # last clip one sample late for half of all lengths.
    room = Fraction(max(samples / SAMPLE_RATE_HZ - _CLIP_S, 0.0))
    starts = [int(room * i / max(clips - 1, 1) * SAMPLE_RATE_HZ) for i in range(clips)]
    return [(start, start + _CLIP_S * SAMPLE_RATE_HZ) for start in starts]
