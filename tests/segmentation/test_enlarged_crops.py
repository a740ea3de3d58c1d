"""The mean of a segmenter's logits in the whole image and in crops around each region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

import zsavs
from zsavs.errors import ContractError, InputError
from zsavs.metrics.functional import jaccard
from zsavs.segmentation.enlarged_crops import CloserLook
from zsavs.storage.memo import Memo
from zsavs.testing import check_segmenter
from zsavs.testing.toy import ToySegmenter
from zsavs.types import AudioClip, AVSample, Proposals

SOUND = AudioClip(np.zeros((1, 100), np.float32), 8000)


class Coarse:
    """Sees every image in 8 x 8 cells: inside is what is white on average."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def segment(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
        answers = []
        for sample, found in zip(samples, proposals, strict=True):
            height, width = sample.size_hw
            self.seen.append((height, width))
            rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
            cells = np.zeros((8, 8))
            white = sample.image[..., 0] / 127.5 - 1
            np.add.at(cells, (rows[:, None], columns[None]), white)
            cells /= np.bincount(rows)[:, None] * np.bincount(columns)[None]
            one = cells[rows][:, columns].astype(np.float32)
            answers.append(np.repeat(one[None], len(found), axis=0))
        return answers


def scene(*boxes: tuple[int, int, int, int], size: int = 64) -> tuple[AVSample, Proposals, NDArray[np.bool_]]:
    mask = np.zeros((size, size), np.bool_)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = True
    image = np.repeat((mask * 255).astype(np.uint8)[..., None], 3, axis=2)
    count = len(boxes)
    found = Proposals(np.array(boxes, np.float32).reshape(-1, 4), np.ones(count), np.zeros(count, np.int64))
    return AVSample(image, SOUND), found, mask


def test_a_small_thing_is_segmented_better() -> None:
    sample, found, mask = scene((21, 33, 27, 39))
    far = Coarse().segment([sample], [found])[0][0] > 0
    close = CloserLook(Coarse()).segment([sample], [found])[0][0] > 0
    assert jaccard(close, mask) > jaccard(far, mask) + 0.2
    assert jaccard(close, mask) > 0.6


def test_it_is_the_mean_within_the_crop_and_the_whole_images_logits_beyond() -> None:
    sample, found, _ = scene((16, 24, 32, 40))
    far = Coarse().segment([sample], [found])[0][0]
    logits = CloserLook(Coarse(), margin=0.25).segment([sample], [found])[0][0]
    part = slice(20, 44), slice(12, 36)  # 16 pixels and a quarter of them on each side
    crop = AVSample(sample.image[part], SOUND)
    near = Coarse().segment([crop], [found])[0][0]
    outside = np.ones(far.shape, np.bool_)
    outside[part] = False
    assert (logits[outside] == far[outside]).all()
    assert logits[part] == pytest.approx((far[part] + near) / 2, abs=1e-3)


def test_crops_of_several_margins_count_alike() -> None:
    sample, found, _ = scene((16, 24, 32, 40))
    wide, narrow = slice(20, 44), slice(22, 42)
    far = Coarse().segment([sample], [found])[0][0]
    total, counts = far.copy(), np.ones(far.shape)
    for rows, columns in ((wide, slice(12, 36)), (narrow, slice(14, 34))):
        total[rows, columns] += Coarse().segment([AVSample(sample.image[rows, columns], SOUND)], [found])[0][0]
        counts[rows, columns] += 1
    logits = CloserLook(Coarse(), margin=(0.25, 0.125)).segment([sample], [found])[0][0]
    assert logits == pytest.approx(total / counts, abs=1e-3)
    assert counts.max() == 3


@pytest.mark.parametrize("box", [(0, 0, 3, 60), (60, 60, 64, 64), (0, 0, 64, 64), (-5, -5, 70, 8)])
def test_boxes_at_the_border_and_of_any_shape_have_a_crop(box: tuple[int, int, int, int]) -> None:
    sample, found, _ = scene((10, 10, 20, 20))
    found = Proposals(np.array([box], np.float32), found.scores, found.sources)
    (logits,) = CloserLook(ToySegmenter()).segment([sample], [found])
    assert logits.shape == (1, 64, 64)
    assert np.isfinite(logits).all()


def test_a_region_is_segmented_once_whatever_strategies_ask() -> None:
    coarse = Coarse()
    sample, found, _ = scene((5, 5, 10, 10), (30, 30, 40, 40))
    first = CloserLook(coarse).segment([sample], [found.rows([0, 0, 1])])[0]
    second = CloserLook(coarse).segment([sample], [found.rows([1])])[0]
    assert len(coarse.seen) == 2 + 1 + 1  # two surroundings, and the image for each
    assert (second[0] == first[2]).all()
    assert (first[0] == first[1]).all()


def test_only_what_is_selected_is_segmented_in_a_crop() -> None:
    coarse = Coarse()
    sample, found, _ = scene((21, 33, 27, 39), (5, 5, 10, 10))
    chosen = replace(found, selected=np.array([True, False]))
    (logits,) = CloserLook(coarse).segment([sample], [chosen])
    assert coarse.seen == [(64, 64), (10, 10)], "the image, and the surroundings of the first"
    (far,) = Coarse().segment([sample], [found])
    assert (logits[1] == far[1].astype(np.float16)).all()
    (both,) = CloserLook(coarse).segment([sample], [found])
    assert (both[0] == logits[0]).all()
    assert (both[1] != logits[1]).any(), "selected by the next strategy, it is looked at again"


class Lopsided:
    """Takes the left half of every box for the thing."""

    def segment(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
        answers = []
        for sample, found in zip(samples, proposals, strict=True):
            logits = np.full((len(found), *sample.size_hw), -1, np.float32)
            for one, (x0, y0, x1, y1) in zip(logits, found.boxes_xyxy.astype(int), strict=True):
                one[y0:y1, x0 : (x0 + x1) // 2] = 1
            answers.append(logits)
        return answers


def test_lopsided_errors_cancel_in_a_mirrored_crop() -> None:
    sample, found, _ = scene((16, 20, 32, 40))
    logits = CloserLook(Lopsided(), mirrored=True).segment([sample], [found])[0][0]
    wanted = np.full((64, 64), -1, np.float32)
    wanted[20:40, 16:24] = 0.5  # the image says 1, its surroundings 1 and -1
    wanted[20:40, 24:32] = -0.5
    assert logits == pytest.approx(wanted)
    plain = CloserLook(Lopsided()).segment([sample], [found])[0][0]
    assert (plain[20:40, 16:24] == 1).all()


@pytest.mark.parametrize("box", [(16, 24, 32, 40), (0, 0, 16, 16), (40, 3, 64, 27)])
def test_a_symmetric_segmenter_gives_the_same_in_a_mirrored_crop(box: tuple[int, int, int, int]) -> None:
    sample, found, _ = scene(box)
    (plain,) = CloserLook(Coarse(), margin=0).segment([sample], [found])
    (both,) = CloserLook(Coarse(), margin=0, mirrored=True).segment([sample], [found])
    assert both == pytest.approx(plain, abs=1e-3)


@pytest.mark.parametrize("margin", [0.3, (0.1, 0.2, 0.3)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_segmenters_memo_of_a_batch_outlives_the_crops(mirrored: bool, margin: float | tuple[float, ...]) -> None:
    looked: list[int] = []

    class Remembering(Coarse):
        def __init__(self) -> None:
            super().__init__()
            self.features: Memo[None] = Memo(max_items=16)  # as SAM 2

        def segment(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
            self.features(
                [sample.image for sample in samples], lambda new: looked.append(len(new)) or [None] * len(new)
            )
            return super().segment(samples, proposals)

    scenes = [scene((5, 5, 15, 15), (30, 30, 40, 40)) for _ in range(8)]
    samples = [sample for sample, _, _ in scenes]
    segmenter = Remembering()
    CloserLook(segmenter, margin=margin, mirrored=mirrored).segment(samples, [found for _, found, _ in scenes])
    looked.clear()
    segmenter.segment(samples, [found for _, found, _ in scenes])
    assert looked == [], "the next strategy's regions find the features of their images"


def test_no_region_no_crop() -> None:
    sample, found, _ = scene()
    (logits,) = CloserLook(ToySegmenter()).segment([sample], [found])
    assert logits.shape == (0, 64, 64)


def test_it_keeps_the_contract_and_is_found_by_name() -> None:
    check_segmenter(CloserLook(ToySegmenter()))
    pipe = zsavs.build_pipeline("audio_to_text", preset="toy", segmenter="closer")
    assert isinstance(pipe.segmenter, CloserLook)
    assert isinstance(pipe.segmenter.segmenter, ToySegmenter)


def test_what_it_cannot_go_around_is_refused() -> None:
    with pytest.raises(ContractError, match="needs segment"):
        CloserLook(ToySegmenter)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="margin"):
        CloserLook(ToySegmenter(), margin=-0.1)
    for margin in ((), (0.1, float("nan")), "wide", None):
        with pytest.raises(InputError, match="margin"):
            CloserLook(ToySegmenter(), margin=margin)  # type: ignore[arg-type]


@pytest.mark.parametrize("mirrored", [False, True])
def test_points_go_with_their_region_into_its_crops(mirrored: bool) -> None:
    """A segmenter that shows where its points are: in every crop they are on the same pixel of the image."""

    class Showing:
        def segment(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
            answers = []
            for sample, found in zip(samples, proposals, strict=True):
                logits = np.full((len(found), *sample.size_hw), -1, np.float32)
                assert found.points_xy is not None
                for row, points in enumerate(found.points_xy):
                    for x, y in points[np.isfinite(points[:, 0])]:
                        logits[row, int(y), int(x)] = 1
                answers.append(logits)
            return answers

    sample, found, _ = scene((16, 24, 32, 40), (2, 2, 12, 12))
    points = np.full((2, 2, 2), np.nan, np.float32)
    points[0] = [[20.5, 30.5], [28.5, 25.5]]
    points[1, 0] = [5.5, 6.5]
    looks = CloserLook(Showing(), margin=(0.1, 0.4), mirrored=mirrored)
    logits = looks.segment([sample], [replace(found, points_xy=points)])[0]
    assert sorted(map(tuple, np.argwhere(logits[0] > 0))) == [(25, 28), (30, 20)]
    assert sorted(map(tuple, np.argwhere(logits[1] > 0))) == [(6, 5)]
    moved = looks.segment([sample], [replace(found, points_xy=points + 1)])[0]
    assert np.abs(moved - logits).max() > 0, "another point is another question"
