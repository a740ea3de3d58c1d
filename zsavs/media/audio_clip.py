"""The audio clip: a waveform with its sample rate, checked once and read-only, its downmix, and excerpts of it."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import AudioError
from zsavs.media.arrays import as_array, frozen
from zsavs.media.downmix import CANCELLED, Powers
from zsavs.media.mapped import release

__all__ = ["FASTEST_HZ", "MAX_CHANNELS", "AudioClip", "excerpt"]

log = logging.getLogger(__name__)

#: The sample rate of the fastest converters: a file that states more is damaged, and nothing is resampled to more.
FASTEST_HZ = 768_000
#: A clip may have ten times that, which no resampler would take well.
_MAX_RATE_HZ = 8_000_000
#: Samples of 32 bits that nobody has scaled are below; what is above are bytes in another order, of which models and
#: spectrograms make infinity.
_MAX_LEVEL = 2.0**32
#: More channels than any microphone array we know: an array this wide is (T, C) by mistake.
MAX_CHANNELS = 256
#: Samples that are looked at in one go, over all channels.
_BLOCK = 2**20


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
        lowest, highest = _extremes(wave)
        if not math.isfinite(lowest) or not math.isfinite(highest):
            raise AudioError(f"{where}the waveform holds NaN or infinity; clean it, for example with np.nan_to_num.")
        rate = self.sample_rate_hz
        if isinstance(rate, bool) or not isinstance(rate, Real) or not 1 <= rate <= _MAX_RATE_HZ or rate % 1:
            raise AudioError(
                f"{where}sample_rate_hz must be a positive whole number, at most {_MAX_RATE_HZ}, got {rate!r:.60}."
            )
        if (loudest := max(highest, -lowest)) > _MAX_LEVEL:
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

    def mono(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """The downmix to one channel: the mean of the channels that are :attr:`heard`.

        A dual-mono clip gives exactly its one channel. A part is, bit for bit, that part of the whole.

        Args:
            start, stop: the first sample and the one after the last, as of a slice; all of them by default.

        Returns:
            (T,) float32.
        """
        part = self.heard[:, start:stop]
        mono: NDArray[np.float32] = part[0] if len(part) == 1 else part.mean(axis=0, dtype=np.float32)
        return mono

    @property
    def heard(self) -> NDArray[np.float32]:
        """The channels whose mean is the downmix, (C', T) float32: all of them, or the loudest one.

        The loudest one, the first of equals, where the channels cancel each other in their mean: see
        :class:`zsavs.media.downmix.Powers`. That is logged, once for a clip and what is cut from it.
        """
        alone = self._alone
        return self.waveform if alone is None else self.waveform[alone : alone + 1]

    @cached_property
    def _alone(self) -> int | None:
        """The channel that is heard alone, as the channels cancel each other; None where they do not."""
        channels = len(self.waveform)
        if channels == 1:
            return None
        powers = Powers(channels)
        for block in _blocks(self.waveform):
            powers.add(block)
        if not powers.cancel:
            return None
        log.warning(CANCELLED, self.source or "an audio clip", powers.loudest + 1, channels)
        return powers.loudest

    def part(self, start: int, stop: int) -> AudioClip:
        """The samples from ``start`` to before ``stop`` as a clip of their own, a view; downmixed as the whole is.

        Raises:
            AudioError: there are none.
        """
        return self._as_heard(AudioClip(self.waveform[:, start:stop], self.sample_rate_hz, self.source))

    def _as_heard(self, part: AudioClip) -> AudioClip:
        """A clip cut from this one, after it was told which channel is heard, if it is one alone."""
        if self._alone is not None:
            part.__dict__["_alone"] = self._alone
        return part

    def __repr__(self) -> str:
        channels = len(self.waveform)
        return f"AudioClip({self.duration_s:.2f} s, {channels} channel{'s'[: channels != 1]}, {self.sample_rate_hz} Hz)"


def _blocks(wave: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """A waveform (C, T) as blocks (C, n); of a mapped one only a block is in memory."""
    step = max(1, _BLOCK // len(wave))
    for start in range(0, wave.shape[1], step):
        yield wave[:, start : start + step]
        release(wave)


def _extremes(wave: NDArray[Any]) -> tuple[float, float]:
    """The lowest and the highest sample; one of them is no number where any sample is none."""
    with np.errstate(invalid="ignore"):
        pairs = [(block.min(), block.max()) for block in _blocks(wave)]
        return float(np.min([low for low, _ in pairs])), float(np.max([high for _, high in pairs]))


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
    return clip._as_heard(AudioClip(clip.waveform[:, start : start + count].copy(), rate))
