"""One id for each object of a video, from frame to frame and from stretch to stretch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ContractError
from zsavs.tracking.appearance import SHORT_GAP, Appearance, appearances
from zsavs.tracking.matching import Matcher
from zsavs.types import Detections

__all__ = ["Identities"]


class Identities:
    """The objects of a video that were seen so far, and their ids, which stretch after stretch is joined to.

    What is kept of an object that is long out of sight is a crop of at most 200 kB, so that an hour of video fits.

    Args:
        matcher: finds objects again.
    """

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        #: By id, the object as it was last seen.
        self.known: list[Appearance] = []
        self._frame = 0

    def join(
        self, images: Sequence[NDArray[np.uint8]], tracked: Sequence[Detections], start: int | None = None
    ) -> list[Detections]:
        """The objects of the next stretch, with the ids of those that were known, and new ones for the others.

        Args:
            images: the frames of the stretch, each (H, W, 3) uint8 RGB.
            tracked: what a tracker found in each of them. Two of its ids stay two; objects with one id stay one.
            start: the number of its first frame; left out, it follows the stretch before it.

        Returns:
            The same objects without those whose mask is empty, with whole numbers from 0 as ids, in the order in which
            they were first seen. An object keeps the phrase that it was first found under.

        Raises:
            ContractError: a mask is not of its frame's size.
        """
        begin = self._frame if start is None else start
        first, last = _first_and_last(images, tracked, begin)
        diagonal = float(np.hypot(*images[0].shape[:2])) if len(images) else np.inf
        places = self.matcher.match(self.known, list(first.values()), diagonal)
        ids: dict[int, int] = {}
        for inner, place in zip(first, places, strict=True):
            if place is None:
                ids[inner] = len(self.known)
                self.known.append(last[inner])
            else:
                ids[inner] = place
                before = self.known[place]
                alone = last[inner].frame == first[inner].frame
                now = last[inner].after(before)
                self.known[place] = now if alone else replace(now, velocity=last[inner].velocity)
        self._frame = begin + len(images)
        self.known = [
            replace(one, mask=None) if one.mask is not None and self._frame - one.frame > SHORT_GAP else one
            for one in self.known
        ]
        return [self._named(found, ids) for found in tracked]

    def _named(self, found: Detections, ids: dict[int, int]) -> Detections:
        there = found.masks.any(axis=(1, 2))
        numbers = [ids[int(inner)] for inner in found.ids[there]]
        return Detections(
            found.masks[there],
            tuple(self.known[number].phrase for number in numbers),
            found.scores[there],
            np.array(numbers, np.int64),
        )


def _first_and_last(
    images: Sequence[NDArray[np.uint8]], tracked: Sequence[Detections], begin: int
) -> tuple[dict[int, Appearance], dict[int, Appearance]]:
    """By their id in the stretch, the objects as they were first seen in it and as they were last seen."""
    first: dict[int, Appearance] = {}
    last: dict[int, Appearance] = {}
    for number, (image, found) in enumerate(zip(images, tracked, strict=True), start=begin):
        if found.masks.shape[1:] != image.shape[:2]:
            raise ContractError(
                f"frame {number} has {image.shape[:2]} pixels and the masks found in it {found.masks.shape[1:]}; a "
                "tracker takes masks of the frame's size."
            )
        for inner, one in zip(map(int, found.ids), appearances(image, found, number), strict=True):
            if one.area:
                first.setdefault(inner, one)
                last[inner] = one.after(last[inner]) if inner in last else one
    return first, last
