"""What a pipeline considered, and the answers that other thresholds make of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import zsavs
from zsavs.considered import Considered, Thresholds
from zsavs.errors import InputError
from zsavs.testing import toy
from zsavs.types import AVSample, Proposals, Query


@pytest.fixture(scope="module")
def sample() -> AVSample:
    return toy.scene(["red", "blue", "green"], ["red", "green"], size_hw=(96, 128))[0]


@pytest.fixture(scope="module")
def considered(sample: AVSample) -> Considered:
    return zsavs.build_pipeline("audio_to_text", preset="toy").consider([sample])[0]


#: Four regions: two kept, one turned down by itself, one that is turned down and is the same object as the first.
BOXES = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [0, 20, 10, 30], [0, 0, 10, 9.9]], np.float32)


@pytest.fixture
def by_hand() -> Considered:
    proposals = Proposals(
        BOXES,
        scores=np.array([0.9, 0.6, 0.4, 0.3], np.float32),
        sources=np.array([0, 1, 1, 0]),
        evidence=np.array([2.0, 0.5, -0.5, -0.6], np.float32),
        selected=np.array([True, True, False, False]),
    )
    logits = np.full((4, 32, 32), -9, np.float32)
    for row, (x0, y0, x1, y1) in enumerate(BOXES.astype(int)):
        logits[row, y0:y1, x0:x1] = 9
    image = np.zeros((32, 32, 3), np.uint8)
    sample = AVSample(image, zsavs.AudioClip(np.zeros((1, 800), np.float32), 8000))
    query = Query(("dog", "cat"), np.array([0.95, 0.6], np.float32))
    return Considered(sample, query, proposals, logits)


def test_what_was_considered_gives_the_pipelines_answer(sample: AVSample, considered: Considered) -> None:
    answer, again = zsavs.build_pipeline("audio_to_text", preset="toy")(sample), considered.result()
    assert set(answer.phrases) == {"red", "green"}
    assert again.phrases == answer.phrases
    assert np.array_equal(again.score_map, answer.score_map)
    assert again.meta == answer.meta
    for untouched in (Thresholds(), Thresholds(min_weight=0.01)):
        composed = considered.result(considered.compose(untouched))
        assert np.array_equal(composed.score_map, answer.score_map)


def selected(considered: Considered, **thresholds: float | frozenset[int]) -> list[int]:
    return np.flatnonzero(considered.select(Thresholds(**thresholds))).tolist()  # type: ignore[arg-type]


def test_thresholds_take_regions_out_and_let_them_in(by_hand: Considered) -> None:
    assert selected(by_hand) == [0, 1]
    assert selected(by_hand, min_weight=0.7) == [0]
    assert selected(by_hand, min_score=0.7) == [0]
    assert selected(by_hand, min_evidence=1.0) == [0]
    assert selected(by_hand, min_evidence=-0.4) == [0, 1]
    # The third comes in; the fourth is the same object as the first, and surer of nothing.
    assert selected(by_hand, min_evidence=-1.0) == [0, 1, 2]
    assert selected(by_hand, min_evidence=-1.0, min_score=0.5) == [0, 1]
    assert selected(by_hand, without=frozenset({0})) == [1]


def test_the_answer_has_the_masks_and_the_ranking_of_the_thresholds(by_hand: Considered) -> None:
    composed = by_hand.compose(Thresholds(without=frozenset({0})))
    result = by_hand.result(composed)
    assert composed.rows.tolist() == [1]
    assert result.phrases == ("cat",)
    assert result.masks[0].sum() == 100
    # What is left out is still ranked below everything that is in.
    assert 0 < result.score_map[5, 5] < 0.5


def test_fewer_regions_are_those_that_are_in_and_the_likeliest_others(by_hand: Considered) -> None:
    fewer = by_hand.best(3)
    assert fewer.proposals.scores.tolist() == by_hand.proposals.scores[:3].tolist()
    assert np.array_equal(fewer.logits, by_hand.logits[:3])
    assert len(by_hand.best(0).proposals) == 2, "none that is selected is left out"
    assert len(by_hand.best(9).proposals) == 4
    assert fewer.result().phrases == by_hand.result().phrases


def test_a_threshold_is_a_number() -> None:
    with pytest.raises(InputError, match="min_score must be a number"):
        Thresholds(min_score=float("nan"))


def test_nothing_considered_is_an_empty_answer(by_hand: Considered) -> None:
    empty = replace(
        by_hand, query=Query.nothing(), proposals=Proposals.nothing(), logits=np.zeros((0, 32, 32), np.float32)
    )
    assert len(empty.result(empty.compose(Thresholds(min_evidence=-5)))) == 0
