"""Twenty-four of a kind are twenty-four masks; a limit that leaves some out says so, once."""

from __future__ import annotations

import logging

import numpy as np
import pytest

import zsavs
from zsavs.grounding.peaks import PeakRegions
from zsavs.models.detection import MOST, keep_best
from zsavs.models.grounding_dino import GroundingDinoGrounder
from zsavs.models.owlv2 import Owlv2Grounder
from zsavs.models.yolox import YoloxGrounder
from zsavs.testing import toy
from zsavs.types import AVSample


def birds(count_down: int = 4, count_across: int = 6) -> AVSample:
    """Equal red discs in rows and columns, humming."""
    image = np.full((40 * count_down, 40 * count_across, 3), 128, np.uint8)
    down, right = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    image[(down % 40 - 20) ** 2 + (right % 40 - 20) ** 2 < 12**2] = toy.COLOURS["red"]
    return AVSample(image, toy.tone("red"))


@pytest.mark.parametrize("strategy", ["audio_to_text", "cross_modal", "fused", "classify", "caption"])
def test_twenty_four_equal_discs_are_twenty_four_masks(strategy: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "zsavs"):
        result = zsavs.build_pipeline(strategy, preset="toy")(birds())
    assert len(result) == 24
    assert len(np.unique(result.boxes_xyxy, axis=0)) == 24
    assert not caplog.records


def test_a_lower_setting_gives_fewer_and_says_so_once_a_call(caplog: pytest.LogCaptureFixture) -> None:
    pipe = zsavs.build_pipeline("audio_to_text", preset="toy", **{"grounder.max_boxes": 10})
    with caplog.at_level(logging.WARNING, "zsavs"):
        results = pipe.batch([birds(), birds(), birds(2, 2)])
    assert [len(result) for result in results] == [10, 10, 4]
    assert [record.message for record in caplog.records] == [
        "toy: max_boxes=10 left out 28 more; a larger max_boxes keeps them"
    ]


def test_what_is_left_out_is_counted_after_suppression() -> None:
    boxes = np.array([[10 * i, 0, 10 * i + 8, 8] for i in (0, 0, 0, 1, 2, 3)], np.float32)
    found = keep_best(boxes, np.linspace(0.9, 0.4, 6, dtype=np.float32), (20, 60), nms_iou=0.5, max_boxes=3)
    assert (len(found.boxes_xyxy), found.left_out) == (3, 1)
    assert keep_best(boxes, np.ones(6, np.float32), (20, 60), nms_iou=0.5, max_boxes=4).left_out == 0


class Points:
    """A segmenter whose mask at a point is the four cells around it."""

    def segment_points(
        self, samples: list[AVSample], points: list[np.ndarray], *, full_size: bool
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        answers = []
        for sample, xy in zip(samples, points, strict=True):
            logits = np.full((len(xy), *sample.size_hw), -5, np.float32)
            for row, (x, y) in zip(logits, xy[:, 0].astype(int), strict=True):
                row[max(0, y - 2) : y + 2, max(0, x - 2) : x + 2] = 5
            answers.append((logits, np.ones(len(xy), np.float32)))
        return answers


def test_peaks_beyond_the_limit_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    maps = np.zeros((1, 12, 12), np.float32)
    maps[0, ::3, ::3] = 1  # 16 peaks
    query = zsavs.types.Query(("red",), np.ones(1, np.float32), maps=maps)
    sample = AVSample(np.zeros((120, 120, 3), np.uint8), toy.tone("red"))
    with caplog.at_level(logging.WARNING, "zsavs"):
        (everything,) = PeakRegions(Points()).ground([sample], [query])  # type: ignore[arg-type]
        assert not caplog.records
        (some,) = PeakRegions(Points(), max_peaks=5).ground([sample], [query])  # type: ignore[arg-type]
    assert (len(everything), len(some)) == (16, 5)
    assert "peaks: max_peaks=5 left out 11 more" in caplog.text


@pytest.mark.parametrize("grounder", [Owlv2Grounder, GroundingDinoGrounder, YoloxGrounder])
def test_detectors_keep_a_hundred_boxes(grounder: type) -> None:
    assert grounder.__init__.__kwdefaults__["max_boxes"] == MOST == 100  # type: ignore[misc]
