"""Tracking by segmentation: what is found in a few frames is followed through those between, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zsavs.algebra.assignment import assign
from zsavs.tracking.appearance import Appearance, appearances, overlap
from zsavs.tracking.matching import Matcher
from zsavs.types import Detections

__all__ = ["Follower", "Propagate", "VideoSegmenter"]


class Follower(Protocol):
    """A walk through frames, from the first of those that it was made for to the last."""

    def step(self) -> dict[int, NDArray[np.bool_]]:
        """Go to the next frame: by its number, each object that was seeded and is in sight there, (H, W) bool."""
        ...

    def seed(self, number: int, mask: NDArray[np.bool_]) -> None:
        """Say what an object is in the current frame: a new one, or one that is followed and may have drifted."""
        ...


class VideoSegmenter(Protocol):
    """Follows masks through frames (SAM 2)."""

    def follow(self, images: Sequence[NDArray[np.uint8]]) -> Follower:
        """A walk through frames, each (H, W, 3) uint8 RGB, in this order, in which nothing is known yet."""
        ...


@dataclass
class _Object:
    """An object: where it was found, and its mask in every frame in which it is in sight, as packed bits."""

    phrase: str
    seeds: dict[int, tuple[NDArray[np.bool_], float]] = field(default_factory=dict)
    masks: dict[int, NDArray[np.uint8]] = field(default_factory=dict)

    def nearest(self, place: int) -> int:
        """The frame nearest to ``place`` in which it was found, of two the earlier one."""
        return min(self.seeds, key=lambda seed: (abs(seed - place), seed))


class Propagate:
    """A tracker (:class:`zsavs.protocols.Tracker`) around a video segmenter, which is told of objects at pivots.

    Forwards, at each pivot, what was found there is an object that is followed if their masks overlap enough; else one
    that is out of sight and looks like it (:class:`~zsavs.tracking.matching.Matcher`); else a new one. Phrases of other
    meanings are other objects. Then backwards, with the same seeds. A frame has the mask that comes from the nearer
    pivot, and its score.

    Seeding a video segmenter where evidence is strongest is what AL-Ref-SAM2 does (Huang et al., AAAI 2025), with a
    language model that chooses; here the caller does.

    Args:
        segmenter: follows masks.
        matcher: recognises what was out of sight; one that goes by colours if left out.
        min_overlap: intersection over union, in (0, 1], from which what is found is what is followed.
    """

    looks = "pivots"

    def __init__(self, segmenter: VideoSegmenter, matcher: Matcher | None = None, *, min_overlap: float = 0.5) -> None:
        self.segmenter, self.matcher, self.min_overlap = segmenter, matcher or Matcher(), min_overlap

    def track(self, images: Sequence[NDArray[np.uint8]], found: Mapping[int, Detections]) -> list[Detections]:
        """The objects of each frame, with ids in the order of the pivots at which they were first found.

        Args:
            images: the frames in order, each (H, W, 3) uint8 RGB, all of one size.
            found: by the place of a frame, what was found in it; their ids are not read.

        Returns:
            One for each frame. In the frame in which it was found an object has the mask that it was found with.
        """
        pivots = sorted(place for place, here in found.items() if here.masks.any())
        objects: list[_Object] = []
        if pivots:
            self._forwards(images, found, pivots, objects)
            self._backwards(images, pivots[-1], objects)
        return [_answer(image.shape[:2], objects, place) for place, image in enumerate(images)]

    def _forwards(
        self,
        images: Sequence[NDArray[np.uint8]],
        found: Mapping[int, Detections],
        pivots: Sequence[int],
        objects: list[_Object],
    ) -> None:
        """From the first pivot to the end: fills the objects, and their masks after each one's first seed."""
        walk = self.segmenter.follow(images[pivots[0] :])
        for place in range(pivots[0], len(images)):
            for number, mask in walk.step().items():
                objects[number].masks[place] = np.packbits(mask)
            if place not in pivots:
                continue
            here = found[place]
            there = np.flatnonzero(here.masks.any(axis=(1, 2))).tolist()
            new = [appearances(images[place], here, place)[row] for row in there]
            for row, known in zip(there, self._recognised(images, objects, new, place), strict=True):
                number = len(objects) if known is None else known
                if known is None:
                    objects.append(_Object(here.phrases[row]))
                objects[number].seeds[place] = here.masks[row], float(here.scores[row])
                objects[number].masks[place] = np.packbits(here.masks[row])
                walk.seed(number, here.masks[row])

    def _recognised(
        self,
        images: Sequence[NDArray[np.uint8]],
        objects: Sequence[_Object],
        new: Sequence[Appearance],
        place: int,
    ) -> list[int | None]:
        """For each thing found at a pivot the number of the object that it is, None for a new one."""
        answer: list[int | None] = [None] * len(new)
        # As each was last seen; an object has a mask where it was found, so that there is one.
        last = [_last_seen(images, one, place) for one in objects]
        in_sight = [number for number, one in enumerate(last) if one.frame == place]
        if in_sight and new:
            followed = [last[number] for number in in_sight]
            overlaps = np.array([[overlap(one, other) for other in new] for one in followed])
            allowed = (overlaps >= self.min_overlap) & self.matcher.same_phrase(followed, new)
            for row, column in assign(-np.where(allowed, overlaps, 0.0)):
                if allowed[row, column]:
                    answer[column] = in_sight[row]
        lost = [number for number in range(len(last)) if number not in in_sight]
        unknown = [column for column, known in enumerate(answer) if known is None]
        diagonal = float(np.hypot(*images[place].shape[:2]))
        recognised = self.matcher.match([last[number] for number in lost], [new[c] for c in unknown], diagonal)
        for column, known in zip(unknown, recognised, strict=True):
            answer[column] = None if known is None else lost[known]
        return answer

    def _backwards(self, images: Sequence[NDArray[np.uint8]], last: int, objects: Sequence[_Object]) -> None:
        """From the last pivot to the start: the masks of frames that are nearer to the seed after them."""
        walk = self.segmenter.follow(images[last::-1])
        for place in range(last, -1, -1):
            masks = walk.step()
            for number, one in enumerate(objects):
                if place in one.seeds:
                    walk.seed(number, one.seeds[place][0])
                elif place < one.nearest(place):
                    one.masks.pop(place, None)
                    if number in masks:
                        one.masks[place] = np.packbits(masks[number])


def _last_seen(images: Sequence[NDArray[np.uint8]], one: _Object, place: int) -> Appearance:
    """An object as it was last seen, in the frame at ``place`` or before it; its looks are those of its last seed."""
    size_hw = images[0].shape[:2]

    def seen(at: int) -> Appearance:
        mask = _unpacked(one.masks[at], size_hw)
        return appearances(images[at], Detections(mask[None], (one.phrase,), np.zeros(1, np.float32)), at)[0]

    at = max(frame for frame in one.masks if frame <= place)
    return seen(at).after(seen(max(one.seeds)))


def _unpacked(bits: NDArray[np.uint8], size_hw: tuple[int, ...]) -> NDArray[np.bool_]:
    height, width = size_hw
    return np.unpackbits(bits, count=height * width).reshape(height, width).astype(np.bool_)


def _answer(size_hw: tuple[int, ...], objects: Sequence[_Object], place: int) -> Detections:
    """The objects that are in sight in a frame."""
    height, width = size_hw
    ids = [number for number, one in enumerate(objects) if place in one.masks]
    if not ids:
        return Detections.nothing((height, width))
    shown = [objects[number] for number in ids]
    return Detections(
        np.stack([_unpacked(one.masks[place], size_hw) for one in shown]),
        tuple(one.phrase for one in shown),
        np.array([one.seeds[one.nearest(place)][1] for one in shown], np.float32),
        np.array(ids, np.int64),
    )
