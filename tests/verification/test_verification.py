"""Evidence for each region, and the selection that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from zsavs.calibration.bank import Bank
from zsavs.errors import UnknownName
from zsavs.media.regions import box_iou
from zsavs.testing import toy
from zsavs.types import AVSample, Proposals, Query
from zsavs.verification.clip_rescoring import ClipVerifier
from zsavs.verification.selection import SAME_OBJECT_IOU, TrustGrounder, select

SIZE = (100, 200)


def regions(boxes: Any, scores: Any = None, sources: Any = None) -> Proposals:
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    count = len(boxes)
    return Proposals(
        boxes,
        np.full(count, 0.5, np.float32) if scores is None else np.asarray(scores, np.float32),
        np.zeros(count, np.int64) if sources is None else np.asarray(sources),
    )


def query(*weights: float, prior: Any = None) -> Query:
    names = ("dog", "cat", "piano")[: len(weights)]
    return Query(names, np.array(weights, np.float32), prior=None if prior is None else np.asarray(prior, np.float32))


FAR_APART = [[0, 0, 10, 10], [50, 0, 60, 10], [100, 0, 110, 10]]


# ------------------------------------------------------------------------------ selection
def test_the_score_is_the_geometric_mean_of_weight_grounding_and_verification() -> None:
    evidence = np.array([2.0, -1.0], np.float32)
    judged = select(query(0.9, 0.4), regions(FAR_APART[:2], [0.5, 0.8], [0, 1]), evidence, SIZE)
    looks = 1 / (1 + np.exp(-evidence.astype(float)))
    assert judged.scores == pytest.approx(np.cbrt([0.9 * 0.5 * looks[0], 0.4 * 0.8 * looks[1]]), abs=1e-6)
    assert judged.evidence.tolist() == [2, -1]
    assert judged.selected.tolist() == [True, False]


def test_no_evidence_either_way_is_enough_and_a_little_against_is_not() -> None:
    evidence = np.array([0.0, -1e-6, 1e-6], np.float32)
    assert select(query(1.0), regions(FAR_APART), evidence, SIZE).selected.tolist() == [True, False, True]


@pytest.mark.parametrize("evidence", [-1e30, -1000.0, 1000.0, 1e30])
def test_overwhelming_evidence_is_no_overflow(evidence: float) -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        judged = select(query(1.0), regions(FAR_APART[:1], [1.0]), np.array([evidence], np.float32), SIZE)
    assert judged.scores[0] == pytest.approx(float(evidence > 0))


def test_regions_keep_their_order_and_their_boxes() -> None:
    before = regions(FAR_APART, [0.1, 0.9, 0.5], [0, 1, 0])
    after = select(query(0.5, 0.5), before, np.zeros(3, np.float32), SIZE)
    assert np.array_equal(after.boxes_xyxy, before.boxes_xyxy)
    assert np.array_equal(after.sources, before.sources)
    assert select(query(0.5), Proposals.nothing(), np.zeros(0, np.float32), SIZE).selected.shape == (0,)


SAME = [[10, 10, 60, 60], [11, 10, 60, 60], [10, 12, 60, 60]]


def test_one_object_keeps_one_phrase() -> None:
    """Three names for the same box: the surest one stays, the others are kept as unselected regions."""
    judged = select(query(0.3, 0.9, 0.6), regions(SAME, sources=[0, 1, 2]), np.ones(3, np.float32), SIZE)
    assert judged.selected.tolist() == [False, True, False]
    assert len(judged) == 3


def test_a_region_without_evidence_suppresses_no_other() -> None:
    judged = select(query(0.9, 0.3), regions(SAME[:2], sources=[0, 1]), np.array([-1, 1], np.float32), SIZE)
    assert judged.selected.tolist() == [False, True]


def test_objects_side_by_side_or_inside_one_another_keep_their_phrases() -> None:
    boxes = [[0, 0, 50, 50], [0, 0, 50, 100], [60, 0, 110, 50]]  # overlaps of 0.5 and 0
    judged = select(query(0.9, 0.8, 0.7), regions(boxes, sources=[0, 1, 2]), np.ones(3, np.float32), SIZE)
    assert judged.selected.all()


def test_the_same_object_is_more_than_the_limit() -> None:
    boxes = [[0, 0, 9, 10], [1, 0, 10, 10]]  # 80 of 100 pixels in common
    assert box_iou(*[regions(boxes).boxes_xyxy] * 2)[0, 1] == SAME_OBJECT_IOU
    assert select(query(0.9, 0.5), regions(boxes, sources=[0, 1]), np.ones(2, np.float32), SIZE).selected.all()


def test_equal_scores_go_to_the_first() -> None:
    judged = select(query(0.5, 0.5), regions(SAME[:2], sources=[0, 1]), np.ones(2, np.float32), SIZE)
    assert judged.selected.tolist() == [True, False]


def test_a_chain_of_overlaps_is_not_one_object() -> None:
    """The middle box overlaps both others enough; the outer two do not overlap each other enough."""
    boxes = [[0, 0, 100, 50], [8, 0, 108, 50], [16, 0, 116, 50]]
    overlap = box_iou(*[regions(boxes).boxes_xyxy] * 2)
    assert overlap[0, 1] > SAME_OBJECT_IOU > overlap[0, 2]
    judged = select(query(0.9, 0.5, 0.7), regions(boxes, sources=[0, 1, 2]), np.ones(3, np.float32), SIZE)
    assert judged.selected.tolist() == [True, False, True]


def test_intersection_over_union() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [10, 0, 20, 10]], np.float32)
    assert box_iou(boxes, boxes) == pytest.approx(
        np.array([[1, 1 / 3, 0, 0], [1 / 3, 1, 0, 1 / 3], [0, 0, 1, 0], [0, 1 / 3, 0, 1]])
    )


# ---------------------------------------------------------------------------------- prior
def test_the_prior_says_where_to_look() -> None:
    prior = [[1.0, 0.0], [0.5, 0.25]]  # stretched over a 100 x 200 image: cells of 50 x 100
    boxes = [[0, 0, 100, 50], [100, 0, 200, 50], [0, 0, 200, 100], [150, 60, 200, 90]]
    plain = select(query(1.0), regions(boxes), np.zeros(4, np.float32), SIZE)
    guided = select(query(1.0, prior=prior), regions(boxes), np.zeros(4, np.float32), SIZE)
    assert guided.scores / plain.scores == pytest.approx([1.0, 0.0, 0.4375, 0.25], abs=1e-6)


@given(st.lists(st.floats(-300, 300), min_size=4, max_size=4), st.integers(1, 5), st.integers(1, 5))
def test_a_prior_of_any_size_and_a_box_anywhere(corners: list[float], rows: int, columns: int) -> None:
    x0, y0, x1, y1 = np.array(corners, np.float32)
    box = [min(x0, x1), min(y0, y1), max(x0, x1) + 1, max(y0, y1) + 1]
    prior = np.linspace(0, 1, rows * columns).reshape(rows, columns)
    judged = select(query(1.0, prior=prior), regions([box]), np.zeros(1, np.float32), SIZE)
    assert 0 <= judged.scores[0] <= 1


def test_a_prior_over_the_pixels_themselves() -> None:
    prior = np.zeros(SIZE, np.float32)
    prior[20:40, 60:90] = 1
    guided = select(query(1.0, prior=prior), regions([[60, 20, 90, 40]]), np.zeros(1, np.float32), SIZE)
    plain = select(query(1.0), regions([[60, 20, 90, 40]]), np.zeros(1, np.float32), SIZE)
    assert guided.scores == pytest.approx(plain.scores)


def test_the_prior_is_evidence_and_removes_nothing() -> None:
    """Of two similar things the one in the likely place is selected; strong evidence outweighs the place."""
    boxes = [[0, 0, 50, 50], [150, 0, 200, 50]]
    prior = [[1.0, 0.5, 0.3, 0.1]]
    judged = select(query(0.8, prior=prior), regions(boxes), np.array([1.0, 1.0], np.float32), SIZE)
    assert judged.selected.tolist() == [True, False]
    assert judged.evidence == pytest.approx([1.0, 1.0 + np.log(0.1)], abs=1e-5)
    assert len(judged) == 2
    assert judged.scores[1] > 0
    sure = select(query(0.8, prior=prior), regions(boxes), np.array([1.0, 3.0], np.float32), SIZE)
    assert sure.selected.tolist() == [True, True]


def test_an_impossible_place_has_finite_evidence() -> None:
    judged = select(query(0.8, prior=[[0.0]]), regions([[0, 0, 9, 9]]), np.zeros(1, np.float32), SIZE)
    assert np.isfinite(judged.evidence).all()
    assert judged.selected.tolist() == [False]


def test_every_row_has_a_place_of_its_own() -> None:
    boxes = [[0, 0, 50, 50], [150, 0, 200, 50]]
    prior = [[[1.0, 0.01]], [[0.01, 1.0]]]  # the dog on the left, the cat on the right
    for sources, chosen in (([0, 1], [True, True]), ([1, 0], [False, False])):
        judged = select(query(0.8, 0.8, prior=prior), regions(boxes, sources=sources), np.ones(2, np.float32), SIZE)
        assert judged.selected.tolist() == chosen


# -------------------------------------------------------------------------- trust grounder
def test_trusting_the_grounder_selects_every_object_once() -> None:
    sample, _ = toy.scene(("red", "blue"), ("red",), size_hw=SIZE)
    found = [regions([*SAME[:2], [120, 0, 150, 50]], [0.5, 0.9, 0.3], [0, 1, 0]), Proposals.nothing()]
    first, second = TrustGrounder().verify([sample, sample], [query(0.9, 0.9), query(0.9)], found)
    assert first.selected.tolist() == [False, True, True]
    assert first.evidence.tolist() == [0, 0, 0]
    assert first.scores == pytest.approx(np.cbrt(0.9 * np.array([0.5, 0.9, 0.3]) * 0.5), abs=1e-6)
    assert len(second) == 0


# ----------------------------------------------------------------------------------- CLIP
class Eyes:
    """Embeds how red, green and blue a crop is; a bank of unit variance makes scores easy to do by hand."""

    space = "rgb"
    words = ("red", "green", "blue")
    picture_bank = Bank(np.concatenate([np.eye(3), -np.eye(3)]), "by hand")

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []
        self.calls = 0

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        rows = np.array([[word in phrase for word in self.words] for phrase in phrases], np.float32).reshape(-1, 3)
        return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1), np.float32)

    def encode_image(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        self.calls += 1
        self.seen += [image.shape for image in images]
        rows = np.array([image.reshape(-1, 3).mean(axis=0) for image in images], np.float32).reshape(-1, 3)
        return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1), np.float32)


def thirds() -> AVSample:
    """An image of three stripes: red, green, blue."""
    image = np.zeros((30, 90, 3), np.uint8)
    for number in range(3):
        image[:, number * 30 : (number + 1) * 30, number] = 200
    return AVSample(image, toy.tone("red", seconds=0.1), name="thirds")


STRIPES = [[0, 0, 30, 30], [30, 0, 60, 30], [60, 0, 90, 30]]


def test_the_evidence_by_hand() -> None:
    verifier = ClipVerifier(Eyes(), ["green", "blue"], silent=["white"], margin=0.0, temperature=0.5)
    asked = Query(("red",), np.array([0.8], np.float32))
    (judged,) = verifier.verify([thirds()], [asked], [regions(STRIPES[:2], [0.9, 0.9])])
    # Four labels: red, and the alternatives green, blue, white. A crop of one colour has cosine 1 with its own label
    # and 0 with the others ("white" is a zero row).
    own = 1 / 0.5
    p_red = np.exp(own) / (np.exp(own) + 3)
    p_other = 1 / (np.exp(own) + 3)
    wanted = np.log([p_red, p_other]) + 0.5 * np.log(4)
    assert judged.evidence == pytest.approx(wanted, abs=1e-5)
    assert wanted[0] > 0 > wanted[1]
    assert judged.selected.tolist() == [True, False], "a region that shows something else is dropped"
    looks = 1 / (1 + np.exp(-wanted))
    assert judged.scores == pytest.approx(np.cbrt(0.8 * 0.9 * looks), abs=1e-5)


def test_a_region_is_judged_by_the_phrase_that_it_answers() -> None:
    verifier = ClipVerifier(Eyes(), ["green"], silent=(), margin=0.0)
    asked = Query(("red", "blue"), np.array([0.8, 0.8], np.float32))
    (judged,) = verifier.verify([thirds()], [asked], [regions([STRIPES[0], STRIPES[2], STRIPES[2]], sources=[1, 1, 0])])
    assert judged.selected.tolist() == [False, True, False]


def test_a_phrase_against_nothing_else_says_nothing() -> None:
    """One label in all: p is 1 and the evidence log(1 * sqrt(1)) = 0."""
    verifier = ClipVerifier(Eyes(), ["red"], silent=(), margin=0.0)
    (judged,) = verifier.verify([thirds()], [Query(("red",), np.ones(1))], [regions(STRIPES)])
    assert judged.evidence.tolist() == [0, 0, 0]
    assert judged.selected.all()


def test_a_phrase_among_the_alternatives_does_not_compete_with_itself() -> None:
    asked = Query(("red",), np.ones(1, np.float32))
    with_red, without = (
        ClipVerifier(Eyes(), labels, silent=(), margin=0.0).verify([thirds()], [asked], [regions(STRIPES)])[0]
        for labels in (["red", "green", "blue"], ["green", "blue"])
    )
    assert with_red.evidence == pytest.approx(without.evidence, abs=1e-6)


def test_a_hopeless_region_is_improbable_and_no_infinity() -> None:
    verifier = ClipVerifier(Eyes(), ["green"], silent=(), margin=0.0, temperature=1e-4)
    (judged,) = verifier.verify([thirds()], [Query(("red",), np.ones(1))], [regions(STRIPES[:2])])
    assert judged.evidence[1] < -1000
    assert judged.selected.tolist() == [True, False]


def test_all_regions_of_a_batch_are_embedded_together_and_in_order() -> None:
    eyes = Eyes()
    verifier = ClipVerifier(eyes, ["green"], silent=(), margin=0.0)
    asked = [
        Query(("red",), np.ones(1)),
        Query.nothing(),
        Query(("blue", "red"), np.ones(2)),
        Query(("red",), np.ones(1)),
    ]
    found = [
        regions(STRIPES[:1]),
        Proposals.nothing(),
        regions([STRIPES[2], STRIPES[0], STRIPES[1]], sources=[0, 1, 1]),
        Proposals.nothing(),
    ]
    samples = [thirds() for _ in asked]
    batch = verifier.verify(samples, asked, found)
    assert eyes.calls == 1
    assert len(eyes.seen) == 4
    assert [judged.selected.tolist() for judged in batch] == [[True], [], [True, True, False], []]
    for sample, one, regions_of_one, together in zip(samples, asked, found, batch, strict=True):
        fresh = AVSample(sample.image.copy(), sample.audio)  # that the verifier has no embeddings of
        (alone,) = verifier.verify([fresh], [one], [regions_of_one])
        assert np.array_equal(alone.evidence, together.evidence)
        assert np.array_equal(alone.scores, together.scores)


def test_a_region_that_several_phrases_share_is_embedded_once() -> None:
    asked = Query(("red", "blue", "green"), np.array([0.9, 0.8, 0.7], np.float32))
    boxes, sources = [box for box in STRIPES for _ in range(3)], [0, 1, 2] * 3
    eyes = Eyes()
    verifier = ClipVerifier(eyes, ["white"], silent=(), margin=0.0)
    (judged,) = verifier.verify([thirds()], [asked], [regions(boxes, None, sources)])
    assert len(eyes.seen) == 3
    assert judged.selected.reshape(3, 3).tolist() == [[True, False, False], [False, False, True], [False, True, False]]
    for row, (box, source) in enumerate(zip(boxes, sources, strict=True)):
        verifier = ClipVerifier(Eyes(), ["white"], silent=(), margin=0.0)
        (alone,) = verifier.verify([thirds()], [asked], [regions([box], None, [source])])
        assert alone.evidence[0] == judged.evidence[row]


def test_several_verifiers_embed_a_region_once() -> None:
    """As pipelines have one each; what they compare it with is their own affair."""
    eyes, one, other, asked = Eyes(), thirds(), thirds(), [Query(("red",), np.ones(1))]
    first, second = ClipVerifier(eyes, ["green"], margin=0.0), ClipVerifier(eyes, ["blue"], silent=(), margin=0.0)
    first.verify([one], asked, [regions(STRIPES[:2])])
    again = second.verify([one], asked, [regions(STRIPES)])
    assert len(eyes.seen) == 3, "one is new"
    unseen = ClipVerifier(Eyes(), ["blue"], silent=(), margin=0.0).verify([thirds()], asked, [regions(STRIPES)])
    assert np.array_equal(again[0].evidence, unseen[0].evidence)
    second.verify([other], asked, [regions(STRIPES[:1])])
    assert len(eyes.seen) == 4, "an equal image is another one"
    for settings in ({"margin": 0.2}, {"margin": 0.0, "view": "highlight"}):
        ClipVerifier(eyes, ["green"], **settings).verify([one], asked, [regions(STRIPES[:1])])  # type: ignore[arg-type]
    assert len(eyes.seen) == 6, "another view of a region is another image"


def test_without_regions_nothing_is_embedded() -> None:
    eyes = Eyes()
    (judged,) = ClipVerifier(eyes, ["red"]).verify([thirds()], [Query.nothing()], [Proposals.nothing()])
    assert (len(judged), eyes.calls) == (0, 0)
    assert ClipVerifier(eyes, ["red"]).verify([], [], []) == []


def test_the_margin_of_a_crop_and_the_whole_of_a_highlight() -> None:
    asked, found = [Query(("green",), np.ones(1))], [regions([[30, 10, 60, 20]])]
    for settings, shape in (
        ({"margin": 0.0}, (10, 30, 3)),
        ({}, (12, 36, 3)),  # a tenth on each side
        ({"margin": 0.5}, (20, 60, 3)),
        ({"view": "highlight"}, (30, 90, 3)),
    ):
        eyes = Eyes()
        ClipVerifier(eyes, ["red"], silent=(), **settings).verify([thirds()], asked, found)  # type: ignore[arg-type]
        assert eyes.seen == [shape]


def test_an_unknown_view_suggests() -> None:
    with pytest.raises(UnknownName, match="no view of a region named 'crops'; did you mean 'crop'"):
        ClipVerifier(Eyes(), ["red"], view="crops")  # type: ignore[arg-type]


def test_the_shipped_alternatives() -> None:
    verifier = ClipVerifier(Eyes())
    assert {"dog", "tree"} <= set(verifier.alternatives)
    assert "tree" not in ClipVerifier(Eyes(), silent="").alternatives
