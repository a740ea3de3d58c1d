"""The result: its invariants, its card, and the round trip through JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from small_results import HEIGHT, WIDTH, naive_decode, result, same

from zsavs.errors import ContractError
from zsavs.result import AVSResult
from zsavs.types import AudioClip, Query


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"masks": np.zeros((2, HEIGHT, WIDTH), np.uint8)}, r"masks: expected bool \(2, 5, 7\), got uint8"),
        ({"masks": np.zeros((1, HEIGHT, WIDTH), np.bool_)}, r"masks: expected bool \(2, 5, 7\), got bool \(1, 5, 7\)"),
        ({"masks": np.zeros((2, WIDTH, HEIGHT), np.bool_)}, r"masks: expected bool \(2, 5, 7\)"),
        ({"boxes_xyxy": np.zeros((2, 4))}, r"boxes_xyxy: expected float32 \(2, 4\), got float64"),
        ({"boxes_xyxy": np.zeros((1, 4), np.float32)}, r"boxes_xyxy: expected float32 \(2, 4\)"),
        ({"boxes_xyxy": np.full((2, 4), np.nan, np.float32)}, r"boxes_xyxy: every coordinate must be finite"),
        ({"phrases": ("dog", 3)}, r"phrases: expected texts"),
        ({"scores": np.zeros(3, np.float32)}, r"scores: expected float32 \(2,\)"),
        ({"scores": np.array([0.5, 1.5], np.float32)}, r"scores: values must lie in \[0, 1\]"),
        ({"scores": np.array([0.5, np.nan], np.float32)}, r"scores: values must lie in \[0, 1\]"),
        ({"score_map": np.full((HEIGHT, WIDTH), -0.1, np.float32)}, r"score_map: values must lie in \[0, 1\]"),
        ({"score_map": np.full((HEIGHT, WIDTH), np.nan, np.float32)}, r"score_map: values must lie in \[0, 1\]"),
        ({"score_map": np.zeros((HEIGHT, WIDTH), np.float64)}, "score_map: expected float32"),
        ({"phrases": ("dog",)}, "masks: expected bool"),
        ({"score_map": np.zeros((HEIGHT, WIDTH), np.float32)}, "exactly where one of the masks is set"),
        ({"score_map": np.ones((HEIGHT, WIDTH), np.float32)}, "exactly where one of the masks is set"),
        (
            {"frame": np.zeros((HEIGHT + 1, WIDTH, 3), np.uint8)},
            r"frame: expected an image of \(5, 7\), got .*\(6, 7, 3\)",
        ),
        ({"frame": np.zeros((HEIGHT, WIDTH), np.uint8)}, r"frame: expected"),
    ],
)
def test_a_broken_promise_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ContractError, match=says):
        result(**changes)


def test_a_score_map_is_two_dimensional() -> None:
    with pytest.raises(ContractError, match="score_map"):
        AVSResult(np.zeros((0, 5), np.bool_), np.zeros((0, 4), np.float32), (), np.zeros(0, "f4"), np.zeros(5, "f4"))


def test_half_belongs_to_the_background() -> None:
    """The invariant is a strict inequality; the next float32 above one half is foreground."""
    masks = np.array([[[False, True]]])
    score_map = np.array([[0.5, np.nextafter(np.float32(0.5), np.float32(1))]], np.float32)
    box = np.array([[1, 0, 2, 1]], np.float32)
    answer = AVSResult(masks, box, ("dog",), np.ones(1, np.float32), score_map)
    assert answer.mask.tolist() == [[False, True]]


def test_the_arrays_of_a_result_are_read_only() -> None:
    for name in ("masks", "boxes_xyxy", "scores", "score_map"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(result(), name)[...] = 0


def test_dictionaries_are_the_results_own() -> None:
    timings = {"query": 1.0}
    answer = result(timings=timings)
    timings["query"] = 2.0
    assert answer.timings == {"query": 1.0}


def test_phrases_are_the_results_own() -> None:
    phrases = ["dog", "cat"]
    answer = result(phrases=phrases)
    phrases.append("cow")
    assert answer.phrases == ("dog", "cat")


def test_nothing_is_an_answer() -> None:
    nothing = AVSResult.nothing((HEIGHT, WIDTH), meta={"strategy": "fused"})
    assert len(nothing) == 0
    assert nothing.masks.shape == (0, HEIGHT, WIDTH)
    assert not nothing.mask.any()
    assert nothing.to_coco()["annotations"] == []
    assert same(nothing, AVSResult.load(nothing.to_json()))
    assert repr(nothing) == "AVSResult(0 masks, 5x7)"


def test_repr_says_what_was_found() -> None:
    assert repr(result()) == "AVSResult(2 masks, 5x7: 'dog' 0.90, 'собака 犬' 0.10)"


def test_overlay_refuses_a_image_of_another_size() -> None:
    with pytest.raises(ContractError, match=r"expected an image of \(5, 7\), got \(7, 5\)"):
        result().overlay(np.zeros((WIDTH, HEIGHT, 3), np.uint8))


def test_json_restores_everything_but_the_image() -> None:
    one = result(frame=np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    text = one.to_json()
    assert "собака 犬" in text, "a person can read it"
    other = AVSResult.load(text)
    assert same(one, other)
    assert other.frame is None


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_result_survives_the_round_trip(data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=9))
    unit = st.floats(0, 1, width=32) | st.just(-0.0)
    score_map = data.draw(hnp.arrays(np.float32, shape, elements=unit))
    if data.draw(st.booleans()):
        score_map = (np.rint(score_map * np.float32(65535)) / np.float32(65535)).astype(np.float32)
    count = data.draw(st.integers(1, 3)) if (score_map > 0.5).any() else data.draw(st.integers(0, 2))
    masks = np.zeros((count, *shape), np.bool_)
    owner = data.draw(hnp.arrays(np.int64, shape, elements=st.integers(0, max(count - 1, 0))))
    for number in range(count):
        masks[number] = (owner == number) & (score_map > np.float32(0.5))
    weights = data.draw(st.lists(unit, max_size=3))
    one = AVSResult(
        masks,
        data.draw(hnp.arrays(np.float32, (count, 4), elements=st.floats(0, 2**20, width=32))),
        tuple(data.draw(st.lists(st.text(), min_size=count, max_size=count))),
        data.draw(hnp.arrays(np.float32, (count,), elements=unit)),
        score_map,
        Query(tuple(f"thing {n}" for n in range(len(weights))), np.array(weights, np.float32)),
        data.draw(st.dictionaries(st.text(), st.floats(0, 1e9), max_size=3)),
        data.draw(st.dictionaries(st.text(), st.none() | st.integers() | st.text(), max_size=3)),
    )
    assert same(one, AVSResult.load(one.to_json()))


def test_a_map_in_16_bit_steps_is_kept_in_16_bits(rng: np.random.Generator) -> None:
    levels = rng.integers(0, 32_000, (64, 64))
    coarse = AVSResult.nothing((64, 64))
    object.__setattr__(coarse, "score_map", (levels / np.float32(65535)).astype(np.float32))
    packed = json.loads(coarse.to_json())["score_map"]
    assert packed["dtype"] == "uint16"
    assert AVSResult.load(coarse.to_json()).score_map.tobytes() == coarse.score_map.tobytes()


def test_a_name_that_is_not_utf8_survives(tmp_path: Path) -> None:
    """File names are bytes; Python shows the ones that are no text as lone surrogates, which no encoder takes."""
    name = os.fsdecode(b"caf\xe9.jpg")
    one = result(meta={"sample": name})
    one.to_json().encode("utf-8")
    assert AVSResult.load(one.save(tmp_path, "r")["json"]).meta["sample"] == name


def test_a_card_needs_the_image_and_shows_it() -> None:
    audio = AudioClip(np.zeros((1, 1600), np.float32), 16_000)
    frame = np.full((40, 60, 3), 90, np.uint8)
    result = AVSResult.nothing((40, 60), frame=frame)
    page = result.card(audio, "a title")
    assert page.width > 500
    assert (90, 90, 90) in {color for _, color in page.getcolors(1 << 24)}
    loaded = AVSResult.load(result.to_json())
    with pytest.raises(ContractError, match="image that belongs"):
        loaded.card(audio)
    assert loaded.card(audio, "a title", frame).tobytes() == page.tobytes()


@pytest.mark.parametrize("times", [(((0.1 + 0.2, 1 / 3), (1 / 3, 7.0)), ()), ((), ()), None])
def test_when_each_source_sounds_comes_back_exactly(times: Any) -> None:
    timed = result(queries=Query(("dog", "piano"), np.array([0.9, 0.3], np.float32), times=times))
    assert same(AVSResult.load(timed.to_json()), timed)
    assert ("times_s" in timed.to_json()) == (times is not None)


def test_coco_annotations() -> None:
    one = result()
    first, second = one.to_coco()["annotations"]
    assert first["bbox"] == [2.0, 1.0, 4.0, 3.0], "x, y, width, height"
    assert first["area"] == 12
    assert second["area"] == 2
    assert (first["id"], second["id"]) == (1, 2)
    (image,) = one.to_coco()["images"]
    assert first["image_id"] == second["image_id"] == image["id"]
    named = {row["id"]: row["name"] for row in one.to_coco()["categories"]}
    assert (named[first["category_id"]], named[second["category_id"]]) == one.phrases
    assert first["score"] == pytest.approx(0.9)
    for annotation, mask in zip((first, second), one.masks, strict=True):
        assert np.array_equal(naive_decode(annotation["segmentation"]), mask)
        assert annotation["area"] == mask.sum()
    json.dumps([first, second])


def test_coco_api_reads_the_masks_if_it_is_here() -> None:
    api = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed (zsavs[coco])")
    one = result()
    for annotation, mask in zip(one.to_coco()["annotations"], one.masks, strict=True):
        code = api.frPyObjects(annotation["segmentation"], HEIGHT, WIDTH)
        assert np.array_equal(api.decode(code).astype(bool), mask)
        assert api.area(code) == annotation["area"]
        assert api.toBbox(code).tolist() == annotation["bbox"]
