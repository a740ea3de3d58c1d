"""Contours, identities and on/off times, against cases that are computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from zsavs.errors import InputError
from zsavs.metrics.functional import jaccard
from zsavs.metrics.tracking import OnOff, boundary_f, boundary_fs, identity_switches, j_and_f, match_objects


def square(left: int, top: int = 5, side: int = 10, size_hw: tuple[int, int] = (40, 60)) -> np.ndarray:
    mask = np.zeros(size_hw, np.bool_)
    mask[top : top + side, left : left + side] = True
    return mask


# ---------------------------------------------------------------------------------- masks
def test_within_the_tolerance_contours_are_the_same() -> None:
    """40 x 60 pixels have a diagonal of 72.1, 0.8 % of which is 0.6: one whole pixel."""
    assert boundary_f(square(20), square(21)) == 1
    assert boundary_f(square(20), square(23)) < 1
    assert boundary_f(square(20), square(23), tolerance=0.04) == 1  # 2.9, three pixels


def test_the_contour_measure_of_squares_by_hand() -> None:
    """The contour of columns 20 to 29 and rows 5 to 14 is the ring of columns 19 to 29 and rows 4 to 14: 40 pixels.

    That of the moved one has columns 22 to 32 and the same rows. More than one pixel away from it are, of the first,
    the two columns 19 and 20 of the top and of the bottom row, and of the rows 5 to 13 the whole column 19 and what of
    column 29 is not next to the top or bottom row, 7. The other way round it is the same.
    """
    moved, still = square(23), square(20)
    lost = 2 + 2 + 9 + 7
    assert boundary_fs(moved[None], still[None])[0] == pytest.approx((40 - lost) / 40)


def test_empty_masks_and_full_ones_as_in_davis() -> None:
    nothing, everything = np.zeros((40, 60), np.bool_), np.ones((40, 60), np.bool_)
    assert boundary_f(nothing, nothing) == 1
    assert boundary_f(nothing, square(5)) == boundary_f(square(5), nothing) == 0
    assert boundary_f(everything, everything) == 1
    assert boundary_f(square(20), square(40)) == 0


def test_precision_and_recall_are_both_in_it() -> None:
    """All of the target's contour is found, and as much again that is not there: precision 1/2, recall 1."""
    both = square(5) | square(30)
    assert boundary_f(both, square(5)) == pytest.approx(2 * 0.5 / 1.5)
    assert boundary_f(square(5), both) == pytest.approx(2 * 0.5 / 1.5)


def test_a_contour_is_widened_by_a_disc() -> None:
    rng = np.random.default_rng(0)
    masks, targets = rng.random((2, 3, 24, 30)) > 0.8
    down, right = np.mgrid[:24, :30]
    radius = math.ceil(0.05 * math.hypot(24, 30))
    for mask, target in zip(masks, targets, strict=True):

        def contour(one: np.ndarray) -> np.ndarray:
            edges = np.zeros_like(one)
            edges[:-1] |= one[:-1] != one[1:]
            edges[:, :-1] |= one[:, :-1] != one[:, 1:]
            edges[:-1, :-1] |= one[:-1, :-1] != one[1:, 1:]
            return edges

        def near(one: np.ndarray) -> np.ndarray:
            points = np.argwhere(one)
            apart = (down[..., None] - points[:, 0]) ** 2 + (right[..., None] - points[:, 1]) ** 2
            return np.asarray((apart <= radius**2).any(axis=-1))

        found, wanted = contour(mask), contour(target)
        precision, recall = (found & near(wanted)).sum() / found.sum(), (wanted & near(found)).sum() / wanted.sum()
        expected = 2 * precision * recall / (precision + recall)
        assert boundary_f(mask, target, 0.05) == pytest.approx(expected)


def test_j_and_f_is_their_mean_over_frames() -> None:
    masks, targets = np.stack([square(20), square(24)]), np.stack([square(20), square(20)])
    assert j_and_f(masks, targets) == pytest.approx((jaccard(masks, targets) + boundary_f(masks, targets)) / 2)
    assert j_and_f(masks[0], targets[0]) == 1


@pytest.mark.parametrize("tolerance", [0, 1, -0.1, math.nan])
def test_a_tolerance_is_a_share(tolerance: float) -> None:
    with pytest.raises(InputError, match="share of the diagonal"):
        boundary_f(square(5), square(5), tolerance)


def test_masks_are_bool_and_of_one_shape() -> None:
    with pytest.raises(InputError, match="must be a bool array"):
        boundary_f(square(5).astype(np.uint8), square(5))
    with pytest.raises(InputError, match="same shape"):
        j_and_f(square(5), square(5)[:20])


# ----------------------------------------------------------------------------- identities
def test_two_that_cross_and_exchange_their_tracks_are_two_switches() -> None:
    left, right = square(5), square(40)
    truth = [{1: left, 2: right}] * 4
    found = [{10: left, 20: right}] * 2 + [{20: left, 10: right}] * 2
    matches = match_objects(truth, found)
    assert matches == [{1: 10, 2: 20}] * 2 + [{1: 20, 2: 10}] * 2
    assert identity_switches(matches) == (2, 2, 8)


def test_who_comes_back_must_be_known_again() -> None:
    truth = [{1: square(5)}, {1: square(5)}, {}, {1: square(40)}]
    assert identity_switches(match_objects(truth, [{3: square(5)}, {}, {}, {3: square(40)}])) == (0, 1, 2)
    assert identity_switches(match_objects(truth, [{3: square(5)}, {}, {}, {4: square(40)}])) == (1, 1, 2)
    assert identity_switches(match_objects(truth, [{}, {}, {}, {4: square(40)}])) == (0, 1, 1)
    assert identity_switches(match_objects(truth, [{}] * 4)) == (0, 0, 0)


def test_a_track_that_still_overlaps_is_kept() -> None:
    """The other one overlaps more now, and is another object's in no frame: that is no switch, as in CLEAR MOT."""
    truth = [{1: square(5)}] * 2
    found = [{7: square(5)}, {7: square(7), 8: square(5)}]
    assert match_objects(truth, found) == [{1: 7}, {1: 7}]
    far = [{7: square(5)}, {7: square(12), 8: square(5)}]
    assert match_objects(truth, far) == [{1: 7}, {1: 8}]


def test_a_track_covers_one_object_and_half_is_enough() -> None:
    whole = square(10)
    upper, lower = whole.copy(), whole.copy()
    upper[10:], lower[:10] = False, False
    (match,) = match_objects([{1: upper, 2: lower}], [{5: whole}])
    assert list(match.values()) == [5]
    assert match_objects([{1: upper}], [{5: whole}], min_iou=0.51) == [{}]


def test_frames_and_shapes_must_agree() -> None:
    with pytest.raises(InputError, match="1 frames of objects and 2 of tracks"):
        match_objects([{}], [{}, {}])
    with pytest.raises(InputError, match="same shape"):
        match_objects([{1: square(5)}], [{1: square(5)[:20]}])


# -------------------------------------------------------------------------------- on, off
def counted(true: object, said: object, duration_s: float = 8.0) -> OnOff:
    counts = OnOff()
    counts.add(true, said, duration_s)  # type: ignore[arg-type]
    return counts


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ([(1.0, 3.0)], 1),
        ([(1.25, 2.75)], 1),  # the collar is within
        ([(1.26, 3.0)], 0),
        ([(1.0, 3.26)], 0),
        ([(1.0, 1.9), (2.0, 3.0)], 0),  # in two pieces, none of which is it
        ([(0.9, 3.1), (1.1, 2.9)], 1),  # twice, of which one is too many
        ([], 0),
    ],
)
def test_an_event_is_found_within_the_collar(said: list[tuple[float, float]], found: int) -> None:
    counts = counted({"dog": [(1.0, 3.0)]}, {"dog": said})
    assert (counts.events, counts.predicted, counts.found) == (1, len(said), found)
    assert counts.events_f1 == pytest.approx(2 * found / (1 + len(said)))


def test_as_many_events_are_found_as_can_be() -> None:
    """The first that fits the first event is the only one that fits the second."""
    true = {"dog": [(1.0, 2.0), (1.2, 2.2)]}
    assert counted(true, {"dog": [(1.2, 2.2), (0.8, 1.8)]}).found == 2


def test_segments_are_counted_by_hand() -> None:
    """Of 1.0 to 2.0 s the four segments 4 to 7, of 1.3 to 2.1 s 5 to 8: three in common."""
    counts = counted({"dog": [(1.0, 2.0)]}, {"dog": [(1.3, 2.1)]}, 2.2)
    assert (counts.active, counts.predicted_active, counts.both) == (4, 4, 3)
    assert counts.segments_f1 == pytest.approx(0.75)


def test_every_source_counts_for_itself() -> None:
    counts = counted({"dog": [(0.0, 1.0)], 2: [(1.0, 2.0)]}, {"dog": [(0.0, 1.0)], "cat": [(1.0, 2.0)]}, 4.0)
    assert counts.events_f1 == counts.segments_f1 == pytest.approx(0.5)
    counts.add({2: [(1.0, 2.0)]}, {2: [(1.0, 2.0)]}, 4.0)
    assert counts.events_f1 == pytest.approx(2 * 2 / (3 + 3))


def test_what_passes_the_end_is_cut() -> None:
    counts = counted({"dog": [(3.0, 4.0)]}, {"dog": [(3.0, 9.0), (5.0, 6.0)]}, 4.0)
    assert (counts.predicted, counts.found, counts.both) == (1, 1, 4)


def test_nothing_is_undefined_and_not_perfect() -> None:
    counts = counted({}, {})
    assert math.isnan(counts.events_f1)
    assert math.isnan(counts.segments_f1)
    counts.add({}, {"dog": [(0.0, 1.0)]}, 4.0)
    assert counts.events_f1 == counts.segments_f1 == 0


def test_spans_have_a_length() -> None:
    with pytest.raises(InputError, match="begins before it ends"):
        counted({"dog": [(2.0, 2.0)]}, {})
    with pytest.raises(InputError, match="above 0 seconds"):
        counted({}, {}, 0.0)
