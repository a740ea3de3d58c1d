"""Audio files of the benchmarks: decoded once, cut to the second that belongs to a frame, mixed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.media.audio_clip import excerpt
from zsavs.media.audio_file import load_audio
from zsavs.media.waveform import fit, resample
from zsavs.types import AudioClip

__all__ = ["AudioFiles", "around_second", "centre_crop", "check_context", "mix"]


class AudioFiles:
    """Decodes audio files, with a memo of the last few, as the frames of a video come one after the other.

    The clips carry no file name, as it would name the source.

    Args:
        max_items: the most audio files in the memo.
    """

    def __init__(self, max_items: int = 4) -> None:
        self._max_items = max_items
        self._clips: dict[Path, AudioClip] = {}

    def __call__(self, path: Path) -> AudioClip:
        """Read an audio file, all its channels at its own rate.

        Raises:
            AudioError: it cannot be read.
        """
        clip = self._clips.pop(path, None)
        if clip is None:
            loaded = load_audio(path)
            clip = AudioClip(loaded.waveform, loaded.sample_rate_hz)
        self._clips[path] = clip
        for old in list(self._clips)[: -self._max_items]:
            self._clips.pop(old, None)
        return clip


def check_context(context_s: float) -> float:
    """Return ``context_s``, the seconds of audio that a frame comes with, once it is checked.

    Raises:
        InputError: it is not above 0.
    """
    if not context_s > 0:
        raise InputError(f"context_s must be above 0 seconds (math.inf for the whole clip), got {context_s!r}.")
    return float(context_s)


def around_second(clip: AudioClip, second: int, context_s: float) -> AudioClip:
    """The excerpt of a clip for one of its seconds, from 0; see :func:`zsavs.media.audio_clip.excerpt`."""
    return excerpt(clip, second, 1, context_s)


def centre_crop(wave: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """The middle of a mono waveform, exactly ``length`` samples; a shorter one is repeated from its start.

    (CAVP's own crop takes a negative start for shorter ones and repeats only their end.)

    Args:
        wave: (T,) float32, T at least 1.
        length: samples, at least 1.
    """
    if len(wave) < length:
        return fit(wave, length)
    start = len(wave) // 2 - length // 2
    return wave[start : start + length]


def mix(clips: Sequence[AudioClip], positions: Sequence[float] | None, *, rate_hz: int, length_s: float) -> AudioClip:
    """Add the middles of several clips, without scaling: the sum may be louder than full scale.

    Each one is averaged to mono, resampled and cropped before. With ``positions`` the result is stereo, a clip at
    position p going to the left with weight 1 - p and to the right with p.

    Args:
        clips: at least one.
        positions: for each clip, 0 (left) to 1 (right); None for mono.
        rate_hz, length_s: of the result.

    Returns:
        (1, T) or (2, T) at ``rate_hz``.

    Definition: dataset/vpo_mono and dataset/vpo_stereo, audio_dataset.py, in cyh-0/CAVP at 96a6c34.
    """
    length = round(length_s * rate_hz)
    waves = [centre_crop(resample(clip.mono(), clip.sample_rate_hz, rate_hz), length) for clip in clips]
    mixed = np.zeros((1 if positions is None else 2, length), np.float32)
    for k, wave in enumerate(waves):
        gains = [1.0] if positions is None else [1 - positions[k], positions[k]]
        mixed += np.array(gains, np.float32)[:, None] * wave
    return AudioClip(mixed, rate_hz)
