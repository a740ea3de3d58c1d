"""Tracking by detection: crossing, covering, leaving and coming back; twins; phrases; frames without anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from zsavs.errors import ContractError, InputError
from zsavs.protocols import Tracker
from zsavs.testing import toy
from zsavs.tracking.appearance import Appearance, appearances, overlap
from zsavs.tracking.associate import Associate
from zsavs.tracking.identities import Identities
from zsavs.tracking.matching import Matcher
from zsavs.types import Detections

RED, BLUE, GREEN = (250, 0, 0), (0, 0, 250), (0, 200, 0)
SIDE, HEIGHT, WIDTH = 12, 60, 120

Thing = tuple[str, tuple[int, int, int], float, float]


def frame(*things: Thing, shown: float = 1.0) -> tuple[NDArray[np.uint8], Detections]:
    """An image of squares (phrase, colour, x, y), later ones in front, and the visible part of each."""
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    masks = np.zeros((len(things), HEIGHT, WIDTH), np.bool_)
    for row, (_, colour, x, y) in enumerate(things):
        place = slice(max(0, round(y)), max(0, round(y) + SIDE)), slice(max(0, round(x)), max(0, round(x) + SIDE))
        masks[:, *place] = False
        masks[row, *place] = True
        image[place] = colour
    seen = [bool(mask.any()) for mask in masks]
    phrases = tuple(phrase for (phrase, *_), there in zip(things, seen, strict=True) if there)
    return image, Detections(masks[seen], phrases, np.full(len(phrases), 0.9, np.float32))


def tracked(scenes: Sequence[Sequence[Thing]], tracker: Associate | None = None) -> list[dict[str, list[int]]]:
    """For each frame, by colour, the ids of the things of that colour from left to right."""
    frames = [frame(*scene) for scene in scenes]
    images = [image for image, _ in frames]
    answer = (tracker or Associate()).track(images, {t: found for t, (_, found) in enumerate(frames) if len(found)})
    assert len(answer) == len(scenes)
    told = []
    names = {RED: "red", BLUE: "blue", GREEN: "green"}
    for image, found in zip(images, answer, strict=True):
        ids: dict[str, list[int]] = {}
        for row in sorted(range(len(found)), key=lambda one: int(found.masks[one].any(axis=0).argmax())):
            ids.setdefault(names[tuple(image[found.masks[row]][0])], []).append(int(found.ids[row]))
        told.append(ids)
    return told


@pytest.mark.parametrize("encoder", [None, toy.ToyImageText()])
def test_two_of_a_kind_that_cross_keep_their_ids(encoder: toy.ToyImageText | None) -> None:
    """The red one is hidden behind the blue one for some frames, each moves on as before."""
    scenes = [[("dog", RED, 4 * t, 20), ("dog", BLUE, 100 - 4 * t, 21)] for t in range(25)]
    told = tracked(scenes, Associate(encoder))
    assert {ids["blue"][0] for ids in told} == {told[0]["blue"][0]}
    assert {ids["red"][0] for ids in told if "red" in ids} == {told[0]["red"][0]}
    assert told[0]["red"] != told[0]["blue"]


def test_twins_that_cross_go_on_as_they_moved() -> None:
    """Nothing tells them apart but their motion: the one that came from the left ends up on the right."""
    scenes = [[("dog", RED, 4 * t, 20), ("dog", RED, 100 - 4 * t, 26)] for t in range(25)]
    told = tracked(scenes)
    assert told[0]["red"] == told[-1]["red"][::-1]
    assert sorted(told[-1]["red"]) == [0, 1]


def test_what_was_covered_is_recognised() -> None:
    """A large pause: ten frames behind a wall, which is not detected."""
    scenes = [[("dog", RED, 4 * t, 20)] if not 8 <= t < 18 else [] for t in range(26)]
    told = tracked(scenes)
    assert [ids for ids in told if ids] == [{"red": [0]}] * 16


def test_who_leaves_and_comes_back_elsewhere_is_recognised_among_others() -> None:
    """Both dogs leave; they come back in the other order and at other places."""
    first = [[("dog", RED, 30 - 8 * t, 5), ("dog", BLUE, 60 + 10 * t, 30)] for t in range(8)]
    away: list[list[Thing]] = [[] for _ in range(30)]
    then: list[list[Thing]] = [[("dog", BLUE, 4 * t, 5)] for t in range(3)]
    then += [[("dog", BLUE, 12 + 4 * t, 5), ("dog", RED, 100 - 4 * t, 44)] for t in range(4)]
    told = tracked([*first, *away, *then])
    red, blue = told[0]["red"], told[0]["blue"]
    assert red != blue
    assert all(ids["blue"] == blue for ids in told[38:])
    assert all(ids["red"] == red for ids in told[41:])


def test_another_of_the_kind_in_other_colours_is_another_one() -> None:
    told = tracked([[("dog", RED, 20, 20)], [], [], [("dog", BLUE, 20, 20)], [], [("dog", RED, 60, 20)]])
    assert told == [{"red": [0]}, {}, {}, {"blue": [1]}, {}, {"red": [0]}]


def test_two_at_once_stay_two() -> None:
    """A second one that looks the same, while the first is in view."""
    one, two = ("dog", RED, 20.0, 20.0), ("dog", RED, 80.0, 20.0)
    told = tracked([[one], [one, two], [two], [], [one, two]])
    assert told == [{"red": [0]}, {"red": [0, 1]}, {"red": [1]}, {}, {"red": [0, 1]}]


def test_of_two_alike_the_nearer_one_is_it() -> None:
    one, two = ("dog", RED, 10.0, 20.0), ("dog", RED, 80.0, 20.0)
    away: list[list[Thing]] = [[] for _ in range(12)]
    told = tracked([[one, two], *away, [("dog", RED, 70.0, 30.0)]])
    assert told[-1]["red"] == [told[0]["red"][1]]


def test_something_too_fast_for_its_masks_to_overlap_is_one() -> None:
    told = tracked([[("dog", RED, 30 * t, 20)] for t in range(4)])
    assert told == [{"red": [0]}] * 4


def test_phrases_keep_objects_apart_and_words_of_one_meaning_do_not() -> None:
    told = tracked(
        [[("dog", RED, 20, 20)], [("cat", RED, 20, 20)], [("a red dog", RED, 20, 20)], [("Dogs", RED, 20, 20)]]
    )
    assert told == [{"red": [0]}, {"red": [1]}, {"red": [0]}, {"red": [0]}]


def test_an_object_keeps_the_phrase_it_was_first_found_under_and_each_its_score() -> None:
    image, one = frame(("dog", RED, 20, 20))
    other = replace(one, phrases=("Dogs",), scores=np.full(1, 0.4, np.float32))
    answer = Associate().track([image, image], {0: one, 1: other})
    assert [found.phrases for found in answer] == [("dog",), ("dog",)]
    np.testing.assert_allclose([found.scores[0] for found in answer], [0.9, 0.4])


def test_half_covered_things_keep_their_looks() -> None:
    """It goes behind a wall of which a detector takes the last strip of a shadow for the thing."""
    image, found = frame(("dog", RED, 20, 20))
    strip = np.zeros_like(found.masks)
    strip[0, 20:32, 20:24] = True
    dark = image.copy()
    dark[strip[0]] = 20
    back = frame(("dog", RED, 90, 40))
    images = [image, dark, *[np.full_like(image, 90)] * 9, back[0]]
    answer = Associate().track(images, {0: found, 1: replace(found, masks=strip), 11: back[1]})
    assert [each.ids.tolist() for each in answer] == [[0], [0], *[[]] * 9, [0]]


def test_nothing_found_and_no_frames() -> None:
    image = frame()[0]
    assert Associate().track([], {}) == []
    answer = Associate().track([image] * 3, {1: Detections.nothing((HEIGHT, WIDTH))})
    assert [each.masks.shape for each in answer] == [(0, HEIGHT, WIDTH)] * 3
    empty = Detections(np.zeros((1, HEIGHT, WIDTH), np.bool_), ("dog",), np.ones(1, np.float32))
    assert [len(each) for each in Associate().track([image], {0: empty})] == [0]


def test_the_same_is_answered_twice_and_the_order_of_detections_does_not_matter() -> None:
    scenes = [[("dog", RED, 4 * t, 20), ("dog", BLUE, 100 - 4 * t, 24), ("cat", GREEN, 50, 4 * t)] for t in range(12)]
    frames = [frame(*scene) for scene in scenes]
    images, found = [image for image, _ in frames], {t: each for t, (_, each) in enumerate(frames)}
    tracker = Associate(toy.ToyImageText())
    one, again = tracker.track(images, found), tracker.track(images, found)
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a.ids, b.ids)
        np.testing.assert_array_equal(a.masks, b.masks)

    def turned(each: Detections) -> Detections:
        return Detections(each.masks[::-1], each.phrases[::-1], each.scores[::-1])

    for a, b in zip(
        one[1:], tracker.track(images, {0: found[0]} | {t: turned(found[t]) for t in range(1, 12)})[1:], strict=True
    ):
        assert sorted(zip(a.ids.tolist(), map(np.ndarray.tobytes, a.masks), strict=True)) == sorted(
            zip(b.ids.tolist(), map(np.ndarray.tobytes, b.masks), strict=True)
        )


def test_masks_of_another_size_are_refused() -> None:
    image, found = frame(("dog", RED, 20, 20))
    with pytest.raises(ContractError, match=r"frame 1 has \(30, 60\) pixels and the masks found in it \(60, 120\)"):
        Associate().track([image[::2, ::2]] * 2, {1: found})


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="min_overlap is in"):
        Associate(min_overlap=0.0)
    with pytest.raises(InputError, match="min_overlap is in"):
        Associate(min_similarity=1.5)
    assert isinstance(Associate(), Tracker)


# ------------------------------------------------------------------------------------ the encoder
class Asked(toy.ToyImageText):
    """Counts the crops it is asked for."""

    count = 0

    def encode_image(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        self.count += len(images)
        assert all(image.shape[0] == image.shape[1] <= 256 for image in images)
        return super().encode_image(images)


def test_the_encoder_is_asked_only_where_overlap_does_not_decide() -> None:
    encoder = Asked()
    tracked([[("dog", RED, 4 * t, 20), ("dog", BLUE, 4 * t, 40)] for t in range(9)], Associate(encoder))
    assert encoder.count == 0
    tracked([[("dog", RED, 4, 20)], [], [("dog", RED, 90, 40)]], Associate(encoder))
    assert encoder.count == 2


def test_an_encoder_tells_apart_what_colours_do_not() -> None:
    """Two things in the same colours, one striped and one not."""

    class Stripes:
        space = "stripes"

        def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
            raise AssertionError

        def encode_image(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
            edges = [np.abs(np.diff(image[..., 0].astype(int), axis=1)).mean() > 20 for image in images]
            return np.array([[1.0, 0.0] if striped else [0.0, 1.0] for striped in edges], np.float32)

    striped, halves = (frame(("dog", RED, 20, 20)) for _ in range(2))
    striped[0][20:32, 20:32:2] = BLUE
    halves[0][20:26, 20:32] = BLUE
    blank = np.full_like(striped[0], 90)
    images, found = [striped[0], blank, halves[0], blank, striped[0]], {0: striped[1], 2: halves[1], 4: striped[1]}
    ids = [[each.ids.tolist() for each in Associate(one).track(images, found)] for one in (None, Stripes())]
    assert ids == [[[0], [], [0], [], [0]], [[0], [], [1], [], [0]]]


# ------------------------------------------------------------------------------------- stretches
def test_stretches_are_joined_to_one_count_of_ids() -> None:
    """The same scene in one piece and in stretches, each tracked by itself."""
    scenes = [[("dog", RED, 4 * t, 20), ("dog", BLUE, 100 - 4 * t, 24)] for t in range(24)]
    scenes += [[] for _ in range(10)]
    scenes += [[("cat", GREEN, 4 * t, 5), ("dog", BLUE, 20, 40)] for t in range(6)]
    frames = [frame(*scene) for scene in scenes]
    images, tracker = [image for image, _ in frames], Associate()
    whole = tracker.track(images, dict(enumerate(found for _, found in frames)))
    known, joined = Identities(tracker.matcher), []
    for start in range(0, len(images), 7):
        part = images[start : start + 7]
        inner = tracker.track(part, {t: frames[start + t][1] for t in range(len(part))})
        assert all(not len(each) or each.ids.min() >= 0 for each in inner)
        joined += known.join(part, inner)
    assert [each.ids.tolist() for each in joined] == [each.ids.tolist() for each in whole]
    assert len(known.known) == 3


def test_of_what_is_long_out_of_sight_no_mask_is_kept() -> None:
    known = Identities(Matcher())
    image, found = frame(("dog", RED, 20, 20))
    known.join([image], [found])
    assert known.known[0].mask is not None
    known.join([image] * 6, [Detections.nothing((HEIGHT, WIDTH))] * 6)
    assert known.known[0].mask is None
    assert known.join([image], [found])[0].ids.tolist() == [0]


# ------------------------------------------------------------------------------------ appearance
def seen(mask: NDArray[np.bool_], number: int = 0) -> Appearance:
    image = np.random.default_rng(0).integers(0, 256, (*mask.shape, 3), np.uint8)
    return appearances(image, Detections(mask[None], ("dog",), np.ones(1, np.float32)), number)[0]


def test_overlap_is_intersection_over_union() -> None:
    masks = np.random.default_rng(1).random((2, 40, 50)) > 0.6
    masks[1, :10] = masks[1, :, 35:] = False
    expected = (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
    assert overlap(seen(masks[0]), seen(masks[1], 1)) == pytest.approx(expected)
    assert overlap(seen(masks[0]), seen(np.zeros_like(masks[0]), 1)) == 0


def test_overlap_follows_motion_for_a_few_frames() -> None:
    masks = np.zeros((3, 40, 80), np.bool_)
    for t, x in enumerate((0, 8, 32)):
        masks[t, 10:20, x : x + 10] = True
    moving = seen(masks[1], 1).after(seen(masks[0], 0))
    assert moving.velocity == (8.0, 0.0)
    assert overlap(moving, seen(masks[2], 4)) == 1.0
    assert overlap(moving, seen(masks[2], 40)) == 0.0


@pytest.mark.parametrize("shape", [(1, 700), (700, 1), (300, 600), (1, 1)])
def test_a_crop_is_a_small_grey_square_with_the_object_in_it(shape: tuple[int, int]) -> None:
    mask = np.zeros((720, 720), np.bool_)
    mask[3 : 3 + shape[0], 5 : 5 + shape[1]] = True
    one = seen(mask)
    assert one.box_xyxy == (5, 3, 5 + shape[1], 3 + shape[0])
    side = one.crop.shape[0]
    assert one.crop.shape == (side, side, 3)
    assert side <= 256
    assert (one.crop == 128).all(axis=2).mean() >= 1 - min(shape) / max(shape) - 0.01
    assert np.linalg.norm(one.colours) == pytest.approx(1)
