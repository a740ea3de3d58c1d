"""``supervision.Detections``; what needs the package is skipped, by name, where it is not installed."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from exported import answer, video

from zsavs.errors import MissingExtra
from zsavs.result import AVSResult


def test_it_is_asked_for_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(MissingExtra, match=r'supervision is not installed; run: pip install "zsavs\[supervision\]"'):
        answer().to_supervision()


def test_detections_hold_what_the_result_does() -> None:
    sv = pytest.importorskip("supervision", reason="supervision is not installed (zsavs[supervision])")
    result = answer()
    found = result.to_supervision()
    assert isinstance(found, sv.Detections)
    assert np.array_equal(found.mask, result.masks)
    assert np.array_equal(found.xyxy, result.boxes_xyxy)
    assert np.array_equal(found.confidence, result.scores)
    assert found.data["class_name"].tolist() == list(result.phrases)
    assert found.class_id.tolist() == [1, 2, 1, 0], "by the alphabet"
    assert found.tracker_id is None
    assert found.area.tolist() == result.masks.sum(axis=(1, 2)).tolist()
    sure = found[found.confidence > 0.5]
    assert np.array_equal(sure.mask, result.masks[:3][result.scores[:3] > 0.5])
    image = sv.MaskAnnotator().annotate(np.zeros((*result.score_map.shape, 3), np.uint8), found)
    assert np.array_equal(image.any(axis=2), result.mask)


def test_no_detections_and_those_of_a_frame() -> None:
    pytest.importorskip("supervision", reason="supervision is not installed (zsavs[supervision])")
    assert len(AVSResult.nothing((4, 6)).to_supervision()) == 0
    frame = video().frame(3)
    assert frame.to_supervision().tracker_id.tolist() == frame.meta["tracks"] == [2, 3]
    assert len(video().frame(5).to_supervision()) == 0
