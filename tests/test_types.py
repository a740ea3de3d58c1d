"""The types: validated, read-only, and never the caller's memory."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import one_line

import zsavs
from zsavs.errors import AudioError, ContractError, ImageError
from zsavs.types import AudioClip, AVSample, Proposals, Query

SOUND = AudioClip(np.zeros((1, 16), np.float32), 16_000)


# ------------------------------------------------------------------------------- samples


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((4, 5, 3), np.float32), r"uint8 RGB, got float32; scale it to 0\.\.255"),
        (np.zeros((4, 5, 3), np.int64), "int64"),
        (np.zeros((4, 5), np.uint8), r"\(height, width, 3\).*\(4, 5\)"),
        (np.zeros((4, 5, 4), np.uint8), r"\(4, 5, 4\)"),
        (np.zeros((3, 4, 5), np.uint8), r"\(3, 4, 5\)"),
        (np.zeros((0, 5, 3), np.uint8), "not empty"),
        (np.zeros((4, 0, 3), np.uint8), "not empty"),
        (np.zeros((1, 4, 5, 3), np.uint8), r"\(1, 4, 5, 3\)"),
    ],
)
def test_a_wrong_image_is_refused_with_the_reason(image: Any, says: str) -> None:
    with pytest.raises(ImageError, match=says) as error:
        AVSample(image, SOUND)
    assert one_line(error).startswith("AVSample: ")
    with pytest.raises(ImageError, match=r"^cat\.jpg: "):
        AVSample(image, SOUND, name="cat.jpg")


def test_a_bare_waveform_is_not_a_clip() -> None:
    with pytest.raises(AudioError, match=r"zsavs\.AudioClip, got ndarray"):
        AVSample(np.zeros((4, 5, 3), np.uint8), np.zeros((1, 16), np.float32))  # type: ignore[arg-type]


def test_a_name_is_text_whatever_it_is_made_from() -> None:
    assert AVSample(np.zeros((4, 5, 3), np.uint8), SOUND, name=Path("a/b.jpg")).name == "a/b.jpg"  # type: ignore[arg-type]


def test_size_and_repr() -> None:
    sample = AVSample(np.zeros((4, 5, 3), np.uint8), SOUND)
    assert sample.size_hw == (4, 5)
    assert repr(sample).startswith("AVSample(unnamed, 4x5, AudioClip(")


def test_every_refusal_can_be_caught_as_one_class() -> None:
    with pytest.raises(zsavs.ZsavsError):
        AVSample(np.zeros((4, 5), np.uint8), SOUND)


# -------------------------------------------------------------- whose memory is it anyway


def arrays_of(noun: Any) -> dict[str, np.ndarray[Any, Any]]:
    return {name: value for name, value in vars(noun).items() if isinstance(value, np.ndarray)}


def nouns_from(arrays: dict[str, Any]) -> list[Any]:
    return [
        AudioClip(arrays["wave"], 16_000),
        AVSample(arrays["image"], SOUND),
        Query(("a", "b"), arrays["weights"], arrays["embeddings"], "toy", arrays["prior"]),
        Proposals(arrays["boxes"], arrays["weights"], arrays["sources"], arrays["evidence"], arrays["selected"]),
    ]


def some_arrays() -> dict[str, Any]:
    return {
        "wave": np.array([[0.1, 0.2], [0.3, 0.4]], np.float32),
        "image": np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
        "weights": np.array([0.5, 0.75], np.float32),
        "embeddings": np.eye(2, 3, dtype=np.float32),
        "prior": np.array([[0.0, 1.0], [0.5, 0.25]], np.float32),
        "boxes": np.array([[0, 0, 1, 1], [0, 0, 2, 3]], np.float32),
        "sources": np.array([1, 0], np.int64),
        "evidence": np.array([-1, 2], np.float32),
        "selected": np.array([False, True]),
    }


def test_no_stage_can_write_into_a_noun() -> None:
    for noun in nouns_from(some_arrays()):
        for name, array in arrays_of(noun).items():
            assert array.flags.c_contiguous, name
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0


def test_the_callers_arrays_stay_as_they_were() -> None:
    mine = some_arrays()
    nouns_from(mine)
    for name, array in some_arrays().items():
        assert mine[name].flags.writeable, name
        assert np.array_equal(mine[name], array), name


@pytest.mark.parametrize(
    "disguise",
    [
        lambda a: a.copy(order="F"),
        lambda a: np.repeat(a, 2, axis=0)[::2],  # a stepping view
        lambda a: a[::-1].copy()[::-1],  # a view that runs backwards
        lambda a: a.astype(a.dtype.newbyteorder(">")),
    ],
    ids=["fortran", "stepping", "backwards", "big-endian"],
)
def test_memory_layout_makes_no_difference(disguise: Any) -> None:
    plain = some_arrays()
    layout = {name: disguise(array) for name, array in plain.items()}
    for one, other in zip(nouns_from(plain), nouns_from(layout), strict=True):
        for name, array in arrays_of(one).items():
            assert np.array_equal(array, arrays_of(other)[name]), name
            assert arrays_of(other)[name].flags.c_contiguous, name


def test_read_only_input_is_accepted() -> None:
    mine = some_arrays()
    for array in mine.values():
        array.flags.writeable = False
    assert len(nouns_from(mine)) == 4


def test_attributes_cannot_be_set() -> None:
    for noun in nouns_from(some_arrays()):
        name = next(iter(vars(noun)))
        with pytest.raises(AttributeError):
            setattr(noun, name, None)


def test_nouns_compare_by_identity() -> None:
    """Features are remembered by identity, so equality must not look inside (and cannot, for arrays)."""
    one, other = nouns_from(some_arrays()), nouns_from(some_arrays())
    assert all(a == a and a != b for a, b in zip(one, other, strict=True))
    assert len({*one, *other}) == 8


# --------------------------------------------------------------------------------- query


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((("dog",), [0.5, 0.5]), r"Query\.weights: expected shape \(1,\), got \(2,\)"),
        ((("dog",), [[0.5]]), r"Query\.weights"),
        ((("dog",), [1.01]), r"Query\.weights: values must lie in \[0, 1\]"),
        ((("dog",), [-0.01]), r"Query\.weights: values must lie in \[0, 1\]"),
        ((("dog",), [np.nan]), r"Query\.weights: every value must be finite"),
        (((" ",), [0.5]), r"Query\.phrases: every phrase must be a non-empty string"),
        (((3,), [0.5]), r"Query\.phrases"),
        (("dog", [0.5, 0.5, 0.5]), r"Query\.phrases"),
        ((("dog",), [0.5], [[1.0, 0.0]]), "embeddings and space go together"),
        ((("dog",), [0.5], None, "clip"), "embeddings and space go together"),
        ((("dog",), [0.5], [[1.0], [1.0]], "clip"), r"Query\.embeddings: expected shape \(1, 'any'\), got \(2, 1\)"),
        ((("dog",), [0.5], [[np.inf]], "clip"), r"Query\.embeddings: every value must be finite"),
        ((("dog",), [0.5], None, None, [0.5]), r"Query\.prior"),
        ((("dog",), [0.5], None, None, [[1.5]]), r"Query\.prior: values must lie in \[0, 1\]"),
        ((("dog",), [0.5], None, None, np.ones((2, 1, 1))), r"Query\.prior: expected shape \(1, 'any', 'any'\)"),
        ((("dog",), [0.5], None, None, None, ()), r"Query\.times: expected one for each of 1 rows, got 0"),
        ((("dog",), [0.5], None, None, None, [[(1.0, 1.0)]]), r"Query\.times: seconds must start at 0 and increase"),
        ((("dog",), [0.5], None, None, None, [[(-0.1, 1.0)]]), r"Query\.times: seconds must start at 0"),
        ((("dog",), [0.5], None, None, None, [[(0, 2), (1, 3)]]), r"Query\.times: seconds must start at 0"),
        ((("dog",), [0.5], None, None, None, [[(0, np.inf)]]), r"Query\.times: seconds must start at 0"),
        ((("dog",), [0.5], None, None, None, [[(0, np.nan)]]), r"Query\.times: seconds must start at 0"),
        ((("dog",), [0.5], None, None, None, [[0.0, 1.0]]), r"Query\.times: expected for each row pairs of seconds"),
    ],
)
def test_a_wrong_query_is_refused(arguments: Any, says: str) -> None:
    with pytest.raises(ContractError, match=says) as error:
        Query(*arguments)
    one_line(error)


def test_top_keeps_the_heaviest_and_ties_in_order() -> None:
    names = tuple("abcdef")
    query = Query(names, np.array([0.5, 0.9, 0.5, 0.9, 0.1, 0.5]), np.eye(6, dtype=np.float32), "toy")
    top = query.top(4)
    assert top.phrases == ("b", "d", "a", "c")
    assert top.weights.tolist() == pytest.approx([0.9, 0.9, 0.5, 0.5])
    assert top.embeddings is not None
    assert top.embeddings.argmax(axis=1).tolist() == [1, 3, 0, 2]
    assert query.top(0).phrases == ()
    assert query.top(99).phrases == ("b", "d", "a", "c", "f", "e")


def test_rows_keep_order_space_and_prior() -> None:
    query = Query(("a", "b", "c"), [0.1, 0.2, 0.3], np.eye(3), "toy", [[0.5]])  # type: ignore[arg-type]
    two = query.rows([2, 0])
    assert two.phrases == ("c", "a")
    assert two.space == "toy"
    assert two.prior is query.prior or np.array_equal(two.prior, query.prior)  # type: ignore[arg-type]
    assert len(query.rows([])) == 0
    assert query.rows(np.array([False, True, True])).phrases == ("b", "c"), "a mask is a mask, not the numbers 0 and 1"


def test_meanings_go_with_their_rows_and_need_a_space() -> None:
    query = Query(("a", "b"), np.array([0.2, 0.8]), space="toy", meanings=np.eye(2), notes={"steps": 3})  # type: ignore[arg-type]
    top = query.top(1)
    assert top.meanings is not None
    assert top.meanings.tolist() == [[0.0, 1.0]]
    assert not top.meanings.flags.writeable
    left_out = {"kept": 1, "left_out": 1, "next": ["a"]}
    assert (top.embeddings, top.space, top.notes) == (None, "toy", {"steps": 3, "top_k": left_out})
    for wrong in ({"meanings": np.eye(2)}, {"meanings": np.eye(3), "space": "toy"}):
        with pytest.raises(ContractError, match=r"meanings and space|Query\.meanings: expected shape \(2, 'any'\)"):
            Query(("a", "b"), np.array([0.2, 0.8]), **wrong)  # type: ignore[arg-type]


def test_rows_keep_what_is_each_rows_own() -> None:
    priors = np.array([[[0.1]], [[0.2]], [[0.3]]], np.float32)
    times = (((0.0, 1.0),), (), ((0.5, 0.75), (0.75, 2.0)))
    two = Query(("a", "b", "c"), np.array([0.1, 0.2, 0.3]), prior=priors, times=times).rows([2, 0])
    assert two.prior is not None
    assert two.prior.ravel() == pytest.approx([0.3, 0.1])
    assert two.times == (((0.5, 0.75), (0.75, 2.0)), ((0.0, 1.0),))
    assert repr(two) == "Query({'c': 0.30 at 0.5-0.8 and 0.8-2.0 s, 'a': 0.10 at 0.0-1.0 s})"
    assert Query((), np.zeros(0), times=()).times is None


def test_phrases_are_a_tuple_of_the_querys_own() -> None:
    phrases = ["dog", "cat"]
    query = Query(phrases, [0.5, 0.5])  # type: ignore[arg-type]
    phrases.append("cow")
    assert query.phrases == ("dog", "cat")


def test_an_empty_query_and_reprs() -> None:
    assert len(Query.nothing()) == 0
    assert repr(Query.nothing()) == "Query({})"
    assert repr(Query(("dog",), np.array([0.876]))) == "Query({'dog': 0.88})"


# ----------------------------------------------------------------------------- proposals

BOX = [[0.0, 0.0, 2.0, 2.0]]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([0.0, 0, 1, 1], [0.5], [0]), r"boxes_xyxy: expected shape \('any', 4\), got \(4,\)"),
        (([[0.0, 0, 1]], [0.5], [0]), "boxes_xyxy"),
        (([[0.0, 0, 0, 1]], [0.5], [0]), "every box needs x0 < x1 and y0 < y1"),
        (([[3.0, 0, 2, 5]], [0.5], [0]), "every box needs x0 < x1 and y0 < y1"),
        (([[0.0, 3, 5, 3]], [0.5], [0]), "every box needs x0 < x1 and y0 < y1"),
        (([[0.0, 2, 1, 1]], [0.5], [0]), "every box needs x0 < x1 and y0 < y1"),
        (([[0.0, 0, np.nan, 1]], [0.5], [0]), "must be finite"),
        ((BOX, [0.5, 0.5], [0]), "scores"),
        ((BOX, [1.5], [0]), r"scores: values must lie in \[0, 1\]"),
        ((BOX, [0.5], [0, 1]), "sources: expected 1 whole numbers"),
        ((BOX, [0.5], [0.0]), "sources: expected 1 whole numbers"),
        ((BOX, [0.5], [-1]), "sources: rows of the query start at 0"),
        ((BOX, [0.5], [0], [1.0, 2.0]), "evidence"),
        ((BOX, [0.5], [0], [-np.inf]), "evidence: every value must be finite"),
        ((BOX, [0.5], [0], [0.0], [1]), "selected: expected 1 booleans"),
        ((BOX, [0.5], [0], [0.0], [True, True]), "selected: expected 1 booleans"),
    ],
)
def test_wrong_proposals_are_refused(arguments: Any, says: str) -> None:
    with pytest.raises(ContractError, match=re.compile(says)) as error:
        Proposals(*arguments)
    one_line(error)


def test_proposals_are_unverified_and_all_selected_unless_said_otherwise() -> None:
    found = Proposals(np.array(BOX * 2), np.array([0.5, 1.0]), np.array([0, 7]))
    assert found.evidence.tolist() == [0.0, 0.0]
    assert found.selected.tolist() == [True, True]
    dtypes = [array.dtype for array in (found.boxes_xyxy, found.scores, found.sources, found.evidence, found.selected)]
    assert dtypes == [np.float32, np.float32, np.int64, np.float32, np.bool_]
    nothing = Proposals.nothing()
    assert len(nothing) == 0
    assert nothing.selected.dtype == np.bool_
    assert nothing.boxes_xyxy.shape == (0, 4)


def test_rows_of_proposals_by_number_and_by_mask() -> None:
    boxes = np.array([[0, 0, n, n] for n in (1, 2, 3)], np.float32)
    found = Proposals(boxes, np.array([0.1, 0.2, 0.3]), np.arange(3), np.array([-1, 0, 1]), np.array([0, 1, 1], bool))
    back = found.rows([2, 0])
    assert back.sources.tolist() == [2, 0]
    assert back.boxes_xyxy[:, 2].tolist() == [3, 1]
    assert back.evidence.tolist() == [1, -1]
    assert back.selected.tolist() == [True, False]
    assert found.rows(np.array([True, False, True])).sources.tolist() == [0, 2]
    assert len(found.rows([])) == 0


def test_a_sample_with_another_sound_shares_the_image_itself() -> None:
    sample = AVSample(np.zeros((4, 5, 3), np.uint8), AudioClip(np.zeros((1, 10), np.float32), 100))
    other = replace(sample, audio=AudioClip(np.ones((1, 10), np.float32), 100))
    assert other.image is sample.image


def test_masks_of_regions_go_with_their_rows_and_stay_as_they_are() -> None:
    boxes = np.array([[0, 0, 4, 4], [4, 4, 9, 9], [1, 1, 2, 2]], np.float32)
    masks = np.arange(3 * 2 * 5).reshape(3, 2, 5) % 3 == 0
    found = Proposals(boxes, np.ones(3), np.zeros(3, int), masks=masks)
    assert found.masks is not None
    assert not found.masks.flags.writeable
    assert np.array_equal(found.rows([2, 0]).masks, masks[[2, 0]])
    assert np.array_equal(found.rows(np.array([False, True, False])).masks, masks[1:2])
    assert np.array_equal(replace(found, scores=np.zeros(3, np.float32)).masks, masks)
    assert found.rows([]).masks is not None
    assert found.rows([]).masks.shape == (0, 2, 5)
    assert Proposals(boxes, np.ones(3), np.zeros(3, int)).rows([1]).masks is None


@pytest.mark.parametrize(
    "masks", [np.ones((3, 4, 5), bool), np.ones((2, 4, 5)), np.ones((2, 4), bool), np.ones((2, 0, 5), bool)]
)
def test_masks_that_are_none_are_refused(masks: Any) -> None:
    boxes = np.array([[0, 0, 4, 4], [4, 4, 9, 9]], np.float32)
    with pytest.raises(ContractError, match=r"masks: expected \(2, height, width\) booleans, got") as error:
        Proposals(boxes, np.ones(2), np.zeros(2, int), masks=masks)
    one_line(error)


def test_labels_of_regions_go_with_their_rows() -> None:
    boxes = np.array([[0, 0, 4, 4], [4, 4, 9, 9]], np.float32)
    found = Proposals(boxes, np.array([0.5, 1.0]), np.array([0, 0]), labels=("dog", "cat"))
    assert found.rows([1, 0]).labels == ("cat", "dog")
    assert found.rows(np.array([False, True])).labels == ("cat",)
    assert Proposals.nothing().labels == Proposals(boxes, np.ones(2), np.zeros(2, int)).rows([1]).labels == ()
    with pytest.raises(ContractError, match=r"labels: expected 2 names or none, got 1"):
        Proposals(boxes, np.array([0.5, 1.0]), np.array([0, 0]), labels=("dog",))


def test_points_go_with_their_regions() -> None:
    boxes = np.array([[0, 0, 4, 4], [1, 1, 5, 5]], np.float32)
    points = np.array([[[1, 2], [3, 3]], [[2, 4], [np.nan, np.nan]]])
    found = Proposals(boxes, np.ones(2), np.zeros(2, int), points_xy=points)
    assert found.points_xy is not None
    assert found.points_xy.dtype == np.float32
    assert not found.points_xy.flags.writeable
    np.testing.assert_array_equal(found.rows([1]).points_xy, points[1:])
    assert Proposals(boxes, np.ones(2), np.zeros(2, int)).rows([1]).points_xy is None


@pytest.mark.parametrize(
    "points",
    [np.zeros((3, 1, 2)), np.zeros((2, 2)), np.zeros((2, 1, 3)), np.full((2, 1, 2), np.inf), [[[1, np.nan]], [[1, 1]]]],
)
def test_points_of_another_shape_or_with_half_a_place_are_refused(points: Any) -> None:
    boxes = np.array([[0, 0, 4, 4], [1, 1, 5, 5]], np.float32)
    with pytest.raises(ContractError, match=r"points_xy: expected \(2, points, 2\)"):
        Proposals(boxes, np.ones(2), np.zeros(2, int), points_xy=points)
