"""The direction of a stereo clip's source, and the prior over the image that follows from it.

VPO's stereo clips (Chen et al., CAVP, CVPR 2024) are panned by amplitude: a source at the share ``x`` of the
image's width has ``1 - x`` of it on the left and ``x`` on the right. So ``x = R / (L + R)``, L and R being the
amplitudes in the channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.protocols import Strategy
from zsavs.types import AudioClip, AVSample, Query

__all__ = ["Direction", "StereoPrior", "direction_of", "prior_of"]

#: How far a source may appear from the direction of its sound, in widths of the image: one standard deviation.
_WIDTH = 0.2
#: Cells of a prior, from left to right.
_CELLS = 64
#: Channels so much alike, and so equally loud, are dual mono (or nearly: lossy codecs) and have no direction.
_SAME, _EQUAL_DB = 0.99, 0.5
#: How much larger the power in the main direction must be than across it, as a share of both, to be a direction.
_MIN_CONTRAST = 0.2
#: Power per sample of silence, full scale squared: -100 dB.
_SILENCE = 1e-10


class Direction(NamedTuple):
    """Where a source is, 0 the left edge of the image and 1 the right one, and its standard deviation."""

    pan: float
    spread: float


def direction_of(clip: AudioClip) -> Direction | None:
    """The direction of a stereo clip, estimated.

    A source that is panned by amplitude is the same wave in both channels, so the covariance of the channels is
    ``p a a'`` with ``a = (1 - x, x)``, and ``a`` its main axis. Noise that is independent in the channels adds the
    same to both powers, which turns no axis; a ratio of the powers, in contrast, would move to the middle. The power
    across the main axis, noise or other sources elsewhere, is how far the direction varies.

    Returns:
        None for anything but two channels, for two that are the same (dual mono), for silence, and where no direction
        stands out, as in plain noise. Stereo by delay, of microphones apart, mostly has none.
    """
    if len(clip.waveform) != 2 or np.array_equal(clip.waveform[0], clip.waveform[1]):
        return None
    waves = clip.waveform.astype(np.float64)
    waves -= waves.mean(axis=1, keepdims=True)  # an offset is inaudible
    covariance = waves @ waves.T / waves.shape[1]
    left, right = np.diag(covariance)
    if left + right <= _SILENCE:
        return None
    same = covariance[0, 1] > _SAME * np.sqrt(left * right)
    if same and abs(10 * np.log10(right / left)) < _EQUAL_DB:
        return None
    (across, along), axes = np.linalg.eigh(covariance)
    if along - across < _MIN_CONTRAST * (along + across):
        return None
    main = np.abs(axes[:, 1])
    spread = np.sqrt(max(0.0, across) / (along + across))  # of the angle between the channels, a quarter turn in all
    return Direction(float(main[1] / main.sum()), float(spread / (np.pi / 2)))


def prior_of(direction: Direction) -> NDArray[np.float32]:
    """(1, 64) map in [0, 1]: 1 in the source's direction, falling off as a Gaussian of 0.2 widths and the spread."""
    place = (np.arange(_CELLS) + 0.5) / _CELLS
    variance = _WIDTH**2 + direction.spread**2
    return np.exp(-0.5 * (place - direction.pan) ** 2 / variance)[None].astype(np.float32)


class StereoPrior:
    """A strategy whose queries get a prior over the image, where the audio is stereo.

    The queries are otherwise the strategy's own; the last step of verification applies the prior
    (:func:`zsavs.verification.selection.select`). Mono and dual mono clips get none.

    Args:
        strategy: the strategy.
    """

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """The strategy's queries, each with the prior of its clip's direction times its own."""
        queries = self.strategy.query(samples)
        return [_with_prior(query, direction_of(sample.audio)) for query, sample in zip(queries, samples, strict=True)]


def _with_prior(query: Query, direction: Direction | None) -> Query:
    if direction is None or not len(query):
        return query
    prior = prior_of(direction)
    if query.prior is None:
        return replace(query, prior=prior)
    own = query.prior
    columns = (np.arange(own.shape[-1]) * _CELLS) // own.shape[-1]  # a map of any width
    return replace(query, prior=own * prior[:, columns])
