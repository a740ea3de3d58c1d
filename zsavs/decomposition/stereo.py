"""Where a stereo recording says that its sound comes from, and the prior over the image that follows.

VPO's stereo recordings (Chen et al., CAVP, CVPR 2024) are panned by amplitude: a source at the share ``x`` of the
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

#: How far from a sound's direction its source may look, in widths of the image, at one standard deviation.
_WIDTH = 0.2
#: Cells of a prior, from left to right.
_CELLS = 64
#: Channels so much alike, and so equally loud, are one channel twice (or nearly: lossy codecs), and say nothing.
_SAME, _EQUAL_DB = 0.99, 0.5
#: How much larger the power in the main direction must be than across it, as a share of both, to be a direction.
_MIN_CONTRAST = 0.2
#: Power per sample of silence, full scale squared: -100 dB.
_SILENCE = 1e-10


class Direction(NamedTuple):
    """Where a sound comes from, 0 the left edge of the image and 1 the right one, and how far that varies (sd)."""

    pan: float
    spread: float


def direction_of(clip: AudioClip) -> Direction | None:
    """Estimate the direction of a stereo recording.

    A source that is panned by amplitude is the same wave in both channels, so the covariance of the channels is
    ``p a a'`` with ``a = (1 - x, x)``, and ``a`` its main axis. Noise that is independent in the channels adds the
    same to both powers, which turns no axis; the ratio of the powers, in contrast, it would pull to the middle. What
    lies across the main axis, noise or other sources elsewhere, is how far the direction varies.

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
    """(1, 64) map in [0, 1]: 1 in the sound's direction, falling off as a Gaussian of 0.2 widths and the spread."""
    place = (np.arange(_CELLS) + 0.5) / _CELLS
    variance = _WIDTH**2 + direction.spread**2
    return np.exp(-0.5 * (place - direction.pan) ** 2 / variance)[None].astype(np.float32)


class StereoPrior:
    """A strategy that also says on which side to look, where the recording is stereo.

    What to look for is the strategy's, unchanged; its queries get a prior, which the verifiers' last step weighs
    regions by (:func:`zsavs.verification.selection.select`). Mono and dual mono recordings get none.

    Args:
        strategy: what to ask.
    """

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """The strategy's queries, each with the prior of its recording's direction on top of its own."""
        queries = self.strategy.query(samples)
        return [_guided(query, direction_of(sample.audio)) for query, sample in zip(queries, samples, strict=True)]


def _guided(query: Query, direction: Direction | None) -> Query:
    if direction is None or not len(query):
        return query
    prior = prior_of(direction)
    if query.prior is None:
        return replace(query, prior=prior)
    own = query.prior
    columns = (np.arange(own.shape[-1]) * _CELLS) // own.shape[-1]  # a map of any width
    return replace(query, prior=own * prior[:, columns])
