"""How tracks are called and coloured, and what has a lane."""

from __future__ import annotations

import dataclasses

import numpy as np
import video_results

from zsavs.draw import palette
from zsavs.temporal import display
from zsavs.temporal.video_result import VideoResult
from zsavs.types import Query


def test_only_what_there_are_several_of_is_numbered() -> None:
    assert display.names(video_results.result()) == {1: "dog 1", 2: "dog 2", 3: "violin"}
    assert display.names(video_results.result(names=("Dog", "cat", "dog "))) == {1: "Dog 1", 2: "cat", 3: "dog  2"}


def test_a_track_keeps_its_colour_whatever_is_shown_with_it() -> None:
    colours = display.colours(video_results.result())
    assert list(colours.values()) == palette(3)
    assert len(set(colours.values())) == 3


def test_the_last_frame_is_shown_as_long_as_the_others() -> None:
    assert display.shown_span(video_results.result()) == (0.0, 2.0)
    alone = VideoResult(np.array([3.0]), (4, 4), ())
    assert display.shown_span(alone) == (3.0, 3.125)


def test_each_track_has_a_lane_with_when_it_is_seen_and_what_is_not_in_view_has_a_grey_one() -> None:
    lanes = display.lanes(video_results.result())
    assert [(lane.label, lane.colour is None) for lane in lanes] == [
        ("dog 1", False),
        ("dog 2", False),
        ("violin", False),
        ("rain", True),
    ]
    assert lanes[0].sounds == video_results.SOUNDS[1]
    assert lanes[0].seen == ((0.0, 2.0),)
    assert lanes[2].seen == ((0.5, 2.0),)
    assert lanes[3].sounds == video_results.RAIN
    assert lanes[0].sounds_at(0.25)
    assert not lanes[0].sounds_at(0.75)


def test_a_source_with_tracks_is_unseen_where_none_of_them_sounds() -> None:
    heard = Query(("dog", "bell"), np.array([0.9, 0.4], np.float32), times=(((0.0, 0.75), (1.0, 1.9)), ()))
    rows = display.unseen(video_results.result(queries=heard))
    assert [row[0] for row in rows] == ["dog (unseen)", "bell"]
    assert rows[0][2] == ((0.0, 0.25), (1.0, 1.5)), "0.75 to 1 is silent, and 1.75 to 1.9 too short"
    assert rows[1][2] == ()


def test_a_track_that_leaves_and_comes_back_is_seen_twice() -> None:
    result = video_results.result()
    track = result.tracks[0]
    kept = [0, 1, 5, 7]
    gaps = dataclasses.replace(
        track,
        frames=track.frames[kept],
        scores=track.scores[kept],
        boxes_xyxy=track.boxes_xyxy[kept],
        runs=tuple(track.runs[k] for k in kept),
    )
    (lane,) = display.lanes(dataclasses.replace(result, tracks=(gaps,), queries=Query.nothing()))
    assert lane.seen == ((0.0, 0.5), (1.25, 1.5), (1.75, 2.0))
