"""Textual inversion: a token embedding, optimised until a prompt with it is similar to an audio embedding.

Only the input embedding of one token is optimised (Gal et al., "An Image is Worth One Word", ICLR 2023, for images); no
weight is. Nothing is random: a word starts at a label's own token embedding. Rows are independent of each other, and
one that has stopped costs nothing more.
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
    """A word W*: its token embedding (W,), its first and best similarity, and the steps until it stopped."""

    vector: NDArray[np.float32]
    start: float
    similarity: float
    steps: int


def centred_similarity(text: Rows, common: Rows, directions: Rows) -> NDArray[np.float64]:
    """The cosine of each text, less what all texts share, with a centred audio embedding.

    Args:
        text: (N, D) unit rows.
        common: (D,) what all texts share (:func:`zsavs.algebra.directions.common_part`).
        directions: (N, D) unit rows: audio embeddings less the mean of a bank.

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
    """The words at ``argmax over ||e - e_0|| <= bound ||e_0|| of cos(T(prompt, e) - common, direction)``.

    Gradient ascent with Adam's steps, of one scale for the whole embedding (a running mean of the gradient over a
    running root mean square of its length), of at most ``step_size`` radii, which decreases linearly to 0; each step
    is projected onto the ball. A word stops when ``patience`` steps have gained less than 0.001 in similarity, and
    keeps its best embedding.

    Args:
        encoder: encodes texts with token embeddings.
        prompt: holds one ``{}``.
        start: (N, W) token embeddings to start from.
        directions: (N, D) unit rows, what each word's text is to be similar to.
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
