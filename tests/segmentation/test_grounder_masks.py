"""The grounder's own masks as a segmenter, and another segmenter where it gave none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import zsavs
from zsavs.errors import ContractError, InputError
from zsavs.segmentation.enlarged_crops import CloserLook
from zsavs.segmentation.grounder_masks import FromGrounder
from zsavs.testing import check_grounder, example_proposals, example_samples
from zsavs.testing.toy import ToyGrounder, ToySegmenter
from zsavs.types import AVSample, Proposals, Query

SAMPLES = example_samples()
BOXES = example_proposals(SAMPLES)


class Counting:
    """Segments nothing, and says how many regions it was asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def segment(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
        self.asked += [len(found) for found in proposals]
        return [
            np.full((len(found), *sample.size_hw), 3.0, np.float32)
            for sample, found in zip(samples, proposals, strict=True)
        ]


class Masking:
    """A grounder around another, whose regions have the ellipses in their boxes as masks, of half the image's size."""

    def __init__(self, grounder: Any) -> None:
        self.grounder = grounder

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        found = self.grounder.ground(samples, queries)
        return [replace(one, masks=ellipses(one, sample)) for sample, one in zip(samples, found, strict=True)]


def ellipses(found: Proposals, sample: AVSample) -> NDArray[np.bool_]:
    height, width = (side // 2 for side in sample.size_hw)
    down, right = np.mgrid[:height, :width] * 2 + 1
    x0, y0, x1, y1 = found.boxes_xyxy.T[..., None, None]
    inside = ((2 * right - x0 - x1) / (x1 - x0)) ** 2 + ((2 * down - y0 - y1) / (y1 - y0)) ** 2 <= 1
    return np.asarray(inside)


def with_masks(found: Proposals, sample: AVSample, size: tuple[int, int] | None = None) -> Proposals:
    masks = np.zeros((len(found), *(size or sample.size_hw)), np.bool_)
    for row, mask in enumerate(masks):
        mask[row + 1 :: 2, 1:-1] = True
    return replace(found, masks=masks)


def test_masks_of_the_images_size_come_back_as_they_are() -> None:
    given = [with_masks(found, sample) for found, sample in zip(BOXES, SAMPLES, strict=True)]
    for sample, found, logits in zip(SAMPLES, given, FromGrounder().segment(SAMPLES, given), strict=True):
        assert logits.shape == (len(found), *sample.size_hw)
        assert logits.dtype == np.float32
        assert np.array_equal(logits > 0, found.masks)
        assert np.isfinite(logits).all()
        assert (np.abs(logits) > 9).all(), "as sure as a mask is that was thresholded"


def test_masks_of_another_size_are_stretched_over_the_image() -> None:
    sample = SAMPLES[0]  # 60 x 80
    mask = np.zeros((1, 6, 8), np.bool_)
    mask[0, 2:4, 3:5] = True
    found = replace(BOXES[0].rows([0]), masks=mask)
    (logits,) = FromGrounder().segment([sample], [found])
    rows, columns = np.nonzero(logits[0] > 0)
    assert abs(rows.min() - 20) <= 1
    assert abs(rows.max() - 39) <= 1
    assert abs(columns.min() - 30) <= 1
    assert abs(columns.max() - 49) <= 1
    assert logits[0, 30, 40] > 9


def test_nothing_that_has_a_mask_is_segmented_again() -> None:
    inner = Counting()
    given = [with_masks(BOXES[0], SAMPLES[0]), BOXES[1], BOXES[2], Proposals.nothing()]
    answers = FromGrounder(inner).segment(SAMPLES[:4], given)
    assert inner.asked == [2], "the only regions without masks; where there are none, nobody is asked"
    assert np.array_equal(answers[0] > 0, given[0].masks)
    assert (answers[2] == 3.0).all()
    assert [len(answer) for answer in answers] == [2, 0, 2, 0]


def test_boxes_alone_are_refused_where_nobody_segments_them() -> None:
    with pytest.raises(InputError, match=r"boxes without masks.*segmenter='from_grounder:sam2'"):
        FromGrounder().segment(SAMPLES[:1], BOXES[:1])
    assert [len(answer) for answer in FromGrounder().segment(SAMPLES[1:2], BOXES[1:2])] == [0]
    with pytest.raises(ContractError, match="needs segment"):
        FromGrounder(ToySegmenter)  # type: ignore[arg-type]


def test_another_crop_has_none_of_the_masks() -> None:
    """A segmenter that looks closer asks about crops, mirrored ones too, in which the masks lie elsewhere."""
    inner = Counting()
    found = with_masks(BOXES[0], SAMPLES[0])
    CloserLook(FromGrounder(inner), mirrored=True, margin=0.1).segment(SAMPLES[:1], [found])
    assert inner.asked == [1, 1, 1, 1], "two crops and their mirror images"


def test_a_pipeline_takes_the_grounders_masks_by_name() -> None:
    sample = SAMPLES[0]
    grounder = Masking(ToyGrounder())
    check_grounder(grounder)
    pipe = zsavs.build_pipeline("audio_to_text", preset="toy", grounder=grounder, segmenter="from_grounder")
    assert isinstance(pipe.segmenter, FromGrounder)
    assert pipe.segmenter.segmenter is None, "none is named, so none is loaded"
    result = pipe(sample)
    (found,) = grounder.ground([sample], [Query(("red",), np.ones(1, np.float32))])
    assert found.masks is not None
    wanted = np.repeat(np.repeat(found.masks[0], 2, axis=0), 2, axis=1)
    assert len(result) == 1
    assert (result.masks[0] != wanted).mean() < 0.02
    around = zsavs.build_pipeline("audio_to_text", preset="toy", segmenter="from_grounder:toy")
    assert isinstance(around.segmenter, FromGrounder)
    assert isinstance(around.segmenter.segmenter, ToySegmenter)
    plain = zsavs.build_pipeline("audio_to_text", preset="toy")
    assert np.array_equal(around(sample).score_map, plain(sample).score_map)


def test_a_grounder_built_around_a_segmenter_finds_the_inner_one() -> None:
    class Pointing(Counting):
        def segment_points(self, *_: Any, **__: Any) -> list[Any]:
            return ["asked"]

    assert FromGrounder(Pointing()).segment_points() == ["asked"]
    assert not hasattr(FromGrounder(Counting()), "segment_points")
    assert not hasattr(FromGrounder(), "card")
