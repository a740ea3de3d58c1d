"""The rule by which objects that are seen are those that are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs.algebra.assignment import assign
from zsavs.errors import InputError
from zsavs.language.meanings import Meanings
from zsavs.protocols import ImageTextEncoder
from zsavs.storage.memo import Memo
from zsavs.tracking.appearance import SHORT_GAP, Appearance, overlap

__all__ = ["Matcher"]

#: What a whole diagonal of the way between two boxes takes from their similarity.
_FAR = 0.2
#: Objects whose looks are kept. An embedding has a few kB.
_KEPT_LOOKS = 4096


class Matcher:
    """Finds known objects again, in two steps, each one-to-one and within phrases of the same meaning.

    1. An object that was seen within the last few frames is where its mask, moved as its motion says, overlaps most.
       Where several overlap, as when two cross, what they look like counts as much as the overlap. Where it was out of
       sight meanwhile, it has to look like it enough, too.
    2. One that was covered, out of view or silent for longer, or that moved too far, is the one that looks most like
       it and looks like it enough; of two alike the nearer one.

    What something looks like is its colour histogram and, if there is an encoder, the embedding of its crop, with equal
    weights: a thing in the same colours may be another one, and so may another specimen of the same kind.

    Args:
        image_text: optional encoder of crops. It is asked only where overlap does not decide.
        min_overlap: intersection over union, in (0, 1], from which masks of neighbouring frames are of one object.
        min_similarity: in [0, 1], from which what comes into view is what was seen before.

    Raises:
        InputError: a setting is out of range.
    """

    def __init__(
        self, image_text: ImageTextEncoder | None = None, *, min_overlap: float = 0.2, min_similarity: float = 0.6
    ) -> None:
        if not 0 < min_overlap <= 1 or not 0 <= min_similarity <= 1:
            raise InputError(
                f"min_overlap is in (0, 1] and min_similarity in [0, 1], got {min_overlap!r} and {min_similarity!r}."
            )
        self.image_text, self.min_overlap, self.min_similarity = image_text, min_overlap, min_similarity
        self._meanings = Meanings()
        self._embeddings: Memo[NDArray[np.float32]] = Memo(max_items=_KEPT_LOOKS)

    def match(
        self, known: Sequence[Appearance], new: Sequence[Appearance], diagonal: float = np.inf
    ) -> list[int | None]:
        """For each of N new appearances, the place in ``known`` of the object that it is; None for another one.

        Args:
            known: K objects as each was last seen.
            new: N different objects, each seen later.
            diagonal: of the image in pixels, the length that distances are measured by; without it none counts.
        """
        answer: list[int | None] = [None] * len(new)
        if not known or not new:
            return answer
        may = self.same_phrase(known, new)
        for then, now in self._by_overlap(known, new, may):
            answer[now] = then
            may[then], may[:, now] = False, False
        rows, columns = _used(may)
        if len(rows):
            left, coming = [known[row] for row in rows], [new[column] for column in columns]
            alike = self.looks(left, coming)
            gain = alike - _FAR * np.minimum(1.0, _distances(left, coming) / diagonal)
            allowed = may[np.ix_(rows, columns)] & (alike >= self.min_similarity)
            for then, now in _most(np.where(allowed, gain + _FAR, 0.0)):
                answer[columns[now]] = rows[then]
        return answer

    def looks(self, known: Sequence[Appearance], new: Sequence[Appearance]) -> NDArray[np.float64]:
        """How alike objects look: (K, N), 1 for the same picture, 0 for nothing in common."""
        colours = np.stack([one.colours for one in known]) @ np.stack([one.colours for one in new]).T
        if self.image_text is None:
            return colours.astype(np.float64)
        rows = self._embeddings([one.crop for one in (*known, *new)], self._embed)
        return np.asarray(0.5 * (colours + np.stack(rows[: len(known)]) @ np.stack(rows[len(known) :]).T), np.float64)

    def _embed(self, crops: list[NDArray[np.uint8]]) -> Sequence[NDArray[np.float32]]:
        assert self.image_text is not None
        return list(self.image_text.encode_image(crops))

    def same_phrase(self, known: Sequence[Appearance], new: Sequence[Appearance]) -> NDArray[np.bool_]:
        """(K, N), whether the phrases mean the same; a "brown dog" is a "dog", whichever was said first."""
        thens, then = _distinct(known)
        nows, now = _distinct(new)
        same = self._meanings.same(thens, nows) | self._meanings.same(nows, thens).T
        return np.array(same[np.ix_(then, now)])

    def _by_overlap(
        self, known: Sequence[Appearance], new: Sequence[Appearance], may: NDArray[np.bool_]
    ) -> list[tuple[int, int]]:
        """The pairs of the first step, among those that ``may`` (K, N) allows."""
        gaps = np.array([[now.frame - then.frame for now in new] for then in known])
        gain = np.zeros(may.shape)
        for row, column in np.argwhere(may & (gaps > 0) & (gaps <= SHORT_GAP)).tolist():
            gain[row, column] = overlap(known[row], new[column])
        gain[gain < self.min_overlap] = 0
        near = gain > 0
        unclear = near & ((gaps > 1) | (near.sum(axis=1, keepdims=True) > 1) | (near.sum(axis=0, keepdims=True) > 1))
        rows, columns = _used(unclear)
        if len(rows):
            part = np.ix_(rows, columns)
            alike = self.looks([known[row] for row in rows], [new[column] for column in columns])
            other = (gaps[part] > 1) & (alike < self.min_similarity)
            gain[part] = np.where(other, 0.0, gain[part] + np.where(unclear[part], alike, 0.0))
        return _most(gain)


def _used(pairs: NDArray[np.bool_]) -> tuple[list[int], list[int]]:
    """The rows and the columns with a pair."""
    return np.flatnonzero(pairs.any(axis=1)).tolist(), np.flatnonzero(pairs.any(axis=0)).tolist()


def _most(gain: NDArray[np.float64]) -> list[tuple[int, int]]:
    """The one-to-one pairs of the largest total gain; those of no gain are none."""
    return [(row, column) for row, column in assign(-gain) if gain[row, column] > 0]


def _distinct(objects: Sequence[Appearance]) -> tuple[list[str], list[int]]:
    """The phrases, each once, and which of them each object has."""
    places: dict[str, int] = {}
    each = [places.setdefault(one.phrase, len(places)) for one in objects]
    return list(places), each


def _distances(known: Sequence[Appearance], new: Sequence[Appearance]) -> NDArray[np.float64]:
    """(K, N) pixels from where each known object's motion takes it to each new one."""
    away = [[np.hypot(*np.add(then.centre, then.moved_to(now.frame)) - now.centre) for now in new] for then in known]
    return np.array(away)
