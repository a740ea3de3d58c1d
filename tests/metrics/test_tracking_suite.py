"""The numbers of whole videos, in parts and as a whole."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from zsavs.errors import InputError
from zsavs.metrics import suites
from zsavs.metrics.tracking_suite import Tracking


def square(left: int) -> np.ndarray:
    mask = np.zeros((20, 30), np.bool_)
    mask[5:15, left : left + 10] = True
    return mask


def video(tracks: list[dict[int, Any]], spans: Any = ((0.0, 2.0),)) -> dict[str, Any]:
    """A dog that goes to the right for two frames and is gone in the third."""
    objects = [{1: square(2)}, {1: square(8)}, {}]
    true, said = {"dog": ((0.0, 2.0),)}, {"dog": spans} if spans else {}
    return {
        "tracks": tracks,
        "objects": objects,
        "size_hw": (20, 30),
        "followed": (true, said),
        "heard": ({**true, "cat": ((1.0, 3.0),)}, said),
        "n_tracks": len({key for frame in tracks for key in frame}),
        "duration_s": 3.0,
    }


VIDEOS = [
    video([{4: square(2)}, {4: square(8)}, {}]),
    video([{4: square(2)}, {5: square(8)}, {}]),
    video([{}, {}, {5: square(8)}], ()),
]


def test_the_numbers_are_those_of_the_videos() -> None:
    right, switched, wrong = (suite_of([one]).compute() for one in VIDEOS)
    assert (right["J"], right["J&F"], right["FPR_empty"], right["events_F1"], right["segments_F1"]) == (1, 1, 0, 1, 1)
    assert right["heard_F1"] == pytest.approx(2 / 3), "the cat is not heard"
    assert (right["n_switches"], right["n_objects"], right["n_sounding"], right["n_other"]) == (0, 1, 2, 1)
    assert (switched["J"], switched["n_switches"], switched["n_tracks"]) == (1, 1, 2)
    assert (wrong["J"], wrong["J&F"], wrong["FPR_empty"], wrong["events_F1"]) == (0, 0, 100 / 600, 0)


def test_parts_merge_and_are_restored_exactly() -> None:
    whole = suite_of(VIDEOS)
    first, rest = suite_of(VIDEOS[:1]), suite_of(VIDEOS[1:])
    restored = Tracking.from_state(json.loads(json.dumps(rest.state())))
    assert restored.merge(first).state() == whole.state()
    assert restored.compute() == whole.compute()
    assert whole.compute()["J"] == pytest.approx(4 / 6)


def test_no_videos_have_no_numbers() -> None:
    numbers = Tracking().compute()
    assert all(value == 0 if key.startswith("n_") else math.isnan(value) for key, value in numbers.items())
    assert "tracking" not in suites.names(), "it is given videos, and not frames"


def test_frames_without_an_answer_are_an_error() -> None:
    with pytest.raises(InputError, match="3 frames were given and 1 answered"):
        suite_of([video([{}])])


def suite_of(videos: list[dict[str, Any]]) -> Tracking:
    suite = Tracking()
    for one in videos:
        suite.update(**one)
    return suite
