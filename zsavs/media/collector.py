"""A waveform as it is decoded, block by block: in memory, or in a temporary file where it is long."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from zsavs.media.audio_clip import MAX_CHANNELS
from zsavs.media.downmix import CANCELLED, Powers
from zsavs.media.mapped import MappedWriter

__all__ = ["EXCERPT_S", "IN_MEMORY", "MAX_FRAMES", "MAX_VALUES", "Collector", "excerpts_of", "note_excerpts"]

log = logging.getLogger(__name__)

#: Length of the excerpts of an audio file that is not read whole; the audio encoders take 10 s at a time.
EXCERPT_S = 10.0
#: The most samples, over all channels, of a clip that is held in memory (64 MiB): 3 minutes in stereo at 48 kHz.
#: A longer one lies in a temporary file.
IN_MEMORY = 2**24
#: The most samples over all channels that are kept apart (512 MiB): 23 minutes in stereo at 48 kHz. A longer recording
#: is averaged to one channel.
MAX_VALUES = 2**27
#: The most samples of one channel (4 GiB): 6 hours at 48 kHz. Of a longer recording excerpts are read, so many.
MAX_FRAMES = 2**30


class Collector:
    """Takes in a waveform block by block; a context manager.

    Args:
        channels: C of the blocks. Where there are more than 256, or where all samples are too many to be kept apart,
            they are downmixed to one.
        samples: T, how many there will be at most.
        name: what it is of, for messages.
        alone: the channel to hear in place of the mean, where one channel is made.

    Attributes:
        filled: how many samples there are, up to the end of the last one that was written.

    Raises:
        OutputError: there is no room among the temporary files; so do the methods.
    """

    def __init__(self, channels: int, samples: int, name: str, *, alone: int | None = None) -> None:
        self._mixes = channels > MAX_CHANNELS or (channels > 1 and channels * samples > MAX_VALUES)
        self._channels, self._samples, self._name, self._alone = channels, samples, name, alone
        self._powers, self.filled = Powers(channels), 0
        self._stack = ExitStack()

    def __enter__(self) -> Collector:
        rows = 1 if self._mixes else self._channels
        mapped = rows * self._samples > IN_MEMORY
        self._writer = MappedWriter(rows, self._samples, self._name) if mapped else None
        if self._writer is not None:
            self._stack.enter_context(self._writer)
        self._held = np.zeros((rows, 0 if mapped else self._samples), np.float32)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stack.close()

    def write(self, block: NDArray[np.float32], start: int) -> None:
        """Take in (C, n) as the samples from ``start`` on. What nobody writes is silence."""
        if self._mixes:
            if self._alone is None:
                self._powers.add(block)
            # Loud float files may overflow here; AudioClip refuses what comes of it.
            with np.errstate(over="ignore", invalid="ignore"):
                alone = self._alone
                block = block.mean(axis=0, keepdims=True) if alone is None else block[alone : alone + 1]
        stop = start + block.shape[1]
        if self._writer is not None:
            self._writer.write(block, start)
        else:
            self._held[:, start:stop] = block
        self.filled = max(self.filled, stop)

    @property
    def alone(self) -> int | None:
        """The channel that has to be heard alone, as they cancel in the mean that was made; logged. None: all is well.

        Whoever finds one collects again, with ``alone``.
        """
        if not self._mixes or self._alone is not None or not self._powers.cancel:
            return None
        log.warning(CANCELLED, self._name, self._powers.loudest + 1, self._channels)
        return self._powers.loudest

    def waveform(self) -> NDArray[np.float32]:
        """What was written, (C, T) float32, or (1, T) of what was downmixed; read-only where it is in a file."""
        return (self._held if self._writer is None else self._writer.waveform(self.filled))[:, : self.filled]


def excerpts_of(frames: int, rate: int, max_duration_s: float) -> list[tuple[int, int]]:
    """The excerpts to read: (first frame, number of frames) of each, in order and without overlap."""
    max_duration_s = min(max_duration_s, MAX_FRAMES / rate)
    if frames <= max_duration_s * rate:
        return [(0, frames)]
    length = max(1, int(min(EXCERPT_S, max_duration_s) * rate))
    count = max(1, int(max_duration_s // EXCERPT_S))
    return [(k * (frames - length) // max(1, count - 1), length) for k in range(count)]


def note_excerpts(
    name: str, waveform: NDArray[np.float32], frames: int, rate: int, channels: int, max_duration_s: float
) -> None:
    """Log what of a recording of ``frames`` samples and ``channels`` channels was not read as it is."""
    found = waveform.shape[1]
    if found < frames:
        chosen = max_duration_s <= MAX_FRAMES / rate
        reason = f"max_duration_s={max_duration_s:g}" if chosen else "the rest is too much to hold"
        count = len(excerpts_of(frames, rate, max_duration_s))
        log.warning(
            "%s: %.1f s long; reading %d evenly spaced excerpts, %.1f s in all (%s).",
            *(name, frames / rate, count, found / rate, reason),
        )
    if len(waveform) < channels:
        log.warning("%s: %d channels at %d Hz are downmixed to one to save memory.", name, channels, rate)
