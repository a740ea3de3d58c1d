"""A video, answered: it is heard once, what sounds is looked for in its frames, and followed from frame to frame."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from zsavs.errors import InputError
from zsavs.media.regions import tight_box
from zsavs.media.video_file import VideoFrame
from zsavs.protocols import Tracker
from zsavs.result import AVSResult
from zsavs.storage import rle
from zsavs.storage.progress_bar import Progress
from zsavs.temporal.frame_source import FrameSource, check_fps
from zsavs.temporal.frames import NO_AUDIO
from zsavs.temporal.timeline import WHAT, WHEN, Moment, Timeline, moments
from zsavs.temporal.video_result import SHOW, Track, VideoResult
from zsavs.tracking.identities import Identities
from zsavs.tracking.matching import Matcher
from zsavs.types import AVSample, Detections, Query, Times

__all__ = ["FPS", "follow"]

#: Frames that are looked at in a second, if nothing else is said.
FPS = 8.0
#: A stretch of frames that a tracker is given at once: at most so many, of so many bytes.
_STRETCH_FRAMES, _STRETCH_BYTES = 64, 2**28
#: Seconds from one look to the next of a tracker that follows objects by itself.
_LOOK_S = 2.0

#: A track that is found in less than this share of the frames in which it sounds is none.
_LEAST_SHARE = 0.15

Ask = Callable[[list[AVSample]], list[Query]]
Look = Callable[[list[AVSample], list[Query]], list[AVSResult]]


def follow(
    source: FrameSource,
    ask: Ask,
    look: Look,
    tracker: Tracker | None,
    *,
    fps: float,
    smooth: float = 0.0,
    show: str = "sounding",
    batch_size: int = 8,
    progress: Progress | None = None,
) -> VideoResult:
    """Answer a video.

    1. The audio is heard in long windows, which say what sounds, and around that in short ones, which say when; each is
       asked about with the frame that is shown then.
    2. From that follows when each phrase is on (:class:`~zsavs.temporal.timeline.Timeline`).
    3. Stretch by stretch, frames in which something is on are looked at: all of them, or pivots.
    4. The tracker follows what was found through the stretch, and stretches are joined.

    Args:
        source: the frames and the audio.
        ask: the strategy's queries of samples.
        look: the results of samples for their queries.
        tracker: None for every frame by itself.
        fps: frames that are followed in a second, above 0.
        smooth: see :class:`~zsavs.temporal.smoothing.Smoother`.
        show: "always" to look, while a source does not sound, also for what sounds at other times.
        batch_size: samples that go through the models together.
        progress: told after each stretch.

    Raises:
        InputError: a setting is out of range, or the frames are of several sizes.
    """
    check_fps(fps)
    if show not in SHOW:
        raise InputError(f"show must be one of {', '.join(SHOW)}, got {show!r}.")
    begun = time.perf_counter()
    timeline, windows = _hear(source, ask, smooth, batch_size)
    heard = time.perf_counter()
    run = _Run(timeline, windows, ask, look, tracker, show, batch_size)
    total = max(1, math.ceil((source.end_s - source.start_s) * fps - 1e-9)) if math.isfinite(source.end_s) else None
    frames = source.read(fps)
    while stretch := _stretch(frames):
        run.add(stretch)
        if progress:
            progress(len(run.times_s), max(total or 0, len(run.times_s)) if total else None)
    if not run.times_s:
        raise InputError(
            f"{source.name or 'the video'}: has no frame between {source.start_s:g} and {source.end_s:g} s."
        )
    if progress:
        progress(len(run.times_s), len(run.times_s))
    late = sum(time_s >= source.audio.duration_s for time_s in run.times_s)
    notes = {}
    if late:
        notes[NO_AUDIO] = f"the audio ends at {source.audio.duration_s:.2f} s; {late} frames after that have no answer."
    return VideoResult(
        np.array(run.times_s),
        run.size_hw,
        run.tracks(),
        timeline.whole(),
        source.name,
        {"hear": heard - begun, "look": run.looked_s, "track": run.tracked_s},
        {"fps": fps, "audio_s": source.audio.duration_s, **({"notes": notes} if notes else {})},
    )


def _hear(source: FrameSource, ask: Ask, smooth: float, batch_size: int) -> tuple[Timeline, list[Moment]]:
    """When what is heard, and the moments that were asked about."""
    long = moments(source.audio, WHAT, source.start_s, source.end_s)
    queries = _asked(source, long, WHAT.hop_s, ask, batch_size)
    long = long[: len(queries)]
    # Where nothing is heard in any long window there is nothing to tell the begin and the end of.
    something = np.array([moment.time_s for moment, query in zip(long, queries, strict=True) if len(query)])
    near = [
        moment
        for moment in moments(source.audio, WHEN, source.start_s, source.end_s)
        if (np.abs(something - moment.time_s) <= WHAT.length_s / 2).any()
    ]
    heard = _asked(source, near, WHAT.hop_s, ask, batch_size)
    return Timeline(long, queries, {m.time_s: q for m, q in zip(near, heard, strict=False)}, smooth), long


def _asked(source: FrameSource, windows: Sequence[Moment], hop_s: float, ask: Ask, batch_size: int) -> list[Query]:
    """What the strategy says of each moment, with the last frame that was shown at a whole hop."""
    queries: list[Query] = []
    samples = _samples(source, windows, hop_s)
    while batch := list(islice(samples, batch_size)):
        queries += ask(batch)
    return queries


def _samples(source: FrameSource, windows: Sequence[Moment], hop_s: float) -> Iterator[AVSample]:
    """For each moment its audio with the frame that is shown then."""
    if not windows:
        return
    frames = source.read(1 / hop_s)
    following = next(frames, None)
    shown = following
    for moment in windows:
        while following is not None and following.time_s <= moment.time_s + 1e-6:
            shown, following = following, next(frames, None)
        if shown is None:
            return
        yield AVSample(shown.image, moment.audio, f"{moment.time_s:g} s")


def _stretch(frames: Iterator[VideoFrame]) -> list[VideoFrame]:
    """The next frames that a tracker is given at once."""
    first = next(frames, None)
    if first is None:
        return []
    count = min(_STRETCH_FRAMES, max(2, _STRETCH_BYTES // max(1, first.image.nbytes)))
    return [first, *islice(frames, count - 1)]


@dataclass
class _Built:
    """A track while it grows."""

    phrase: str
    frames: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    boxes: list[tuple[int, int, int, int]] = field(default_factory=list)
    runs: list[dict[str, list[int]]] = field(default_factory=list)


class _Run:
    """The stretches of a video, one after the other, and the tracks that grow with them."""

    def __init__(
        self,
        timeline: Timeline,
        windows: Sequence[Moment],
        ask: Ask,
        look: Look,
        tracker: Tracker | None,
        show: str,
        batch_size: int,
    ) -> None:
        self.timeline, self.windows, self.ask, self.look = timeline, windows, ask, look
        self.tracker, self.show, self.batch_size = tracker, show, batch_size
        self.identities = Identities(getattr(tracker, "matcher", None) or Matcher())
        self.times_s: list[float] = []
        self.size_hw = (0, 0)
        self.built: dict[Any, _Built] = {}
        self.looked_s = self.tracked_s = 0.0

    def add(self, stretch: Sequence[VideoFrame]) -> None:
        """Answer the next frames."""
        start = len(self.times_s)
        self.size_hw = self.size_hw if start else stretch[0].image.shape[:2]
        for number, frame in enumerate(stretch, start):
            if frame.image.shape[:2] != self.size_hw:
                raise InputError(f"frame {number} is {frame.image.shape[:2]} pixels, and the first one {self.size_hw}.")
        self.times_s += [frame.time_s for frame in stretch]
        before = time.perf_counter()
        found = self._look(stretch)
        between = time.perf_counter()
        images = [frame.image for frame in stretch]
        if self.tracker is None:
            tracked = [found.get(place) or Detections.nothing(self.size_hw) for place in range(len(stretch))]
        else:
            tracked = self.identities.join(images, self.tracker.track(images, found))
        for number, here in enumerate(tracked, start):
            self._add(number, here)
        self.looked_s += between - before
        self.tracked_s += time.perf_counter() - between

    def _look(self, stretch: Sequence[VideoFrame]) -> dict[int, Detections]:
        """What is found in the frames that are looked at, by their place in the stretch."""
        samples, queries, places = [], [], []
        for place in self._places(stretch):
            frame = stretch[place]
            sample = AVSample(frame.image, self._window(frame.time_s).audio, f"{frame.time_s:.2f} s")
            query = self._query(sample, frame.time_s)
            if len(query):
                samples.append(sample)
                queries.append(query)
                places.append(place)
        found: dict[int, Detections] = {}
        for at in range(0, len(samples), self.batch_size):
            part = slice(at, at + self.batch_size)
            for place, result in zip(places[part], self.look(samples[part], queries[part]), strict=True):
                found[place] = Detections(result.masks, result.phrases, result.scores)
        return found

    def _places(self, stretch: Sequence[VideoFrame]) -> list[int]:
        """The frames to look at: all in which something is on, or pivots among them."""
        times = np.array([frame.time_s for frame in stretch])
        wanted = [place for place, time_s in enumerate(times) if self._asked(float(time_s))]
        if self.tracker is None or self.tracker.looks == "every":
            return wanted
        pivots: set[int] = set()
        for phrase, spans in self.timeline.times.items():
            for on, off in spans:
                inside = np.flatnonzero((times >= on) & (times < off))
                if not len(inside):
                    continue
                begin, end = float(times[inside[0]]), float(times[inside[-1]])
                marks = [self.timeline.strongest(phrase, begin, end), *np.arange(begin, end, _LOOK_S)]
                pivots |= {int(inside[np.abs(times[inside] - mark).argmin()]) for mark in marks}
        return sorted(pivots)

    def _asked(self, time_s: float) -> bool:
        return bool(self.timeline.times) if self.show == "always" else bool(self.timeline.on(time_s))

    def _query(self, sample: AVSample, time_s: float) -> Query:
        """What to look for in a frame: what is on, and with "always" everything that ever is."""
        if self.timeline.of_images:
            own = self.ask([sample])[0]
            on = set(self.timeline.on(time_s))
            return replace(own.rows([i for i, phrase in enumerate(own.phrases) if phrase in on]), times=None)
        query = self.timeline.at(time_s)
        return query if len(query) or self.show != "always" else self.timeline.ever()

    def _window(self, time_s: float) -> Moment:
        number = min(len(self.windows) - 1, max(0, round((time_s - self._first_s) / WHAT.hop_s)))
        return self.windows[number]

    @property
    def _first_s(self) -> float:
        return self.times_s[0]

    def _add(self, number: int, here: Detections) -> None:
        """Add the objects of a frame to their tracks."""
        rank: dict[str, int] = {}
        for mask, phrase, score, inner in zip(here.masks, here.phrases, here.scores, here.ids, strict=True):
            if not mask.any():
                continue
            rank[phrase] = rank.get(phrase, -1) + 1
            # Without a tracker the objects of a phrase have the order of their scores in each frame, and no other.
            key = (phrase, rank[phrase]) if self.tracker is None else int(inner)
            built = self.built.setdefault(key, _Built(phrase))
            built.frames.append(number)
            built.scores.append(float(score))
            built.boxes.append(tight_box(mask))
            built.runs.append(rle.encode(mask))

    def tracks(self) -> tuple[Track, ...]:
        """The tracks that last, in the order in which they were first found."""
        lasting = [(built, self._times(built)) for built in self.built.values()]
        lasting = [(built, times) for built, times in lasting if self._lasts(built, times)]
        return tuple(
            Track(
                number,
                built.phrase,
                times,
                np.array(built.frames, np.int64),
                np.array(built.scores, np.float32),
                np.array(built.boxes, np.float32),
                tuple(built.runs),
            )
            for number, (built, times) in enumerate(lasting, start=1)
        )

    def _lasts(self, built: _Built, times: Times) -> bool:
        """Whether a track is more than a region that was taken for its source in passing."""
        frames = np.array(self.times_s)
        sounding = sum(int(((frames >= on) & (frames < off)).sum()) for on, off in times)
        return len(built.frames) >= _LEAST_SHARE * sounding

    def _times(self, built: _Built) -> Times:
        """When a track sounds: the times of its phrase at which it is seen."""
        seen = np.array(self.times_s)[built.frames]
        spans = self.timeline.times.get(built.phrase, ())
        return tuple((on, off) for on, off in spans if ((seen >= on) & (seen < off)).any())
