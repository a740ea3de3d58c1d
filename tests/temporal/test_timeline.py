"""When sources sound, from what is said of long and of short windows."""

from __future__ import annotations

import numpy as np
import pytest

from zsavs.temporal.timeline import WHAT, WHEN, Moment, Timeline, moments
from zsavs.types import AudioClip, Evidence, Query, Times

RATE_HZ = 1000


def noise(seconds: float) -> AudioClip:
    wave = np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE_HZ)).astype(np.float32)
    return AudioClip(wave[None], RATE_HZ)


def share(window: Moment, length_s: float, spans: Times) -> float:
    """The share of a window, whose middle is its time, in which something sounds."""
    begin, end = window.time_s - length_s / 2, window.time_s + length_s / 2
    return sum(max(0.0, min(off, end) - max(on, begin)) for on, off in spans) / length_s


def heard(z: dict[str, float], least: float = 1.0, ruled_out: tuple[str, ...] = ()) -> Query:
    """The query of evidence: what exceeds ``least``."""
    kept = [phrase for phrase, value in z.items() if value > least and phrase not in ruled_out]
    values = np.array([-np.inf if phrase in ruled_out else value for phrase, value in z.items()], np.float32)
    return Query(tuple(kept), np.full(len(kept), 0.9, np.float32), evidence=Evidence(tuple(z), values, 9, least, 99.0))


def timeline(spans: dict[str, Times], seconds: float, loud: dict[str, float] | None = None) -> Timeline:
    audio, loud = noise(seconds), loud or {}
    long, short = (moments(audio, windows, 0.0, seconds) for windows in (WHAT, WHEN))

    def said(window: Moment, length_s: float) -> Query:
        return heard({name: loud.get(name, 10.0) * share(window, length_s, times) for name, times in spans.items()})

    return Timeline(long, [said(w, WHAT.length_s) for w in long], {w.time_s: said(w, WHEN.length_s) for w in short})


def test_windows_are_around_their_moments_and_end_with_the_audio() -> None:
    found = moments(noise(6.0), WHAT, 0.0, np.inf)
    assert [moment.time_s for moment in found] == [0, 1, 2, 3, 4, 5, 6]
    assert [moment.audio.duration_s for moment in found] == [2, 3, 4, 4, 4, 3, 2]
    part = moments(noise(6.0), WHEN, 2.0, 3.0)
    assert [moment.time_s for moment in part] == [2.0, 2.25, 2.5, 2.75, 3.0]
    assert all(moment.audio.duration_s == 1.0 for moment in part)
    assert moments(noise(1.0), WHAT, 2.0, 9.0) == []


def test_on_and_off_are_those_of_the_source() -> None:
    spans = {"dog": ((1.0, 2.5), (6.0, 8.0)), "bell": ((3.0, 7.0),)}
    found = timeline(spans, 10.0).times
    assert found.keys() == spans.keys()
    for name, wanted in spans.items():
        assert np.abs(np.array(found[name]) - np.array(wanted)).max() < 0.2


def test_a_quiet_sound_beside_a_loud_one_is_none_the_less_one() -> None:
    audio = noise(12.0)
    long, short = (moments(audio, windows, 0.0, 12.0) for windows in (WHAT, WHEN))

    def said(window: Moment, length_s: float) -> Query:
        z = 60 * share(window, length_s, ((2.0, 4.0),)) + 8 * share(window, length_s, ((6.0, 8.0),))
        return heard({"dog": z})

    near = {w.time_s: said(w, WHEN.length_s) for w in short}
    found = Timeline(long, [said(w, WHAT.length_s) for w in long], near).times["dog"]
    assert np.abs(np.array(found) - np.array([(2.0, 4.0), (6.0, 8.0)])).max() < 0.3


def test_a_pause_of_less_than_a_second_is_part_of_the_sound() -> None:
    (span,) = timeline({"dog": ((1.0, 3.0), (3.8, 6.0))}, 8.0).times["dog"]
    assert span == pytest.approx((1.0, 6.0), abs=0.2)


def test_what_no_short_window_chooses_is_left_out() -> None:
    audio = noise(6.0)
    long, short = (moments(audio, windows, 0.0, 6.0) for windows in (WHAT, WHEN))
    near = {window.time_s: heard({"dog": 0.5}) for window in short}
    assert Timeline(long, [heard({"dog": 2.0}) for _ in long], near).times == {}
    assert Timeline(long, [heard({"dog": 2.0}) for _ in long]).times["dog"]


def test_what_is_covered_for_a_second_goes_on_sounding() -> None:
    audio = noise(8.0)
    long, short = (moments(audio, windows, 0.0, 8.0) for windows in (WHAT, WHEN))
    near = {w.time_s: heard({"dog": 5.0}, ruled_out=("dog",) if 3 <= w.time_s < 4 else ()) for w in short}
    (span,) = Timeline(long, [heard({"dog": 5.0}) for _ in long], near).times["dog"]
    assert span == pytest.approx((0.0, 8.0), abs=0.1)


def test_the_long_windows_say_when_where_there_is_no_evidence() -> None:
    audio = noise(12.0)
    long = moments(audio, WHAT, 0.0, 12.0)
    queries = [
        Query(("dog",), np.array([0.8], np.float32)) if 4 <= window.time_s <= 8 else Query.nothing() for window in long
    ]
    near = {window.time_s: Query.nothing() for window in moments(audio, WHEN, 0.0, 12.0)}
    (span,) = Timeline(long, queries, near).times["dog"]
    assert span == pytest.approx((3.5, 8.5), abs=0.1)


def test_a_query_of_a_time_has_what_is_on_then() -> None:
    line = timeline({"dog": ((1.0, 4.0),), "bell": ((6.0, 9.0),)}, 10.0)
    assert line.at(2.0).phrases == ("dog",)
    assert line.at(5.0).phrases == ()
    assert line.at(7.5).phrases == ("bell",)
    assert set(line.ever().phrases) == {"dog", "bell"}
    assert set(line.whole().phrases) == {"dog", "bell"}
    assert line.whole().times is not None
    assert 6 <= line.strongest("bell", 5.0, 10.0) <= 9
