"""The check of trackers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs.protocols import Tracker
from zsavs.testing.requirements import require, verb
from zsavs.types import Detections

__all__ = ["check_tracker", "example_frames"]

#: The example: a square of each of these colours, in frames of this size, which moves by some pixels from frame to
#: frame.
_COLOURS = {"red": (220, 30, 30), "blue": (30, 30, 220)}
_SIZE_HW, _SIDE, _STEP, _FRAMES = (96, 128), 24, 6, 5


def check_tracker(
    tracker: Tracker,
    images: Sequence[NDArray[np.uint8]] | None = None,
    found: Mapping[int, Detections] | None = None,
) -> None:
    """Check a tracker: one answer for each frame, ids from 0, every object under the phrase that it was found under.

    It says in ``looks`` when it wants to be told; what was found in a frame is in the answer for it, with one id for
    each object; objects in one frame have different ids and an object has one phrase; nothing found and no frames give
    nothing; the same is answered twice.

    Args:
        tracker: what to check.
        images, found: the frames and what was found in them, as for ``track``; squares that move, if left out.

    Raises:
        ContractError: what the tracker does otherwise.
    """
    looks = getattr(tracker, "looks", None)
    require(looks in ("every", "pivots"), f'track: looks is "every" or "pivots", got {looks!r}.')
    if images is None or found is None:
        images, found = example_frames()
        found = found if looks == "every" else {place: found[place] for place in (1, 3)}
    track = verb(tracker, "track")
    answer = track(images, found)
    require(len(answer) == len(images), f"track: one answer for each of {len(images)} frames, got {len(answer)}.")
    phrases: dict[int, str] = {}
    for place, (image, here) in enumerate(zip(images, answer, strict=True)):
        shape = (len(here), *image.shape[:2])
        require(here.masks.shape == shape, f"track: masks of the frame's size, {shape}, got {here.masks.shape}.")
        ids = [int(number) for number in here.ids]
        require(len(set(ids)) == len(ids) and min(ids, default=0) >= 0, f"track: ids of a frame differ, got {ids}.")
        for number, phrase in zip(ids, here.phrases, strict=True):
            known = phrases.setdefault(number, phrase)
            require(known == phrase, f"track: object {number} has one phrase, got {known!r} and {phrase!r}.")
        seen = found.get(place)
        for mask in () if seen is None else seen.masks[seen.masks.any(axis=(1, 2))]:
            there = any(np.array_equal(mask, other) for other in here.masks)
            require(there, f"track: what was found in frame {place} is in the answer for it.")
    known_phrases = {phrase for here in found.values() for phrase in here.phrases}
    require(set(phrases.values()) <= known_phrases, "track: no phrase that nothing was found under.")
    require(sorted(phrases) == list(range(len(phrases))), f"track: ids are 0, 1, 2, ..., got {sorted(phrases)}.")
    for here, again in zip(answer, track(images, found), strict=True):
        same = all(np.array_equal(getattr(here, name), getattr(again, name)) for name in ("masks", "ids", "scores"))
        require(same and here.phrases == again.phrases, "track: the same call twice gives the same bits.")
    require(track([], {}) == [], "track: no frames, no answers.")
    for nothing in ({}, {0: Detections.nothing(images[0].shape[:2])}):
        empty = track(images, nothing)
        require(not any(map(len, empty)), "track: where nothing was found, nothing is tracked.")
        require(len(empty) == len(images), "track: one answer for each frame, where nothing was found as well.")


def example_frames() -> tuple[list[NDArray[np.uint8]], dict[int, Detections]]:
    """Frames with squares that move to the right, and what is found in each: where they are."""
    images, found = [], {}
    for number in range(_FRAMES):
        image = np.full((*_SIZE_HW, 3), 90, np.uint8)
        masks = np.zeros((len(_COLOURS), *_SIZE_HW), np.bool_)
        for row, colour in enumerate(_COLOURS.values()):
            top, left = 10 + 40 * row, 10 + 20 * row + _STEP * number
            masks[row, top : top + _SIDE, left : left + _SIDE] = True
            image[masks[row]] = colour
        images.append(image)
        found[number] = Detections(masks, tuple(_COLOURS), np.full(len(_COLOURS), 0.8, np.float32))
    return images, found
