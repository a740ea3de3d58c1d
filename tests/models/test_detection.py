"""From raw boxes to proposals: clipping, degenerate boxes, suppression within a phrase, order and limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from adapter_helpers import imported_by
from torchvision.ops import batched_nms, box_convert

from zsavs.models.detection import Found, as_proposals, clip, distinct_masks, from_centres, keep_best

SIZE = (60, 80)


def random_boxes(rng: np.random.Generator, count: int, size_hw: tuple[int, int] = SIZE) -> np.ndarray:
    """Boxes of which some reach beyond the image and some lie outside of it."""
    height, width = size_hw
    centres = rng.uniform(-0.1, 1.1, (count, 2)) * (width, height)
    halves = rng.uniform(0.02, 0.3, (count, 2)) * (width, height)
    return np.concatenate([centres - halves, centres + halves], axis=1).astype(np.float32)


def test_centre_boxes_become_corner_boxes_as_in_torchvision(rng: np.random.Generator) -> None:
    shares = rng.uniform(0, 1, (50, 4)).astype(np.float32)
    expected = box_convert(torch.from_numpy(shares), "cxcywh", "xyxy").numpy() * [80, 60, 80, 60]
    np.testing.assert_allclose(from_centres(shares, SIZE), expected, atol=1e-5)
    assert from_centres(shares[:0], SIZE).shape == (0, 4)


def test_clipping_cuts_at_the_borders_and_leaves_the_callers_array_alone() -> None:
    boxes = np.array([[-5, -6, 200, 300], [1, 2, 3, 4], [90, 10, 95, 20]], np.float32)
    before = boxes.copy()
    np.testing.assert_array_equal(clip(boxes, SIZE), [[0, 0, 80, 60], [1, 2, 3, 4], [80, 10, 80, 20]])
    np.testing.assert_array_equal(boxes, before)


def test_degenerate_boxes_are_dropped() -> None:
    boxes = np.array([[90, 10, 95, 20], [5, 5, 5, 9], [9, 5, 4, 9], [5, -9, 9, -1], [1, 2, 3, 4]], np.float32)
    found = keep_best(boxes, np.linspace(0.9, 0.5, 5, dtype=np.float32), SIZE, nms_iou=1.0, max_boxes=9)
    np.testing.assert_array_equal(found.boxes_xyxy, [[1, 2, 3, 4]])


def test_of_overlapping_boxes_the_best_stays() -> None:
    # The second overlaps the first by exactly one half, the third lies apart.
    boxes = np.array([[0, 0, 20, 10], [0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
    scores = np.array([0.4, 0.9, 0.6], np.float32)
    np.testing.assert_allclose(keep_best(boxes, scores, SIZE, nms_iou=0.49, max_boxes=9).scores, [0.9, 0.6])
    np.testing.assert_allclose(keep_best(boxes, scores, SIZE, nms_iou=0.5, max_boxes=9).scores, [0.9, 0.6, 0.4])


def test_boxes_that_go_have_a_say_in_where_the_best_lies() -> None:
    # The second overlaps the first by 0.8 and has a third of its score, the third by 0.5; the last lies apart.
    boxes = np.array([[0, 0, 20, 20], [0, 0, 16, 20], [0, 0, 20, 10], [50, 40, 60, 50]], np.float32)
    scores = np.array([0.9, 0.3, 0.6, 0.4], np.float32)
    voted = keep_best(boxes, scores, SIZE, nms_iou=0.3, max_boxes=9, vote_iou=0.7)
    np.testing.assert_allclose(voted.boxes_xyxy, [[0, 0, 19, 20], [50, 40, 60, 50]], rtol=1e-6)
    np.testing.assert_allclose(voted.scores, [0.9, 0.4])
    assert voted.boxes_xyxy.dtype == np.float32
    alone = keep_best(boxes, scores, SIZE, nms_iou=0.3, max_boxes=9)
    np.testing.assert_array_equal(alone.boxes_xyxy, boxes[[0, 3]])
    with_all = keep_best(boxes, scores, SIZE, nms_iou=0.3, max_boxes=9, vote_iou=0.4)
    np.testing.assert_allclose(with_all.boxes_xyxy[0], [0, 0, 58 / 3, 50 / 3], rtol=1e-6)


def test_boxes_that_all_score_nothing_vote_alike() -> None:
    boxes = np.array([[0, 0, 20, 20], [0, 0, 16, 20]], np.float32)
    found = keep_best(boxes, np.zeros(2, np.float32), SIZE, nms_iou=0.3, max_boxes=9, vote_iou=0.7)
    np.testing.assert_allclose(found.boxes_xyxy, [[0, 0, 18, 20]])


def test_suppression_sees_the_clipped_boxes() -> None:
    boxes = np.array([[40, 0, 80, 60], [40, 0, 900, 60]], np.float32)  # one and the same, within the image
    found = keep_best(boxes, np.array([0.5, 0.6], np.float32), SIZE, nms_iou=0.9, max_boxes=9)
    np.testing.assert_allclose(found.scores, [0.6])


def test_the_best_boxes_come_first_and_equal_scores_keep_their_order(rng: np.random.Generator) -> None:
    boxes = np.array([[10 * i, 0, 10 * i + 5, 5] for i in range(8)], np.float32)
    scores = np.array([0.3, 0.7, 0.3, 0.7, 0.9, 0.3, 0.7, 0.1], np.float32)
    found = keep_best(boxes, scores, SIZE, nms_iou=0.5, max_boxes=6)
    np.testing.assert_array_equal(found.boxes_xyxy[:, 0], [40, 10, 30, 60, 0, 20])
    assert len(keep_best(boxes, scores, SIZE, nms_iou=0.5, max_boxes=1).scores) == 1


@pytest.mark.parametrize("iou", [0.3, 0.7])
def test_phrase_by_phrase_agrees_with_torchvisions_batched_suppression(rng: np.random.Generator, iou: float) -> None:
    """In float64, where torchvision has digits to spare for its shifted classes."""
    phrases = 300
    boxes, labels = random_boxes(rng, 6 * phrases), np.repeat(np.arange(phrases), 6)
    scores = rng.permutation(np.linspace(0.1, 0.9, len(boxes))).astype(np.float32)
    inside = clip(boxes, SIZE)
    solid = (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1])
    inside, labels, scores = inside[solid], labels[solid], scores[solid]
    kept = batched_nms(
        torch.from_numpy(inside.astype(np.float64)),
        torch.from_numpy(scores.astype(np.float64)),
        torch.from_numpy(labels),
        iou,
    ).numpy()
    ours = as_proposals(
        [keep_best(inside[labels == k], scores[labels == k], SIZE, nms_iou=iou, max_boxes=99) for k in range(phrases)]
    )
    np.testing.assert_array_equal(ours.boxes_xyxy, inside[kept])
    np.testing.assert_array_equal(ours.scores, scores[kept])
    np.testing.assert_array_equal(ours.sources, labels[kept])


def test_suppression_of_a_phrase_does_not_depend_on_how_many_there_are() -> None:
    """What torchvision's shifted classes cannot promise: an overlap just below the threshold, as the 900th phrase."""
    boxes = np.array([[0, 0, 1000.25, 7], [0, 0, 700.1, 7]], np.float32)  # overlap 0.69993
    scores = np.array([0.9, 0.8], np.float32)
    size, label = (600, 1333), 900
    assert len(keep_best(boxes, scores, size, nms_iou=0.69995, max_boxes=9).scores) == 2
    shifted = torch.from_numpy(boxes + np.float32(label * 1334))
    kept = torch.ops.torchvision.nms(shifted, torch.from_numpy(scores), 0.69995)
    assert len(kept) == 1, "float32 has enough digits here after all: the case proves nothing"


def test_no_boxes_are_no_boxes() -> None:
    none = keep_best(
        np.zeros((0, 4), np.float32), np.zeros(0, np.float32), SIZE, nms_iou=0.5, max_boxes=3, vote_iou=0.5
    )
    assert none.boxes_xyxy.shape == (0, 4)
    assert none.boxes_xyxy.dtype == none.scores.dtype == np.float32
    assert len(as_proposals([])) == len(as_proposals([Found.nothing(), none])) == 0


def test_proposals_join_the_rows_best_first() -> None:
    box = np.array([[0, 0, 1, 1], [0, 0, 2, 2]], np.float32)
    rows = [
        Found(box, np.array([0.8, 0.2], np.float32)),
        Found.nothing(),
        Found(2 * box, np.array([0.9, 0.2], np.float32)),
    ]
    joined = as_proposals(rows)
    np.testing.assert_array_equal(joined.sources, [2, 0, 0, 2])
    np.testing.assert_allclose(joined.scores, [0.9, 0.8, 0.2, 0.2])
    np.testing.assert_array_equal(joined.boxes_xyxy[:, 2], [2, 1, 2, 4])


def test_importing_is_light() -> None:
    assert not {"torch", "torchvision"} & imported_by("zsavs.models.detection")


@pytest.mark.parametrize("nms_iou", [0.0, 0.3, 0.7])
def test_suppression_by_masks_is_that_of_every_pair(nms_iou: float, rng: np.random.Generator) -> None:
    masks = np.zeros((60, 20, 30), np.bool_)
    for mask in masks:
        (y0, x0), (h, w) = rng.integers(0, (15, 25)), rng.integers(1, 12, 2)
        mask[y0 : y0 + h, x0 : x0 + w] = True
    scores = rng.choice([0.5, 0.7, 0.9], len(masks)).astype(np.float32)
    flat = masks.reshape(len(masks), -1).astype(float)
    shared = flat @ flat.T
    overlap = shared / (flat.sum(1)[:, None] + flat.sum(1) - shared)
    wanted: list[int] = []
    for row in np.argsort(-scores, kind="stable"):
        if not (overlap[row, wanted] > nms_iou).any():
            wanted.append(int(row))
    assert 1 < len(wanted) < len(masks)
    assert distinct_masks(masks, scores, nms_iou) == wanted
