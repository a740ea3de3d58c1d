"""Boxes made tight by their masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

import zsavs
from zsavs.errors import InputError
from zsavs.grounding.refined_boxes import RefinedBoxes
from zsavs.testing import check_grounder
from zsavs.testing.tiny.detectors import tiny_owlv2
from zsavs.testing.tiny.segmenters import tiny_sam2
from zsavs.types import AudioClip, AVSample, Proposals, Query

SAMPLE = AVSample(np.zeros((60, 90, 3), np.uint8), AudioClip(np.zeros((1, 100), np.float32), 100))
QUERY = Query(("dog", "bell"), np.ones(2, np.float32))


class Rough:
    """A detector that finds given boxes."""

    def __init__(self, boxes: list[list[float]], sources: list[int]) -> None:
        scores = np.linspace(0.9, 0.5, len(boxes)).astype(np.float32)
        self.found = Proposals(np.array(boxes, np.float32).reshape(-1, 4), scores, np.array(sources, np.int64))

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        return [self.found for _ in samples]


class Exact:
    """A segmenter that knows one thing, and marks what of it is in the box; its maps are of half the image's size."""

    thing = (20, 10, 50, 40)  # x0, y0, x1, y1 in pixels of the image

    def segment(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
        maps = []
        for found in proposals:
            logits = np.full((len(found), 30, 45), -4, np.float32)
            for mask, box in zip(logits, found.boxes_xyxy, strict=True):
                x0, y0 = (int(max(a, b)) // 2 for a, b in zip(self.thing[:2], box[:2], strict=True))
                x1, y1 = (int(min(a, b)) // 2 for a, b in zip(self.thing[2:], box[2:], strict=True))
                mask[y0:y1, x0:x1] = 4
            maps.append(logits)
        return maps


def ground(boxes: list[list[float]], sources: list[int], **settings: float) -> Proposals:
    return RefinedBoxes(Rough(boxes, sources), Exact(), **settings).ground([SAMPLE], [QUERY])[0]


def test_a_rough_box_becomes_that_of_the_mask() -> None:
    found = ground([[10, 4, 80, 56]], [1])
    assert found.boxes_xyxy.tolist() == [[20, 10, 50, 40]]
    assert found.scores.tolist() == pytest.approx([0.9])
    assert found.sources.tolist() == [1]


def test_rough_boxes_of_one_thing_become_one_and_phrases_keep_their_own() -> None:
    found = ground([[10, 4, 80, 56], [0, 0, 90, 60], [15, 8, 60, 50]], [0, 0, 1])
    assert found.boxes_xyxy.tolist() == [[20, 10, 50, 40]] * 2
    assert found.sources.tolist() == [0, 1]
    assert found.scores.tolist() == pytest.approx([0.9, 0.5]), "the best of the two stays"


def test_a_box_without_a_mask_is_dropped() -> None:
    assert len(ground([[60, 45, 85, 58]], [0])) == 0
    assert len(ground([], [])) == 0


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="nms_iou"):
        RefinedBoxes(Rough([], []), Exact(), nms_iou=1.5)


def test_it_keeps_the_contract_around_real_models() -> None:
    check_grounder(RefinedBoxes(tiny_owlv2(), tiny_sam2()))


def test_a_pipeline_names_the_detector_within() -> None:
    pipe = zsavs.build_pipeline("audio_to_text", preset="nano", device="cpu", grounder="refined:owlv2:zsavs:nano/owlv2")
    assert isinstance(pipe.grounder, RefinedBoxes)
    assert pipe.grounder.segmenter is pipe.segmenter
    assert pipe.meta["models"]["grounder"]["source"] == "zsavs:nano/owlv2"
