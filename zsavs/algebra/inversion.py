"""Textual inversion: move a word's vector until a prompt around it means what a sound means.

The vector that a token enters the text tower with is the only thing that moves (Gal et al., "An Image is Worth One
Word", ICLR 2023, for images); no weight does. Nothing is drawn at random: a word starts at a label's own vector and
climbs. Rows are independent of each other, and one that has stopped takes no more part.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.protocols import PseudoWordEncoder

__all__ = ["Inverted", "centred_similarity", "invert"]

Rows = NDArray[np.floating[Any]]

#: Decay of the running means of the gradient and of its squared length, as Adam's.
_MOMENTUM, _MEMORY = 0.9, 0.99
#: What counts as an improvement, in cosine.
_GAIN = 1e-3


class Inverted(NamedTuple):
    """A word W*: its vector (W,), the cosine that it started and ended at, and after how many steps it stopped."""

    vector: NDArray[np.float32]
    start: float
    similarity: float
    steps: int


def centred_similarity(text: Rows, common: Rows, directions: Rows) -> NDArray[np.float64]:
    """How far texts mean what sounds mean: the cosine of what a text has beyond any text with a direction.

    Args:
        text: (N, D) unit rows.
        common: (D,) what all texts share (:func:`zsavs.algebra.directions.common_part`).
        directions: (N, D) unit rows: what each sound has beyond any sound.

    Returns:
        (N,) in [-1, 1].
    """
    own = text - common
    cosines: NDArray[np.float64] = (own * directions).sum(axis=1) / (np.linalg.norm(own, axis=1) + 1e-12)
    return cosines


def invert(
    encoder: PseudoWordEncoder,
    prompt: str,
    start: Rows,
    directions: Rows,
    common: Rows,
    *,
    steps: int,
    step_size: float,
    bound: float,
    patience: int,
) -> list[Inverted]:
    """Climb to ``argmax over ||e - e_0|| <= bound ||e_0|| of cos(T(prompt, e) - common, direction)``.

    The steps are Adam's with one scale for the whole vector (a running mean of the gradient over a running root mean
    square of its length), of at most ``step_size`` radii, growing shorter to the end; each ends inside of the ball. A
    word stops when ``patience`` steps have brought no 0.001, and keeps the best vector that it was at.

    Args:
        encoder: reads the words.
        prompt: holds one ``{}``.
        start: (N, W) vectors to start from.
        directions: (N, D) unit rows, what each word is to mean.
        common: (D,) what all texts in this prompt share.
        steps: the most of them.
        step_size: of the first step, as a share of the radius.
        bound: radius of the ball around the start, as a share of the start's length.
        patience: steps without improvement before a word stops.

    Returns:
        N words.
    """
    start = np.asarray(start, np.float64)
    count = len(start)
    radius = bound * np.linalg.norm(start, axis=1, keepdims=True)
    now, best, taken = start.copy(), start.copy(), np.zeros(count, np.int64)
    first, highest, mark = np.zeros(count), np.full(count, -np.inf), np.full(count, -np.inf)
    since = np.zeros(count, np.int64)
    mean, square = np.zeros_like(start), np.zeros((count, 1))
    moving = np.arange(count)
    for step in range(steps + 1):
        if not len(moving):
            break
        text, pull = encoder.encode_pseudo_words(prompt, now[moving].astype(np.float32))
        cosines = centred_similarity(text, common, directions[moving])
        if step == 0:
            first[:] = cosines
        better = cosines > highest[moving]
        best[moving[better]], highest[moving[better]] = now[moving[better]], cosines[better]
        gained = cosines > mark[moving] + _GAIN
        mark[moving[gained]] = cosines[gained]
        since[moving] = np.where(gained, 0, since[moving] + 1)
        going = since[moving] < max(patience, 1)
        if step == steps or not going.any():
            break
        up = pull(_slope(text, common, directions[moving], cosines))[going]
        moving = moving[going]
        mean[moving] = _MOMENTUM * mean[moving] + (1 - _MOMENTUM) * up
        square[moving] = _MEMORY * square[moving] + (1 - _MEMORY) * (up**2).sum(axis=1, keepdims=True, dtype=np.float64)
        pace = mean[moving] / (1 - _MOMENTUM ** (step + 1))
        pace /= np.sqrt(square[moving] / (1 - _MEMORY ** (step + 1))) + 1e-12
        away = now[moving] + step_size * (1 - step / steps) * radius[moving] * pace - start[moving]
        length = np.linalg.norm(away, axis=1, keepdims=True)
        now[moving] = start[moving] + away * np.minimum(1, radius[moving] / (length + 1e-12))
        taken[moving] += 1
    return [
        Inverted(vector.astype(np.float32), float(low), float(high), int(number))
        for vector, low, high, number in zip(best, first, highest, taken, strict=True)
    ]


def _slope(text: Rows, common: Rows, directions: Rows, cosines: Rows) -> NDArray[np.float64]:
    """(N, D) gradient of :func:`centred_similarity` with respect to the texts."""
    own = text - common
    length = np.linalg.norm(own, axis=1, keepdims=True) + 1e-12
    slope: NDArray[np.float64] = (directions - cosines[:, None] * own / length) / length
    return slope
