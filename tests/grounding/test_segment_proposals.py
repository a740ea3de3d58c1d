"""Regions on a grid of points: exact boxes, filters and suppression on known masks, and every image segmented once."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from adapter_helpers import imported_by, noise_images
from grounder_inputs import ONE, TWO, sample
from numpy.typing import NDArray

import zsavs
from zsavs.errors import ContractError, InputError
from zsavs.grounding import segment_proposals as module
from zsavs.grounding.segment_proposals import SegmentProposals
from zsavs.testing import check_grounder, toy
from zsavs.testing.tiny.segmenters import tiny_sam2
from zsavs.types import AVSample, Proposals, Query

#: A grid on which areas and overlaps are easy to count: not square, as nothing promises that.
GRID = (40, 50)


class Thing:
    """What a segmenter sees at a place: logits on the grid, and how well it thinks it did."""

    def __init__(self, rows: slice, columns: slice, rating: float = 0.9) -> None:
        self.logits = np.full(GRID, -10, np.float32)
        self.logits[rows, columns] = 10
        self.rating = rating

    def also(self, rows: Any, columns: Any, logit: float) -> Thing:
        self.logits[rows, columns] = logit
        return self


def box(y0: int, y1: int, x0: int, x1: int, rating: float = 0.9) -> Thing:
    return Thing(slice(y0, y1), slice(x0, x1), rating)


class Points:
    """A segmenter whose answers are known: the n-th point of an image gets the n-th of its things, then nothing."""

    def __init__(self, *things: Thing, **kinds: Sequence[Thing]) -> None:
        self.things = {0: things, **{int(name[1:]): list(of_kind) for name, of_kind in kinds.items()}}
        self.asked: list[list[NDArray[np.float32]]] = []
        self.seen = 0

    def segment_points(
        self, samples: Sequence[AVSample], points: Sequence[NDArray[np.float32]], *, full_size: bool = True
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        assert not full_size, "full size takes memory in proportion to the image"
        self.asked.append(list(points))
        return [self.answer(one, xy) for one, xy in zip(samples, points, strict=True)]

    def answer(self, one: AVSample, xy: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        height, width = one.size_hw
        per_side = self.per_side
        numbers = np.rint((xy[:, 0, 1] / height * per_side - 0.5) * per_side + xy[:, 0, 0] / width * per_side - 0.5)
        things = self.things[int(one.image[0, 0, 0])]
        nothing = Thing(slice(0), slice(0), rating=0)
        found = [things[int(n)] if n < len(things) else nothing for n in numbers]
        return np.stack([t.logits for t in found]), np.array([t.rating for t in found], np.float32)

    per_side = 4

    def grounder(self, **settings: Any) -> SegmentProposals:
        return SegmentProposals(self, points_per_side=self.per_side, **({"min_area": 0} | settings))

    def found(self, one: AVSample | None = None, **settings: Any) -> Proposals:
        return self.grounder(**settings).ground([one or sample()], [ONE])[0]


# ------------------------------------------------------------------------------------ boxes
@pytest.mark.parametrize("size", [(40, 50), (400, 100), (77, 131), (13, 7), (1, 1), (1, 3000), (2160, 1)])
def test_boxes_are_tight_in_pixels_of_the_image(size: tuple[int, int]) -> None:
    height, width = size
    found = Points(box(10, 20, 5, 15), box(30, 40, 40, 50, 0.85)).found(sample(height, width))
    exact = [
        [5 * width / 50, 10 * height / 40, 15 * width / 50, 20 * height / 40],
        [40 * width / 50, 30 * height / 40, width, height],
    ]
    assert np.array_equal(found.boxes_xyxy, np.array(exact, np.float32))
    assert found.boxes_xyxy[1, 2:].tolist() == [width, height], "the last cell ends at the border exactly"


def test_a_box_goes_around_all_of_a_mask() -> None:
    thing = box(20, 21, 30, 31).also(5, 33, 10).also(37, 8, 10)
    assert Points(thing).found().boxes_xyxy.tolist() == [[8, 5, 34, 38]]


def test_the_grid_is_the_centres_of_equal_cells() -> None:
    points = Points()
    points.grounder().ground([sample(80, 200)], [ONE])
    ((first,),) = points.asked
    assert first.shape == (16, 1, 2)
    assert first.dtype == np.float32
    xy = first.reshape(4, 4, 2)
    assert xy[0, :, 0].tolist() == [25, 75, 125, 175]
    assert xy[:, 0, 1].tolist() == [10, 30, 50, 70]


# ---------------------------------------------------------------------------------- filters
def test_the_score_is_rating_times_stability() -> None:
    """100 cells for sure, 10 perhaps inside, 5 perhaps outside."""
    thing = box(0, 10, 0, 10, 0.8).also(slice(0, 10), 10, 0.5).also(slice(0, 5), 11, -0.5)
    found = Points(thing).found(min_stability=0)
    assert found.scores == pytest.approx([0.8 * 100 / 115])
    assert found.boxes_xyxy.tolist() == [[0, 0, 11, 10]], "a cell is inside above 0"


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"min_stability": 100 / 115}, True),
        ({"min_stability": 0.87}, False),  # 100 / 115 = 0.8696
        ({"min_stability": 0.95, "stability_offset": 0.4}, True),
        ({"min_stability": 1, "stability_offset": 0}, True),
        ({"min_stability": 0.8, "stability_offset": 20}, False),  # nothing is as sure as that
    ],
)
def test_stability(settings: dict[str, Any], kept: bool) -> None:
    thing = box(0, 10, 0, 10).also(slice(0, 10), 10, 0.5).also(slice(0, 5), 11, -0.5)
    assert len(Points(thing).found(**settings)) == kept


@pytest.mark.parametrize(("rating", "kept"), [(0.79, 0), (0.81, 1)])
def test_the_predicted_iou(rating: float, kept: int) -> None:
    assert len(Points(box(0, 10, 0, 10, rating)).found()) == kept


def test_ratings_beyond_one_are_cut() -> None:
    assert Points(box(0, 10, 0, 10, 1.3)).found().scores.tolist() == [1]
    assert Points(box(0, 10, 0, 10, -0.3)).found(min_iou=0).scores.shape == (0,)


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"min_area": 0.05, "max_area": 0.05}, 1),  # 100 of 2000 cells
        ({"min_area": 0.0501}, 0),
        ({"max_area": 0.0499}, 0),
    ],
)
def test_the_area_is_a_share_of_the_image(settings: dict[str, float], kept: int) -> None:
    """Of any image: a mask is stretched with it."""
    for one in (sample(), sample(400, 100)):
        assert len(Points(box(0, 10, 0, 10)).found(one, **settings)) == kept


def test_a_mask_without_pixels_is_no_region() -> None:
    empty = Thing(slice(0), slice(0), rating=1.0)
    assert len(Points(empty).found(min_iou=0, min_stability=0, min_area=0, max_area=1)) == 0


def test_the_whole_image_is_no_region_by_default() -> None:
    assert len(Points(box(0, 40, 0, 50)).found()) == 0
    assert len(Points(box(0, 40, 0, 50)).found(max_area=1)) == 1


# ------------------------------------------------------------------------------ suppression
def test_of_masks_that_are_one_thing_the_best_stays() -> None:
    found = Points(box(0, 10, 0, 10, 0.85), box(0, 10, 0, 9, 0.95), box(20, 30, 0, 10, 0.9)).found()
    assert found.boxes_xyxy.tolist() == [[0, 0, 9, 10], [0, 20, 10, 30]]
    assert found.scores == pytest.approx([0.95, 0.9])


def test_the_limit_itself_is_no_overlap() -> None:
    """Half of the larger one is an intersection over union of exactly 0.5."""
    points = Points(box(0, 10, 0, 10), box(0, 10, 0, 5))
    assert len(points.found(nms_iou=0.5)) == 2
    assert len(points.found(nms_iou=0.49)) == 1
    assert len(points.found(nms_iou=1)) == 2


def test_a_stray_pixel_makes_no_new_region() -> None:
    """The box is another one, the mask is not."""
    clean, stray = box(0, 10, 0, 10, 0.9), box(0, 10, 0, 10, 0.85).also(39, 49, 10)
    assert Points(clean, stray).found().boxes_xyxy.tolist() == [[0, 0, 10, 10]]


def test_a_ring_and_what_it_surrounds_are_one_region_as_only_the_box_is_seen() -> None:
    ring = box(0, 20, 0, 20).also(slice(2, 18), slice(2, 18), -10)
    assert len(Points(ring, box(1, 19, 1, 19, 0.85)).found()) == 1
    assert len(Points(ring, box(5, 15, 5, 15, 0.85)).found()) == 2


def test_the_best_regions_come_first_and_no_more_than_asked_for() -> None:
    things = [box(0, 10, x, x + 4, rating) for x, rating in ((0, 0.82), (10, 0.98), (20, 0.9), (30, 0.94))]
    assert Points(*things).found().boxes_xyxy[:, 0].tolist() == [10, 30, 20, 0]
    assert Points(*things).found(max_regions=2).boxes_xyxy[:, 0].tolist() == [10, 30]


def test_equal_scores_keep_the_order_of_the_points() -> None:
    things = [box(0, 10, x, x + 4) for x in (30, 0, 20)]
    assert Points(*things).found().boxes_xyxy[:, 0].tolist() == [30, 0, 20]


# ------------------------------------------------------------------- rows, batches, memory
def test_every_region_is_offered_to_every_row() -> None:
    points = Points(box(0, 10, 0, 10, 0.85), box(20, 30, 20, 30, 0.95))
    (found,) = points.grounder().ground([sample()], [TWO])
    assert found.boxes_xyxy.tolist() == [[20, 20, 30, 30]] * 2 + [[0, 0, 10, 10]] * 2
    assert found.sources.tolist() == [0, 1, 0, 1]
    assert found.scores == pytest.approx([0.95, 0.95, 0.85, 0.85])
    assert found.selected.all()


def test_for_an_empty_query_nothing_is_computed() -> None:
    points = Points(box(0, 10, 0, 10))
    nothing, something, again = points.grounder().ground([sample(), sample(), sample()], [Query.nothing(), ONE, TWO])
    assert (len(nothing), len(something), len(again)) == (0, 1, 2)
    assert [len(call) for call in points.asked] == [2], "the image without a query is not segmented"
    assert points.grounder().ground([], []) == []
    assert len(points.asked) == 1


def test_as_many_queries_as_samples() -> None:
    with pytest.raises(ValueError, match="zip"):
        Points().grounder().ground([sample()], [])


def test_a_batch_is_its_images_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: dict[str, list[Thing]] = {
        f"k{n}": [box(n, n + 10, 2 * x, 2 * x + 4, 0.81 + 0.01 * x) for x in range(n)] for n in range(1, 7)
    }
    sizes = [(40, 50), (33, 90), (300, 20), (40, 50), (1, 7), (64, 64)]
    samples = [sample(*size, kind=n + 1) for n, size in enumerate(sizes)]
    together = Points(**kinds).grounder().ground(samples, [TWO] * 6)
    assert {len(found) for found in together} == {2, 4, 6, 8, 10, 12}
    monkeypatch.setattr(module, "_POINTS_AT_ONCE", 5)
    monkeypatch.setattr(module, "_IMAGES_AT_ONCE", 1)
    for one, found in zip(samples, together, strict=True):
        (alone,) = Points(**kinds).grounder().ground([one], [TWO])
        for name in ("boxes_xyxy", "scores", "sources"):
            assert np.array_equal(getattr(alone, name), getattr(found, name))


def test_points_and_images_are_asked_a_few_at_a_time() -> None:
    points = Points(box(0, 10, 0, 10))
    points.per_side = 12
    points.grounder().ground([sample() for _ in range(6)], [ONE] * 6)
    assert [[len(xy) for xy in call] for call in points.asked] == [
        [64] * 4,
        [64] * 4,
        [16] * 4,
        [64] * 2,
        [64] * 2,
        [16] * 2,
    ]


def test_an_image_is_segmented_once_whoever_asks() -> None:
    """By any strategy and any pipeline, with the same settings; in the same batch, too."""
    points, one = Points(box(0, 10, 0, 10)), sample()
    same = AVSample(one.image, toy.tone("blue", seconds=0.1))
    first = points.grounder().ground([one, same], [ONE, TWO])
    second = points.grounder().ground([same], [ONE])
    assert [len(call) for call in points.asked] == [1]
    assert [len(found) for found in (*first, *second)] == [1, 2, 1]
    points.grounder(min_iou=0.95).ground([one], [ONE])
    assert len(points.asked) == 2, "other settings give other regions"
    points.grounder().ground([sample()], [ONE])
    assert len(points.asked) == 3, "an equal image is another one"
    other = Points()
    assert len(other.grounder().ground([one], [ONE])[0]) == 0, "so is another segmenter"


def test_nothing_is_kept_of_an_image_that_is_gone() -> None:
    grounder = Points(box(0, 10, 0, 10)).grounder()
    grounder.ground([sample()], [ONE])
    gc.collect()
    assert len(grounder._regions) == 0


# ------------------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"points_per_side": 0}, "points_per_side is a whole number of at least 1, got 0"),
        ({"points_per_side": 2.5}, "points_per_side is a whole number"),
        ({"points_per_side": True}, "points_per_side is a whole number"),
        ({"points_per_side": 65}, "points_per_side is 64 at the most, got 65"),
        ({"max_regions": 0}, "max_regions is a whole number of at least 1"),
        ({"max_regions": "many"}, "max_regions is a whole number of at least 1, got 'many'"),
        ({"min_iou": 1.1}, r"min_iou lies in \[0, 1\], got 1.1"),
        ({"min_iou": float("nan")}, "min_iou lies in"),
        ({"min_stability": -0.1}, "min_stability lies in"),
        ({"min_stability": "0.9"}, "min_stability lies in .*, got '0.9'"),
        ({"min_area": None}, "min_area lies in"),
        ({"max_area": 95}, "max_area lies in .*, got 95"),
        ({"nms_iou": -1}, "nms_iou lies in"),
        ({"min_area": 0.5, "max_area": 0.4}, "min_area is no larger than max_area, got 0.5 and 0.4"),
        ({"stability_offset": -1}, "stability_offset is a number of at least 0, got -1"),
        ({"stability_offset": float("inf")}, "stability_offset is a number"),
        ({"stability_offset": "1"}, "stability_offset is a number"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=f"^segments: {says}"):
        SegmentProposals(Points(), **settings)


@pytest.mark.parametrize(
    ("segmenter", "name"), [(toy.ToySegmenter(), "ToySegmenter"), (Points, "Points"), (None, "NoneType")]
)
def test_a_segmenter_without_points(segmenter: Any, name: str) -> None:
    with pytest.raises(
        ContractError, match=rf"needs segment_points\(...\), which {name} does not have; use segmenter="
    ):
        SegmentProposals(segmenter)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((np.zeros((3, 8, 8)), np.zeros(3)), r"expected \(16, h, w\) logits and \(16,\) ratings"),
        ((np.zeros((16, 8)), np.zeros(16)), "expected"),
        ((np.zeros((16, 8, 8)), np.zeros((16, 3))), "expected"),
        ((np.full((16, 8, 8), np.nan), np.zeros(16)), "must be finite"),
        ((np.zeros((16, 8, 8)), np.full(16, np.inf)), "must be finite"),
    ],
)
def test_an_answer_that_is_none(answer: Any, says: str) -> None:
    points = Points()
    points.answer = lambda *_: answer  # type: ignore[method-assign]
    with pytest.raises(ContractError, match=f"^segment_points: .*{says}"):
        points.found()


class Slotted:
    """A segmenter that nothing can hold weakly."""

    __slots__ = ()

    def segment_points(self, samples: Any, points: Any, *, full_size: bool) -> Any:
        return Points(box(0, 10, 0, 10)).segment_points(samples, points, full_size=full_size)


def test_a_segmenter_that_shares_nothing() -> None:
    assert len(SegmentProposals(Slotted(), points_per_side=4).ground([sample()], [ONE])[0]) == 1


# ------------------------------------------------------------------------------- real classes
LOOSE: dict[str, Any] = {"points_per_side": 5, "min_iou": 0, "min_stability": 0, "max_area": 1}


def test_sam2_keeps_the_contract() -> None:
    check_grounder(SegmentProposals(tiny_sam2(), **LOOSE))


def test_sam2_gives_the_regions_of_its_own_masks() -> None:
    segmenter = tiny_sam2()
    (one,) = (AVSample(image, toy.tone("red", seconds=0.1)) for image in noise_images((50, 120)))
    (found,) = SegmentProposals(segmenter, **LOOSE, nms_iou=1, max_regions=25).ground([one], [ONE])
    x, y = np.meshgrid(np.arange(12, 120, 24), np.arange(5, 50, 10))
    logits, ratings = segmenter.segment_points([one], [np.stack([x.ravel(), y.ravel()], 1)[:, None]], full_size=False)[
        0
    ]
    stability = (logits > 1).sum((1, 2)) / np.maximum((logits > -1).sum((1, 2)), 1)
    solid = (logits > 0).any((1, 2)) & ((logits > 0).mean((1, 2)) >= 0.001)
    assert np.sort(found.scores) == pytest.approx(np.sort((ratings * stability)[solid]), abs=1e-6)
    assert len(found) > 1


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 2)])
def test_images_of_any_shape(size: tuple[int, int]) -> None:
    (image,) = noise_images(size)
    one = AVSample(image, toy.tone("red", seconds=0.1))
    (found,) = SegmentProposals(tiny_sam2(), **LOOSE).ground([one], [TWO])
    assert len(found) > 0
    assert found.boxes_xyxy[:, 2:].max(axis=0).tolist() <= [size[1], size[0]]


def test_importing_is_light() -> None:
    assert not {"torch", "transformers", "torchvision"} & imported_by("zsavs.grounding.segment_proposals")


# ------------------------------------------------------------------------- through a pipeline
class ToyPoints(toy.ToySegmenter):
    """The toy segmenter, which at a point takes the disc of its colour; grey is nothing."""

    def segment_points(
        self, samples: Sequence[AVSample], points: Sequence[NDArray[np.float32]], *, full_size: bool
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        answers = []
        for one, xy in zip(samples, points, strict=True):
            colours = toy.colour_of(one.image)
            own = colours[xy[:, 0, 1].astype(int), xy[:, 0, 0].astype(int)]
            inside = (colours == own[:, None, None]) & (own >= 0)[:, None, None]
            answers.append((np.where(inside, 8, -8).astype(np.float32), np.full(len(own), 0.9, np.float32)))
        return answers


def test_a_pipeline_without_a_phrase_detector_finds_what_sounds() -> None:
    pipe = zsavs.build_pipeline("audio_to_text", preset="toy", grounder="segments", segmenter=ToyPoints())
    assert isinstance(pipe.grounder, SegmentProposals)
    assert id(pipe.grounder.segmenter) == id(pipe.segmenter)
    assert pipe.meta["models"]["grounder"] == "SegmentProposals"
    one, target = toy.scene(("red", "blue", "green"), ("green",))
    (found,) = pipe.grounder.ground([one], [ONE])
    assert len(found) == 3, "a region for each disc, whatever was asked"
    result = pipe(one)
    assert result.phrases == ("green",)
    assert np.array_equal(result.mask, target)
    assert len(pipe(toy.scene(("red", "blue"), ())[0])) == 0


def test_a_preset_without_points_says_so() -> None:
    with pytest.raises(ContractError, match="ToySegmenter does not have; use segmenter='sam2'"):
        zsavs.build_pipeline("fused", preset="toy", grounder="segments")
