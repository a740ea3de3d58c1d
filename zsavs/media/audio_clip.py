"""The audio clip: a waveform with its sample rate, checked once and read-only, and excerpts of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import AudioError
from zsavs.media.arrays import as_array, frozen

__all__ = ["FASTEST_HZ", "MAX_CHANNELS", "AudioClip", "excerpt"]

#: The sample rate of the fastest converters: a file that states more is damaged, and nothing is resampled to more.
FASTEST_HZ = 768_000
#: A clip may have ten times that, which no resampler would take well.
_MAX_RATE_HZ = 8_000_000
#: Samples of 32 bits that nobody has scaled are below; what is above are bytes in another order, of which models and
#: spectrograms make infinity.
_MAX_LEVEL = 2.0**32
#: More channels than any microphone array we know: an array this wide is (T, C) by mistake.
MAX_CHANNELS = 256


@dataclass(frozen=True, eq=False)
class AudioClip:
    """An audio clip: a waveform with its sample rate.

    Args:
        waveform: (C, T) float array, full scale is [-1, 1] (louder is allowed, as sums of sources are, up to 2^32),
            T >= 1.
        sample_rate_hz: samples per second, 1 to 8 million.
        source: the audio file it came from, for messages; "" for an array.

    Raises:
        AudioError: wrong shape or dtype, no samples, NaN or infinity, too loud to be audio, or a rate out of range.
    """

    waveform: NDArray[np.float32]
    sample_rate_hz: int
    source: str = ""

    def __post_init__(self) -> None:
        where = f"{self.source}: " if self.source else "AudioClip: "
        wave = as_array(self.waveform, f"{where}waveform", AudioError)
        if wave.ndim != 2:
            raise AudioError(f"{where}waveform must be (channels, samples), got shape {wave.shape}; use wave[None, :].")
        if not np.issubdtype(wave.dtype, np.floating):
            raise AudioError(
                f"{where}waveform must be float in [-1, 1], got {wave.dtype}; divide 16-bit samples by 32768."
            )
        channels, samples = wave.shape
        if channels == 0 or samples == 0:
            raise AudioError(f"{where}the audio clip holds no samples.")
        if channels > MAX_CHANNELS:
            raise AudioError(f"{where}{channels} channels: the array looks transposed, expected (channels, samples).")
        if not np.isfinite(wave).all():
            raise AudioError(f"{where}the waveform holds NaN or infinity; clean it, for example with np.nan_to_num.")
        rate = self.sample_rate_hz
        if isinstance(rate, bool) or not isinstance(rate, Real) or not 1 <= rate <= _MAX_RATE_HZ or rate % 1:
            raise AudioError(
                f"{where}sample_rate_hz must be a positive whole number, at most {_MAX_RATE_HZ}, got {rate!r:.60}."
            )
        if (loudest := max(float(wave.max()), -float(wave.min()))) > _MAX_LEVEL:
            raise AudioError(
                f"{where}the waveform reaches {loudest:.3g}, and full scale is [-1, 1]; check the byte order of its "
                f"samples, or divide it by {loudest:.3g}."
            )
        wave = wave.astype(np.float32, copy=False)
        object.__setattr__(self, "waveform", frozen(wave))
        object.__setattr__(self, "sample_rate_hz", int(rate))

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return float(self.waveform.shape[1] / self.sample_rate_hz)

    def mono(self) -> NDArray[np.float32]:
        """The channel mean, (T,) float32; a dual-mono clip gives exactly its one channel."""
        mono: NDArray[np.float32] = self.waveform[0]
        if len(self.waveform) > 1:
            mono = self.waveform.mean(axis=0, dtype=np.float32)
        return mono

    def __repr__(self) -> str:
        channels = len(self.waveform)
        return f"AudioClip({self.duration_s:.2f} s, {channels} channel{'s'[: channels != 1]}, {self.sample_rate_hz} Hz)"


def excerpt(clip: AudioClip, begin_s: float, length_s: float, context_s: float) -> AudioClip:
    """The part of a clip around a span of time, all channels.

    Context as long as the span is exactly [begin, begin + length); longer context has the span in its middle. An
    excerpt that would pass an end of the clip is moved back into it, and a clip shorter than the context is used as
    it is. The first sample is ``round((begin_s + (length_s - context_s) / 2) * rate)``.

    Args:
        clip: the whole clip.
        begin_s: where the span begins, in seconds.
        length_s: how long the span is, in seconds.
        context_s: length of the excerpt in seconds, above 0; ``math.inf`` for the whole clip.
    """
    rate, total = clip.sample_rate_hz, clip.waveform.shape[1]
    if math.isinf(context_s) or (count := max(1, round(context_s * rate))) >= total:
        return clip
    start = round((begin_s + (length_s - context_s) / 2) * rate)
    start = min(max(start, 0), total - count)
    # A copy: a view would keep the whole clip in memory, and within reach of whoever gets the excerpt.
    return AudioClip(clip.waveform[:, start : start + count].copy(), rate)
