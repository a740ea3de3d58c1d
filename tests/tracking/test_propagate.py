"""From pivots through all frames, with a video segmenter that is a rule: who is followed, merged, lost, found again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from zsavs.protocols import Tracker
from zsavs.testing import check_tracker
from zsavs.tracking.propagate import Propagate
from zsavs.types import Detections

RED, BLUE, GREEN = (250, 0, 0), (0, 0, 250), (0, 200, 0)
HEIGHT, WIDTH, SIDE, GREY = 40, 100, 12, 90

Square = tuple[tuple[int, int, int], int, int]


def frame(*squares: Square) -> NDArray[np.uint8]:
    """An image of squares (colour, x, y)."""
    image = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
    for colour, x, y in squares:
        image[y : y + SIDE, x : x + SIDE] = colour
    return image


def of_colour(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.asarray((image == np.array(colour)).all(axis=2))


def detected(image: NDArray[np.uint8], **phrases: tuple[int, int, int]) -> Detections:
    """By phrase the colour of what is found; an underscore and what follows it is no part of the phrase."""
    masks = np.stack([of_colour(image, colour) for colour in phrases.values()])
    scores = np.linspace(0.9, 0.5, len(phrases)).astype(np.float32)
    return Detections(masks, tuple(name.partition("_")[0] for name in phrases), scores)


class Following:
    """Follows the colour under a seed, for as long as it is in sight without a break; counts what it is asked."""

    def __init__(self, drift: int = 0) -> None:
        self.drift, self.steps = drift, 0

    def follow(self, images: Sequence[NDArray[np.uint8]]) -> Walk:
        return Walk(self, images)


class Walk:
    def __init__(self, owner: Following, images: Sequence[NDArray[np.uint8]]) -> None:
        self.owner, self.images, self.frame = owner, images, -1
        self.colours: dict[int, tuple[int, int, int]] = {}
        self.since: dict[int, int] = {}

    def step(self) -> dict[int, NDArray[np.bool_]]:
        self.frame += 1
        self.owner.steps += 1
        masks = {}
        for number, colour in list(self.colours.items()):
            mask = of_colour(self.images[self.frame], colour)
            shift = self.owner.drift * (self.frame - self.since[number])
            if mask.any():
                masks[number] = np.roll(mask, shift, axis=1)
            else:
                del self.colours[number]
        return masks

    def seed(self, number: int, mask: NDArray[np.bool_]) -> None:
        self.colours[number] = tuple(self.images[self.frame][mask][0])
        self.since[number] = self.frame


def told(answer: Sequence[Detections]) -> list[list[int]]:
    return [here.ids.tolist() for here in answer]


def test_one_pivot_is_followed_both_ways() -> None:
    images = [frame((RED, 4 * t, 10)) for t in range(9)]
    segmenter = Following()
    answer = Propagate(segmenter).track(images, {4: detected(images[4], dog=RED)})
    assert told(answer) == [[0]] * 9
    for image, here in zip(images, answer, strict=True):
        np.testing.assert_array_equal(here.masks[0], of_colour(image, RED))
        assert here.phrases == ("dog",)
        assert here.scores[0] == np.float32(0.9)
    assert segmenter.steps == 5 + 5, "forwards from the pivot, and back from it"


def test_what_is_found_again_where_it_is_followed_is_the_same_and_what_is_not_is_new() -> None:
    images = [frame((RED, 4 * t, 2), (BLUE, 60, 20)) for t in range(9)]
    found = {1: detected(images[1], dog=RED), 7: detected(images[7], dog_one=BLUE, dog_two=RED)}
    answer = Propagate(Following()).track(images, found)
    assert told(answer) == [[0, 1]] * 9, "the new one is followed back to the start"
    np.testing.assert_array_equal(answer[0].masks[1], of_colour(images[0], BLUE))
    np.testing.assert_array_equal(answer[8].masks[0], of_colour(images[8], RED))


def test_each_frame_has_mask_and_score_of_the_nearer_pivot() -> None:
    """A segmenter that drifts by a pixel a frame: the mask is off by the way from the nearer pivot."""
    images = [frame((RED, 40, 10)) for _ in range(9)]
    found = {
        2: detected(images[2], dog=RED),
        6: Detections(of_colour(images[6], RED)[None], ("dog",), np.full(1, 0.4, np.float32)),
    }
    answer = Propagate(Following(drift=1)).track(images, found)
    assert told(answer) == [[0]] * 9
    off = [int(np.flatnonzero(here.masks[0].any(axis=0))[0]) - 40 for here in answer]
    assert off == [2, 1, 0, 1, 2, 1, 0, 1, 2]
    np.testing.assert_allclose([here.scores[0] for here in answer], [0.9] * 5 + [0.4] * 4)


@pytest.mark.parametrize(("drift", "ids"), [(1, [0, 0]), (3, [0, 1])])
def test_half_of_overlap_decides(drift: int, ids: list[int]) -> None:
    """After three frames at one pixel 9 of 15 columns are shared, at three pixels 3 of 21; looks are asked only of what
    is out of sight."""
    images = [frame((RED, 40, 10)) for _ in range(4)]
    answer = Propagate(Following(drift)).track(images, {t: detected(images[t], dog=RED) for t in (0, 3)})
    assert [int(answer[0].ids[0]), int(answer[3].ids[-1])] == ids


def test_an_absent_object_is_in_no_frame_of_its_absence() -> None:
    images = [frame((RED, 4 * t, 10)) if t < 4 else frame() for t in range(8)]
    answer = Propagate(Following()).track(images, {0: detected(images[0], dog=RED)})
    assert told(answer) == [[0]] * 4 + [[]] * 4
    assert answer[6].masks.shape == (0, HEIGHT, WIDTH)


def test_who_comes_back_is_recognised_by_looks_among_others() -> None:
    images = [frame((RED, 10, 2), (BLUE, 40, 20)) if t in (0, 1) else frame() for t in range(20)]
    images[18] = images[19] = frame((GREEN, 10, 2), (BLUE, 70, 2), (RED, 80, 24))
    found = {
        0: detected(images[0], dog_one=RED, dog_two=BLUE),
        19: detected(images[19], dog_one=GREEN, dog_two=BLUE, dog_three=RED),
    }
    answer = Propagate(Following()).track(images, found)
    assert told(answer) == [[0, 1], [0, 1], *[[]] * 16, [0, 1, 2], [0, 1, 2]]
    for number, colour in enumerate((RED, BLUE, GREEN)):
        np.testing.assert_array_equal(answer[18].masks[number], of_colour(images[18], colour))


def test_phrases_keep_objects_apart() -> None:
    images = [frame((RED, 40, 10)) for _ in range(3)]
    found = {0: detected(images[0], dog=RED), 2: detected(images[2], cat=RED, Dogs=RED)}
    answer = Propagate(Following()).track(images, found)
    assert [here.phrases for here in answer] == [("dog", "cat")] * 3


def test_empty_pivots_empty_masks_and_no_frames() -> None:
    images = [frame((RED, 40, 10)) for _ in range(3)]
    segmenter = Following()
    empty = Detections(np.zeros((1, HEIGHT, WIDTH), np.bool_), ("dog",), np.ones(1, np.float32))
    assert told(Propagate(segmenter).track(images, {0: Detections.nothing((HEIGHT, WIDTH)), 1: empty})) == [[]] * 3
    assert Propagate(segmenter).track([], {}) == []
    assert segmenter.steps == 0
    both = Detections(
        np.stack([empty.masks[0], of_colour(images[0], RED)]), ("cat", "dog"), np.full(2, 0.5, np.float32)
    )
    assert [here.phrases for here in Propagate(segmenter).track(images, {1: both})] == [("dog",)] * 3


def test_it_keeps_the_contract_of_a_tracker() -> None:
    tracker = Propagate(Following())
    assert isinstance(tracker, Tracker)
    check_tracker(tracker)
