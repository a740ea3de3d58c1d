"""Embeddings spanned by the labels of a classifier: an axis for each label, and one for none of them.

An item's scores are its coordinates; a phrase lies along the axes of the labels that mean it. Their cosine is how much
of what was found is the phrase, so a tagger and a detector can stand in for encoders of audio and of images. They know
their labels and no more: a phrase that no label means lies along the last axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs.language.label_maps import ClassMapper, class_mapper
from zsavs.language.sound_sources import LabelPhrases, kinds_of
from zsavs.models.outputs import normalise

__all__ = ["LabelSpace"]

#: What every item has along the last axis: more than a classifier's noise, less than a label that is found.
_REST = 0.25


class LabelSpace:
    """Unit rows from the scores of a classifier's labels, and from phrases.

    A phrase means a label if both name the same class of COCO, or the same visible thing
    (:class:`zsavs.language.sound_sources.LabelPhrases`), or if the label's is a kind of the phrase's: a "Bark" is a
    dog's, and an animal's.

    Args:
        labels: L names.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        thing_of = LabelPhrases()
        things = [thing_of(label) for label in labels]
        self._coco = class_mapper("coco")
        self._classes = np.array([self._coco(thing) if thing else 0 for thing in things])
        self._things = ("", *dict.fromkeys(thing for thing in things if thing))
        self._thing_of = ClassMapper(self._things)
        self._of_label = np.array([self._things.index(thing) for thing in things])

    def embed_scores(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """The embeddings of N items: (N, L) scores in [0, 1] give (N, L + 1), unit rows."""
        return normalise(np.concatenate([scores, np.full((len(scores), 1), _REST, np.float32)], axis=1))

    def embed_phrases(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """The embeddings of K phrases, alone or in a sentence: (K, L + 1), unit rows."""
        rows = np.zeros((len(phrases), len(self._of_label) + 1), np.float32)
        for row, phrase in zip(rows, phrases, strict=True):
            row[:-1] = self._means(phrase)
            row[-1] = not row.any()
        return normalise(rows)

    def _means(self, phrase: str) -> NDArray[np.bool_]:
        """Which labels a phrase means: (L,)."""
        if named := self._coco(phrase):
            return np.isin(self._classes, named)
        thing = self._things[self._thing_of(phrase)]
        kinds = [self._things.index(kind) for kind in kinds_of(thing) if kind in self._things]
        return np.isin(self._of_label, [self._things.index(thing), *kinds]) & (self._of_label > 0)
