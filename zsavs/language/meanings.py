"""Which labels mean the same: one row of a query, one of the labels that compete for a region.

A vocabulary that says "maracas" and "maraca", or "couch" and "sofa", would else hear one thing under several names, and
refuse it in the image, as the names share a softmax. Of names that mean the same the first one stands for all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.algebra.directions import common_part, unit
from zsavs.language.noun_phrases import without_looks
from zsavs.language.vocabulary import load_vocabulary
from zsavs.language.word_forms import key_of

__all__ = ["Meanings", "Space"]

Embed = Callable[[Sequence[str]], NDArray[np.floating[Any]]]

#: Shipped vocabularies of which no two labels mean the same: they say how similar texts of different meaning are.
_DIFFERENT = ("everyday", "silent")
#: Texts of one meaning have a larger cosine than this, and than the most similar texts of different meaning by so much.
_LEAST, _MORE = 0.9, 0.001


class Space(NamedTuple):
    """What the texts of a space share, (D,), and the cosine without it that texts of one meaning exceed."""

    common: NDArray[np.float64]
    threshold: float


class Meanings:
    """Which labels mean the same, by word and by text embedding.

    By word: they are the same words, whatever their case, hyphens, articles and number
    (:func:`zsavs.language.word_forms.key_of`).

    By text embedding: without what all texts of the space share, their cosine exceeds 0.9, and that of any two labels
    of the shipped vocabularies "everyday" and "silent", no two of which mean the same; "acoustic guitar" and "electric
    guitar", "bell" and "church bell", "dog" and "wolf" are among them. So the threshold is the space's own, and a space
    that cannot tell some of these apart merges nothing.

    Args:
        embed: text embeddings of K phrases, (K, D) unit rows; None to go by words alone.
    """

    def __init__(self, embed: Embed | None = None) -> None:
        self._embed = embed

    def distinct(self, labels: Sequence[str], *, looks: bool = False) -> tuple[str, ...]:
        """The first label of each meaning, in order.

        Args:
            labels: K labels.
            looks: whether a "brown dog" and a "dog" mean the same, as :meth:`same` has it.
        """
        kept: dict[str, str] = {}
        plain: set[str] = set()
        for label in labels:
            key = key_of(label)
            bare = without_looks(key)
            if key not in kept and not (looks and (bare in kept or key in plain)):
                kept[key] = label
                plain.add(bare)
        return self._apart(tuple(kept.values()))

    def same(self, phrases: Sequence[str], labels: Sequence[str]) -> NDArray[np.bool_]:
        """Which of L labels mean the same as each of K phrases: (K, L).

        A "brown dog" is a "dog", as colour, size and age make it no other thing; but a "white dog" is none of a "brown
        dog"'s names.
        """
        one, other = ([(key, without_looks(key)) for key in map(key_of, texts)] for texts in (phrases, labels))
        by_word = [[key in (k, b) or bare == k for k, b in other] for key, bare in one]
        same = np.array(by_word, np.bool_).reshape(len(phrases), len(labels))
        directions = self._directions((*phrases, *labels))
        if directions is None:
            return same
        by_text = directions[: len(phrases)] @ directions[len(phrases) :].T > self.space.threshold
        return np.asarray(same | by_text, np.bool_)

    @functools.cached_property
    def space(self) -> Space:
        """What decides by text embedding; measured once, on the shipped vocabularies."""
        if self._embed is None:
            return Space(np.zeros(0), np.inf)
        rows = self._embed(_different())
        common = common_part(rows)
        directions = unit(rows - common)
        cosines = directions @ directions.T
        np.fill_diagonal(cosines, -1)
        return Space(common, max(_LEAST, float(cosines.max()) + _MORE))

    def _apart(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """The labels that are near no earlier one in the space."""
        directions = self._directions(labels)
        if directions is None:
            return labels
        kept: list[str] = []
        rows = np.empty_like(directions)
        for label, direction in zip(labels, directions, strict=True):
            if not (rows[: len(kept)] @ direction > self.space.threshold).any():
                rows[len(kept)] = direction
                kept.append(label)
        return tuple(kept)

    def _directions(self, labels: Sequence[str]) -> NDArray[np.float64] | None:
        """(K, D) unit rows, what each label's text has of its own; None where no two of them can be near enough."""
        if self._embed is None or not labels or set(labels) <= set(_different()) or self.space.threshold >= 1:
            return None
        return unit(self._embed(labels) - self.space.common)


@functools.cache
def _different() -> tuple[str, ...]:
    return tuple(label for name in _DIFFERENT for label in load_vocabulary(name))
