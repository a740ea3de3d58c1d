"""Whether the channels of a waveform cancel each other in their mean, found block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CANCELLED", "Powers"]

#: What is logged where they do: the source, the channel that is heard, and how many there are.
CANCELLED = "%s: the channels are opposite in sign and cancel in their mean; channel %d of %d is heard alone."

#: Channels with nothing in common leave a mean of 1 / C of their power; of those that cancel less than this share of
#: that is left. For two channels it is a hundredth of their mean power.
_LEFT = 0.02
#: The part of a power that is sound and not rounding, beside a constant offset.
_ROUNDING = 1e-12


class Powers:
    """The powers of C channels and of their mean, without constant offsets; blocks come one after the other."""

    def __init__(self, channels: int) -> None:
        self._samples = 0
        self._sums, self._squares = np.zeros(channels + 1), np.zeros(channels + 1)

    def add(self, block: NDArray[np.floating[Any]]) -> None:
        """Take in the next block, (C, n)."""
        self._samples += block.shape[1]
        with np.errstate(over="ignore", invalid="ignore"):
            for place, row in enumerate((*block, block.mean(axis=0, dtype=np.float32))):
                wide = row.astype(np.float64)
                self._sums[place] += wide.sum()
                self._squares[place] += wide @ wide

    def _powers(self) -> NDArray[np.float64]:
        """Of each channel and, last, of the mean."""
        count = max(self._samples, 1)
        power = self._squares / count
        without = power - (self._sums / count) ** 2
        return np.where(without > _ROUNDING * power, without, 0)

    @property
    def cancel(self) -> bool:
        """Whether the mean has less than a fiftieth of the power it would have of channels with nothing in common."""
        *channels, mean = self._powers()
        return bool(mean * len(channels) < _LEFT * np.mean(channels))

    @property
    def loudest(self) -> int:
        """The channel with the most power, the first of equals."""
        return int(np.argmax(self._powers()[:-1]))
