"""Metrics of videos: contours, identities of objects from frame to frame, and when sources sound.

:func:`boundary_f` and :func:`j_and_f` compare masks as the DAVIS benchmark does; :func:`match_objects` and
:func:`identity_switches` say whether an object keeps its identity, as CLEAR MOT does; :class:`OnOff` compares when
sources are said to sound with when they do, as in sound event detection.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsavs.errors import InputError
from zsavs.metrics import exact_sums
from zsavs.metrics.functional import jaccards
from zsavs.metrics.input_checks import Mask, check_masks, check_same_shape

__all__ = [
    "COLLAR_S",
    "SEGMENT_S",
    "IdentitySwitches",
    "OnOff",
    "boundary_f",
    "boundary_fs",
    "identity_switches",
    "j_and_f",
    "match_objects",
]

#: How far a begin or an end may be off, and the length of the segments that time is cut into, in seconds.
COLLAR_S, SEGMENT_S = 0.25, 0.25
#: Seconds that rounding may add.
_ROUNDING_S = 1e-6

Spans = Sequence[tuple[float, float]]


# ---------------------------------------------------------------------------------- masks
def boundary_f(mask: ArrayLike, target: ArrayLike, tolerance: float = 0.008) -> float:
    """F of the contours of two masks, mean over frames (the "F" of DAVIS).

    Precision is the share of the prediction's boundary pixels that lie within a tolerance of the target's, recall the
    share of the target's within the same tolerance of the prediction's; F is their harmonic mean. Two empty masks score
    1, one empty mask 0.

    Args:
        mask: prediction, (H, W) or (N, H, W) bool.
        target: reference, same shape, bool.
        tolerance: share of the image's diagonal, in (0, 1), rounded up to whole pixels.

    Returns:
        A number in [0, 1].

    Raises:
        InputError: not bool, shapes differ, or the tolerance is out of range.

    Definition: Perazzi et al., "A benchmark dataset and evaluation methodology for video object segmentation", CVPR
    2016; ``f_measure`` and ``_seg2bmap`` in davisvideochallenge/davis2017-evaluation, davis2017/metrics.py.

    >>> square = np.zeros((20, 20), bool)
    >>> square[5:15, 5:15] = True
    >>> boundary_f(square, square), boundary_f(np.zeros_like(square), square)
    (1.0, 0.0)
    """
    return exact_sums.mean(boundary_fs(*_pair(mask, target, "boundary_f"), tolerance))


def boundary_fs(masks: Mask, targets: Mask, tolerance: float = 0.008) -> NDArray[np.float64]:
    """(N,) contour F of (N, H, W) masks; see :func:`boundary_f`."""
    if not 0 < tolerance < 1:
        raise InputError(f"the tolerance is a share of the diagonal between 0 and 1, got {tolerance!r}.")
    radius = math.ceil(tolerance * math.hypot(*masks.shape[1:]))
    return np.array([_contour_f(mask, target, radius) for mask, target in zip(masks, targets, strict=True)])


def j_and_f(mask: ArrayLike, target: ArrayLike) -> float:
    """The mean of intersection over union and contour F, over frames ("J&F" of DAVIS).

    Where the target is empty J is :func:`zsavs.metrics.functional.jaccard`'s, the share of pixels rightly left empty;
    DAVIS has no such frames.

    Args:
        mask: prediction, (H, W) or (N, H, W) bool.
        target: reference, same shape, bool.

    Returns:
        A number in [0, 1].

    Raises:
        InputError: not bool, or shapes differ.
    """
    masks, targets = _pair(mask, target, "j_and_f")
    return exact_sums.mean((jaccards(masks, targets) + boundary_fs(masks, targets)) / 2)


def _pair(mask: ArrayLike, target: ArrayLike, what: str) -> tuple[Mask, Mask]:
    masks, targets = check_masks(mask, f"{what}: mask"), check_masks(target, f"{what}: target")
    check_same_shape(masks, targets, what)
    return masks, targets


def _contour_f(mask: Mask, target: Mask, radius: int) -> float:
    found, wanted = _contour(mask), _contour(target)
    if not found.any() or not wanted.any():
        return float(found.any() == wanted.any())
    precision = np.count_nonzero(found & _widened(wanted, radius)) / np.count_nonzero(found)
    recall = np.count_nonzero(wanted & _widened(found, radius)) / np.count_nonzero(wanted)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _contour(mask: Mask) -> Mask:
    """Pixels that differ from the next one to the right, below, or both; beyond the frame nothing differs."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    return np.asarray((mask ^ padded[:-1, 1:]) | (mask ^ padded[1:, :-1]) | (mask ^ padded[1:, 1:]))


def _widened(mask: Mask, radius: int) -> Mask:
    """Pixels within ``radius`` of one of a mask (H, W): its dilation with a disc."""
    height, width = mask.shape
    counts = np.pad(mask.cumsum(axis=1, dtype=np.int32), ((0, 0), (1, 0)))
    columns, wide = np.arange(width), np.zeros((height + 2 * radius, width), np.bool_)
    for down in range(-radius, radius + 1):
        half = math.isqrt(radius**2 - down**2)
        right, left = np.minimum(columns + half + 1, width), np.maximum(columns - half, 0)
        wide[radius + down : radius + down + height] |= counts[:, right] > counts[:, left]
    return wide[radius : radius + height]


# ----------------------------------------------------------------------------- identities
def match_objects(
    truth: Sequence[Mapping[int, Mask]], found: Sequence[Mapping[int, Mask]], min_iou: float = 0.5
) -> list[dict[int, int]]:
    """Which track covers each object in each frame.

    An object that was covered by a track before keeps it as long as both overlap by ``min_iou``, even if another one
    overlaps more; the others take the track that overlaps most. A track covers one object at most.

    Args:
        truth: for each frame, the masks (H, W) of its objects by their ids; an object that is not seen is left out.
        found: for each frame, the masks of its tracks by their ids.
        min_iou: the least intersection over union, in (0, 1].

    Returns:
        For each frame, object id to track id.

    Raises:
        InputError: another number of frames, or masks of different shapes.

    Definition: Bernardin and Stiefelhagen, "Evaluating multiple object tracking performance: the CLEAR MOT metrics",
    2008, section 2.1.2. Of objects and tracks that do not overlap their own kind, no two pairs of one of them can reach
    an IoU above 0.5, so that taking the largest first is the best assignment.
    """
    if len(truth) != len(found):
        raise InputError(f"match_objects: {len(truth)} frames of objects and {len(found)} of tracks.")
    last: dict[int, int] = {}
    matches: list[dict[int, int]] = []
    for objects, tracks in zip(truth, found, strict=True):
        pairs = []
        for thing, mask in objects.items():
            for track, other in tracks.items():
                check_same_shape(np.asarray(mask), np.asarray(other), "match_objects")
                iou = _iou(mask, other)
                if iou >= min_iou:
                    pairs.append((last.get(thing) != track, -iou, thing, track))
        match: dict[int, int] = {}
        for _, _, thing, track in sorted(pairs):
            if thing not in match and track not in match.values():
                match[thing] = track
        last |= match
        matches.append(match)
    return matches


def _iou(mask: Mask, other: Mask) -> float:
    union = np.count_nonzero(mask | other)
    return np.count_nonzero(mask & other) / union if union else 0.0


class IdentitySwitches(NamedTuple):
    """How often objects change their identity.

    Args:
        switches: how often an object is covered by another track than the one that covered it last.
        objects: that are covered by a track in any frame.
        covered: frames of objects in which one covers them.
    """

    switches: int
    objects: int
    covered: int


def identity_switches(matches: Iterable[Mapping[int, int]]) -> IdentitySwitches:
    """Count the switches of identity in what :func:`match_objects` returns for one video.

    A gap in which no track covers an object makes no switch, but another track after the gap does: who comes back must
    be known again.

    >>> identity_switches([{1: 7}, {1: 7}, {}, {1: 8}])
    IdentitySwitches(switches=1, objects=1, covered=3)
    """
    last: dict[int, int] = {}
    switches = covered = 0
    for match in matches:
        switches += sum(last.get(thing, track) != track for thing, track in match.items())
        covered += len(match)
        last |= match
    return IdentitySwitches(switches, len(last), covered)


# -------------------------------------------------------------------------------- on, off
@dataclass
class OnOff:
    """How well it is known when sources sound, counted over many recordings.

    An event is one span of one source: it is found if a predicted span of the source begins and ends within
    :data:`COLLAR_S` of it, each predicted span finding one event at most, and as many as possible. A segment is
    :data:`SEGMENT_S` of a recording: a source is active in it if it sounds in any part of it.

    Args:
        events, predicted, found: spans that there are, spans that are predicted, and the former that are found.
        active, predicted_active, both: segments in which a source is, is said to be, and rightly is said to be active.

    Definition: Mesaros, Heittola and Virtanen, "Metrics for polyphonic sound event detection", Applied Sciences 2016;
    the collar of the end does not grow with the event.

    >>> counts = OnOff()
    >>> counts.add({"dog": [(1.0, 2.0)]}, {"dog": [(1.2, 2.1)]}, duration_s=4.0)
    >>> counts.events_f1, round(counts.segments_f1, 3)
    (1.0, 0.889)
    """

    events: int = 0
    predicted: int = 0
    found: int = 0
    active: int = 0
    predicted_active: int = 0
    both: int = 0

    def add(self, true: Mapping[Hashable, Spans], said: Mapping[Hashable, Spans], duration_s: float) -> None:
        """Count a recording.

        Args:
            true: when each source sounds, on and off in seconds, by a label or by an object's id.
            said: when it is said to, by the same keys.
            duration_s: length of the recording; spans are cut there.

        Raises:
            InputError: no length, or a span without one.
        """
        if not 0 < duration_s < math.inf:
            raise InputError(f"OnOff: the length of a recording is above 0 seconds, got {duration_s!r}.")
        for source in dict.fromkeys((*true, *said)):
            wanted, given = (_cut(spans.get(source, ()), duration_s) for spans in (true, said))
            self.events, self.predicted = self.events + len(wanted), self.predicted + len(given)
            self.found += _found(wanted, given)
            here, there = (_segments(spans, duration_s) for spans in (wanted, given))
            self.active, self.predicted_active = self.active + int(here.sum()), self.predicted_active + int(there.sum())
            self.both += int((here & there).sum())

    @property
    def events_f1(self) -> float:
        """F1 of events in [0, 1]; NaN if there is none and none is predicted."""
        return _f1(self.found, self.events, self.predicted)

    @property
    def segments_f1(self) -> float:
        """F1 of segments in [0, 1]; NaN if none is active and none is said to be."""
        return _f1(self.both, self.active, self.predicted_active)


def _f1(both: int, true: int, said: int) -> float:
    return 2 * both / (true + said) if true + said else math.nan


def _cut(spans: Spans, duration_s: float) -> list[tuple[float, float]]:
    """Spans within a recording."""
    for on, off in spans:
        if not on < off:
            raise InputError(f"OnOff: a span begins before it ends, got {on!r} to {off!r} seconds.")
    return [(max(on, 0.0), min(off, duration_s)) for on, off in spans if on < duration_s and off > 0]


def _found(true: Spans, said: Spans) -> int:
    """The most true spans that can each have a predicted one of their own: augmenting paths (Kuhn, 1955)."""
    near = [
        [k for k, span in enumerate(said) if max(abs(span[0] - on), abs(span[1] - off)) <= COLLAR_S + _ROUNDING_S]
        for on, off in true
    ]
    holder: dict[int, int] = {}

    def takes(event: int, tried: set[int]) -> bool:
        for span in near[event]:
            if span not in tried:
                tried.add(span)
                if span not in holder or takes(holder[span], tried):
                    holder[span] = event
                    return True
        return False

    return sum(takes(event, set()) for event in range(len(true)))


def _segments(spans: Spans, duration_s: float) -> NDArray[np.bool_]:
    """Which segments of a recording have a part of a span in them."""
    active = np.zeros(math.ceil(duration_s / SEGMENT_S - _ROUNDING_S), np.bool_)
    for on, off in spans:
        active[math.floor(on / SEGMENT_S + _ROUNDING_S) : math.ceil(off / SEGMENT_S - _ROUNDING_S)] = True
    return active
