"""Regions from a detector that is asked for generic phrases: merged boxes, and every image asked about once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from grounder_inputs import ONE, TWO, sample

import zsavs
from zsavs import presets, registry
from zsavs.errors import ContractError, InputError, UnknownName
from zsavs.grounding.full_frame import FullFrame
from zsavs.grounding.object_proposals import GENERIC_PHRASES, DetectorProposals
from zsavs.testing import check_grounder, example_samples, toy
from zsavs.testing.tiny.detectors import tiny_grounding_dino
from zsavs.testing.tiny.encoders import tiny_card
from zsavs.types import AVSample, Proposals, Query
from zsavs.verification.selection import TrustGrounder


class Detector:
    """Finds known boxes for known phrases."""

    card = tiny_card("detector", 0)

    def __init__(self, **boxes: Sequence[Sequence[float]]) -> None:
        self.boxes = boxes
        self.asked: list[list[tuple[str, ...]]] = []

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        self.asked.append([query.phrases for query in queries])
        return [self.answer(query) for query in queries]

    def answer(self, query: Query) -> Proposals:
        rows = [(*b, row) for row, phrase in enumerate(query.phrases) for b in self.boxes.get(phrase, ())]
        table = np.array(rows, np.float32).reshape(-1, 6)
        return Proposals(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


def test_boxes_of_all_phrases_are_merged_and_offered_to_every_row() -> None:
    detector = Detector(
        object=[(0, 0, 10, 10, 0.3), (20, 0, 30, 10, 0.5)], person=[(0, 0, 10, 9, 0.6)], dog=[(0, 30, 9, 39, 1)]
    )
    (found,) = DetectorProposals(detector).ground([sample()], [TWO])
    assert found.boxes_xyxy.tolist() == [[0, 0, 10, 9]] * 2 + [[20, 0, 30, 10]] * 2
    assert found.scores == pytest.approx([0.6, 0.6, 0.5, 0.5])
    assert found.sources.tolist() == [0, 1, 0, 1]
    assert detector.asked == [[GENERIC_PHRASES]], "the query's own phrases are not asked for"


def test_the_limits_of_boxes() -> None:
    detector = Detector(a=[(0, 0, 10, 10, 0.5), (0, 0, 5, 10, 0.4), (20, 20, 30, 30, 0.6), (40, 0, 50, 9, 0.3)])

    def left(**settings: Any) -> list[float]:
        (found,) = DetectorProposals(detector, phrases=["a"], **settings).ground([sample()], [ONE])
        return [float(score) for score in found.scores]

    assert left() == pytest.approx([0.6, 0.5, 0.4, 0.3])
    assert left(nms_iou=0.5) == pytest.approx([0.6, 0.5, 0.4, 0.3])
    assert left(nms_iou=0.49) == pytest.approx([0.6, 0.5, 0.3])
    assert left(max_regions=2) == pytest.approx([0.6, 0.5])


def test_a_box_as_large_as_the_image_in_both_directions_is_dropped() -> None:
    boxes = [(0, 0, 100, 200, 0.9), (0, 0, 99, 197, 0.8), (0, 0, 98, 200, 0.7), (0, 0, 100, 20, 0.6)]
    detector = Detector(object=boxes)
    (found,) = DetectorProposals(detector, nms_iou=1).ground([sample(200, 100)], [ONE])
    assert found.scores == pytest.approx([0.7, 0.6])
    (found,) = DetectorProposals(detector, nms_iou=1, max_side=1).ground([sample(200, 100)], [ONE])
    assert len(found) == 4


def test_a_detector_is_asked_once_for_each_image() -> None:
    detector, one = Detector(object=[(0, 0, 9, 9, 0.5)]), sample()
    samples, queries = [one, sample(), sample(), one], [ONE, Query.nothing(), TWO, TWO]
    first = DetectorProposals(detector).ground(samples, queries)
    assert [len(found) for found in first] == [1, 0, 2, 2]
    DetectorProposals(detector).ground(samples, queries)
    assert [len(call) for call in detector.asked] == [2]
    DetectorProposals(detector).ground([sample()], [Query.nothing()])
    assert len(detector.asked) == 1
    DetectorProposals(detector, phrases=["thing"]).ground([one], [ONE])
    assert len(detector.asked) == 2, "other phrases find other things"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"phrases": "object"}, "phrases are a list of strings, one at least and none empty, got 'object'"),
        ({"phrases": []}, "phrases are a list"),
        ({"phrases": ["thing", " "]}, "phrases are a list"),
        ({"phrases": [3]}, "phrases are a list"),
        ({"phrases": 3}, "phrases are a list"),
        ({"nms_iou": 2}, "nms_iou lies in"),
        ({"max_side": float("nan")}, "max_side lies in"),
        ({"max_regions": -1}, "max_regions is a whole number"),
    ],
)
def test_settings_of_objects_out_of_range(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=f"^objects: {says}"):
        DetectorProposals(Detector(), **settings)


@pytest.mark.parametrize("detector", [toy.ToySegmenter(), Detector, None])
def test_a_detector_that_is_none(detector: Any) -> None:
    with pytest.raises(ContractError, match=r"^objects: the detector needs ground\(...\)"):
        DetectorProposals(detector)


def test_objects_of_a_real_class_keep_the_contract() -> None:
    grounder = DetectorProposals(tiny_grounding_dino())
    check_grounder(grounder)
    assert grounder.card is grounder.detector.card  # type: ignore[attr-defined]
    assert not hasattr(DetectorProposals(FullFrame()), "card")


# ------------------------------------------------------------------- a detector by its name
class Named(toy.ToyGrounder):
    @classmethod
    def load(cls, checkpoint: str = "", **_: Any) -> Named:
        made = cls()
        made.checkpoint = checkpoint
        return made

    checkpoint = ""


def build(**settings: Any) -> Any:
    return zsavs.build_pipeline("fused", preset="toy", device="cpu", **settings)


def test_objects_go_around_the_detector_of_the_preset() -> None:
    pipe = build(grounder="objects")
    assert isinstance(pipe.grounder, DetectorProposals)
    assert pipe.grounder.detector is build().grounder, "and share it with other pipelines"
    assert pipe.meta["models"]["grounder"]["component"] == "DetectorProposals"
    assert pipe.meta["models"]["grounder"]["source"] == toy.ToyGrounder.card.source
    json.dumps(pipe.meta)


def test_objects_go_around_a_detector_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._BUILT_IN["grounder"], "named", f"{__name__}:Named")
    assert build(grounder="objects:named").grounder.detector.checkpoint == ""
    assert build(grounder="objects:named:org/x@y:z").grounder.detector.checkpoint == "org/x@y:z"
    assert isinstance(build(grounder="objects:full_frame").grounder.detector, FullFrame)
    with pytest.raises(UnknownName, match="no grounder named 'nmaed'; did you mean 'named'"):
        build(grounder="objects:nmaed")


def test_a_preset_of_objects_needs_the_name_of_a_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {**presets.PRESETS["toy"].parts, "grounder": presets.Part("objects")}
    monkeypatch.setitem(presets.PRESETS, "round", presets.Preset("", parts, vocabulary=("red", "blue")))
    with pytest.raises(InputError, match="'objects' goes around another grounder; name one, grounder='objects:NAME'"):
        zsavs.build_pipeline("fused", preset="round", device="cpu")
    pipe = zsavs.build_pipeline("fused", preset="round", device="cpu", grounder="objects:toy")
    assert isinstance(pipe.grounder.detector, toy.ToyGrounder)  # type: ignore[attr-defined]


@pytest.mark.parametrize("part", [{"grounder": "full_frame:x/y"}, {"verifier": "trust_grounder:z"}])
def test_a_checkpoint_for_what_loads_none_is_refused(part: dict[str, str]) -> None:
    with pytest.raises(InputError, match="loads nothing; leave out"):
        build(**part)


def test_several_pipelines_ask_about_an_image_once() -> None:
    detector = Detector(object=[(0, 0, 20, 20, 0.5)])
    samples = example_samples()
    for name in ("audio_to_text", "fused"):
        pipe = zsavs.build_pipeline(
            name, preset="toy", grounder=DetectorProposals(detector), verifier=TrustGrounder(), device="cpu"
        )
        pipe.batch(samples)
    assert 0 < sum(len(call) for call in detector.asked) <= len(samples)
    assert len({phrases for call in detector.asked for phrases in call}) == 1
