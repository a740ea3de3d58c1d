"""How the result of a video is shown: a name and a colour for each track, and the lanes of what was heard."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zsavs.draw.colours import Rgb, palette
from zsavs.draw.video import Lane
from zsavs.media.activity import unite
from zsavs.types import Times

if TYPE_CHECKING:
    from zsavs.temporal.video_result import Track, VideoResult

__all__ = ["colours", "lanes", "names", "shown_span", "unseen"]

#: What is heard of a source beyond the times of its tracks is shown from this length on, in seconds: ends that do not
#: meet are no sound of their own.
_LEAST_S = 0.25
#: Seconds that a lone frame is shown.
_LONE_S = 0.125


def names(result: VideoResult) -> dict[int, str]:
    """What each track is called, by its id: its phrase, with a number where several have the same."""
    alike: dict[str, list[Track]] = {}
    for track in result.tracks:
        alike.setdefault(_key(track.phrase), []).append(track)
    return {
        track.id: track.phrase if len(group) == 1 else f"{track.phrase} {number}"
        for group in alike.values()
        for number, track in enumerate(group, start=1)
    }


def colours(result: VideoResult) -> dict[int, Rgb]:
    """The colour of each track, by its id: the same for its whole life."""
    return dict(zip((track.id for track in result.tracks), palette(len(result.tracks)), strict=True))


def shown_span(result: VideoResult) -> tuple[float, float]:
    """From when to when the result shows the video, in seconds: the last frame is shown as long as the others."""
    frames = result.frames
    step = float(np.median(np.diff(frames))) if len(frames) > 1 else 0.0
    return float(frames[0]), float(frames[-1]) + (step or _LONE_S)


def lanes(result: VideoResult) -> list[Lane]:
    """A lane for each track that has a mask, in its colour, and after them what was heard and not found in view."""
    called, inks = names(result), colours(result)
    found = [
        Lane(called[track.id], track.times, inks[track.id], _seen(track, result.frames))
        for track in result.tracks
        if len(track)
    ]
    return found + [Lane(name, times) for name, _, times in unseen(result)]


def unseen(result: VideoResult) -> list[tuple[str, float, Times]]:
    """What was heard and not found in view: its name, its weight, and when, as far as that is known.

    Of a source that has tracks, only the times at which none of them sounds.
    """
    rows = []
    times = result.queries.times or ((),) * len(result.queries)
    for phrase, weight, heard in zip(result.queries.phrases, result.queries.weights, times, strict=True):
        of_tracks = [track.times for track in result.tracks if len(track) and _key(track.phrase) == _key(phrase)]
        if not of_tracks:
            rows.append((phrase, float(weight), heard))
        elif left := _without(heard, unite((span for spans in of_tracks for span in spans), gap_s=0.0)):
            rows.append((f"{phrase} (unseen)", float(weight), left))
    return rows


def _without(times: Times, others: Times) -> Times:
    """What of some times is in none of the others, if it is not too short; both in order."""
    left: list[tuple[float, float]] = []
    for on, off in times:
        for a, b in [*others, (off, off)]:
            if a > on:
                left.append((on, min(a, off)))
            on = max(on, b)
            if on >= off:
                break
    return tuple((on, off) for on, off in left if off - on >= _LEAST_S)


def _seen(track: Track, frames: NDArray[np.float64]) -> Times:
    """When the track's mask is known: each frame until the next one, the last as long as the one before."""
    ends = np.append(frames[1:], 2 * frames[-1] - frames[-2] if len(frames) > 1 else frames[-1] + _LONE_S)
    spans: Iterable[tuple[float, float]] = zip(frames[track.frames].tolist(), ends[track.frames].tolist(), strict=True)
    return unite((span for span in spans if span[0] < span[1]), gap_s=1e-6)


def _key(phrase: str) -> str:
    """What makes two phrases the same."""
    return " ".join(phrase.casefold().split())
