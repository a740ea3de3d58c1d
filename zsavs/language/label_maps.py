"""From free phrases to the classes of a label set, and from masks with phrases to a label map."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.algebra.directions import common_part, unit
from zsavs.errors import InputError
from zsavs.language.label_sets import label_set, synonyms_of
from zsavs.language.prompts import embed_phrases, templates
from zsavs.language.sound_sources import LabelPhrases
from zsavs.language.word_forms import as_words, in_singular
from zsavs.media.resize import resize_map
from zsavs.protocols import TextEncoder

__all__ = ["MIN_SIMILARITY", "ClassMapper", "class_mapper", "label_map", "text_embedder"]

#: How like a class a phrase must be, as a cosine without what all texts of the space share. Not tuned on any data.
MIN_SIMILARITY = 0.4

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


class ClassMapper:
    """Finds the class that a phrase means.

    In this order, and words before what they may mean:

    1. the class of that name, or with that synonym, whatever the case, hyphens, underscores and plurals;
    2. the class named in the phrase, at its end if it can be ("brown dog" is a dog, a "male horse" a horse), and the
       longest name of several ("race car");
    3. both again for what makes the sound that the phrase names ("barking" is a dog;
       :mod:`zsavs.language.sound_sources`);
    4. the class, or synonym of one, with the nearest text embedding, where there is an encoder. What all class names
       have in common is taken away first, so that the cosine of two different ones is about 0, and a phrase that is
       nearer to none than ``min_similarity`` has no class.

    Args:
        classes: names by id; id 0 is the background and never an answer.
        embed: text embeddings of K phrases, (K, D) unit rows; None to go by words alone.
        synonyms: other words, each with the name of its class; one with the background's name has no class, whatever
            class a part of it names. Words for classes that are not there are left out.
        min_similarity: in [-1, 1].

    Raises:
        InputError: more than 255 classes, or a similarity that cannot be.
    """

    def __init__(
        self,
        classes: Sequence[str],
        embed: Embed | None = None,
        synonyms: Mapping[str, str] | None = None,
        min_similarity: float = MIN_SIMILARITY,
    ) -> None:
        if len(classes) > 255:
            raise InputError(f"a label map holds at most 255 classes, got {len(classes)}; 255 marks what is ignored.")
        if not -1 <= min_similarity <= 1:
            raise InputError(f"min_similarity is a cosine and lies in [-1, 1], got {min_similarity}.")
        self.classes = tuple(classes)
        self.min_similarity = min_similarity
        self._embed = embed
        ids = {name: place for place, name in enumerate(self.classes) if place}
        #: What a class may be called: its own name before any synonym.
        self._terms = {as_words(name): place for name, place in reversed(ids.items())}
        ids |= dict.fromkeys(self.classes[:1], 0)
        for word, name in (synonyms or {}).items():
            if name in ids:
                self._terms.setdefault(as_words(word), ids[name])
        self._one = {in_singular(term): place for term, place in reversed(self._terms.items())}
        self._known: dict[str, int] = {}

    def __call__(self, phrase: str) -> int:
        """The id of the class, 0 where none is found."""
        if phrase not in self._known:
            self._known[phrase] = self._find(as_words(phrase))
        return self._known[phrase]

    def _find(self, phrase: str) -> int:
        if not self._terms or not phrase:
            return 0
        named = self._named(phrase)
        if named is None:
            named = self._named(as_words(_what_makes(phrase)))
        return self._nearest(phrase) if named is None else named

    def _named(self, phrase: str) -> int | None:
        """The class whose name is in the phrase, None if no name is."""
        if phrase in self._terms:
            return self._terms[phrase]
        one = in_singular(phrase)
        if one in self._one:
            return self._one[one]
        within = [term for term in self._one if f" {term} " in f" {one} "]
        if not within:
            return None
        return self._one[max(within, key=lambda term: (one.endswith(f" {term}"), len(term), -self._one[term]))]

    def _nearest(self, phrase: str) -> int:
        if self._embed is None:
            return 0
        common, directions = self._directions
        similarity = directions @ unit(self._embed([phrase])[0] - common)
        best = int(similarity.argmax())
        return list(self._terms.values())[best] if similarity[best] >= self.min_similarity else 0

    @functools.cached_property
    def _directions(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What all terms share, (D,), and what each has of its own, (T, D) unit rows."""
        assert self._embed is not None
        rows = self._embed(list(self._terms))
        common = common_part(rows)
        return common, unit(rows - common)


def class_mapper(
    labels: str | Sequence[str],
    embed: Embed | None = None,
    min_similarity: float = MIN_SIMILARITY,
) -> ClassMapper:
    """The classes of a label set, with its synonyms.

    Args:
        labels: "avss", "vpo", or names by id with the background first.
        embed: as for :class:`ClassMapper`; :func:`text_embedder` makes one.
        min_similarity: as for :class:`ClassMapper`.

    Raises:
        UnknownName: no such label set.
        InputError: no names, or more than 255.
    """
    if not isinstance(labels, Iterable) or not all(isinstance(name, str) for name in labels):
        raise InputError(f"label set: expected the name of one, or the names of classes, got {labels!r:.60}.")
    classes = label_set(labels).classes if isinstance(labels, str) else tuple(labels)
    return ClassMapper(classes, embed, synonyms_of(classes), min_similarity)


def text_embedder(part: Any) -> Embed | None:
    """Text embeddings for :class:`ClassMapper`: an encoder's, or those of the image scorer that a verifier has.

    Args:
        part: a :class:`~zsavs.protocols.TextEncoder`, or a verifier; None for the words alone.

    Returns:
        None for a verifier without an image scorer.
    """
    if part is None:
        return None
    if hasattr(part, "encode_text"):
        encoder: TextEncoder = part
        return lambda phrases: embed_phrases(encoder, phrases, templates("photo"))
    image_scorer = getattr(part, "image_scorer", None)
    return None if image_scorer is None else image_scorer.text


def label_map(
    phrases: Sequence[str], masks: NDArray[np.bool_], classes: ClassMapper, size_hw: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Paint each object's class, the surest on top: (H, W) uint8, 0 is background.

    An object whose phrase has no class paints nothing, and hides nothing that lies under it.

    Args:
        phrases: N, the surest object first.
        masks: (N, H, W) bool, one for each of them.
        classes: of the label set.
        size_hw: height and width of the map, the masks' own if left out; masks are stretched to it.
    """
    height, width = masks.shape[1:] if size_hw is None else size_hw
    labels = np.zeros((height, width), np.uint8)
    for phrase, mask in reversed(list(zip(phrases, masks, strict=True))):
        label = classes(phrase)
        if label:
            inside = mask if mask.shape == labels.shape else resize_map(mask.astype(np.float32), labels.shape) > 0.5
            labels[inside] = label
    return labels


@functools.cache
def _sounding() -> LabelPhrases:
    return LabelPhrases()


def _what_makes(phrase: str) -> str:
    """The visible source of a sound; "" for one that has none."""
    return _sounding()(phrase)
