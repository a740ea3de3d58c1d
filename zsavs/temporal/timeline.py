"""When each source of a video sounds: what is heard around each second of it, and on and off from second to second.

The audio is heard in windows, once for the whole video, which all of its frames share. What a strategy says of a window
counts for its middle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.calibration.heard import times_of
from zsavs.media.activity import active_times, unite
from zsavs.temporal.smoothing import Smoother
from zsavs.types import AudioClip, Query, Times

__all__ = ["WHAT", "WHEN", "Moment", "Timeline", "Windows", "moments"]


class Windows(NamedTuple):
    """Windows over the audio of a video.

    Args:
        length_s: of each.
        hop_s: from one to the next.
    """

    length_s: float
    hop_s: float


#: Long windows say what sounds, short ones when it begins and ends.
WHAT, WHEN = Windows(4.0, 1.0), Windows(1.0, 0.25)


class Moment(NamedTuple):
    """A moment of a video, and the audio around it.

    Args:
        time_s: in seconds from the start of the video.
        audio: the window around it, cut off where the audio begins or ends.
        active: when something is audible within the window, on the video's clock.
    """

    time_s: float
    audio: AudioClip
    active: Times


def moments(audio: AudioClip, windows: Windows, start_s: float, end_s: float) -> list[Moment]:
    """The moments of a part of a video, a hop apart, for as long as there is audio; none where there is none.

    Args:
        audio: of the whole video, from its start.
        windows: how long, and how far apart.
        start_s, end_s: the part, in seconds.
    """
    rate, total = audio.sample_rate_hz, audio.waveform.shape[1]
    found = []
    for number in range(int(max(0.0, min(end_s, audio.duration_s) - start_s) / windows.hop_s) + 1):
        middle = start_s + number * windows.hop_s
        first, last = (round((middle + side * windows.length_s / 2) * rate) for side in (-1, 1))
        first, last = max(0, first), min(total, last)
        if middle > audio.duration_s or first >= last:
            break
        window = audio.part(first, last)
        begin = first / rate
        found.append(Moment(middle, window, tuple((begin + on, begin + off) for on, off in active_times(window))))
    return found


class Timeline:
    """What is heard when, from what a strategy says of each moment.

    A phrase is on around the moments at which the strategy chose it; on and off lie where its evidence crosses half of
    its largest value there, or where the sound itself begins or ends (:func:`zsavs.calibration.heard.times_of`). Pauses
    of less than a second are part of a source's sound.

    Args:
        moments: in order, a hop apart.
        queries: of each, heard in long windows.
        near: by their times, what is heard in short windows; without any, on and off come from the long ones.
        smooth: see :class:`~zsavs.temporal.smoothing.Smoother`; 0 is off.

    Attributes:
        times: by phrase, when it is on, in seconds from the start of the video.
    """

    def __init__(
        self,
        moments: Sequence[Moment],
        queries: Sequence[Query],
        near: Mapping[float, Query] | None = None,
        smooth: float = 0.0,
    ) -> None:
        smoother = Smoother(smooth)
        by_number = dict(enumerate(queries))
        self._queries = [smoother(number, by_number) for number in by_number] if smoother.reach else list(queries)
        self._middles = np.array([moment.time_s for moment in moments])
        self._near = sorted((near or {}).items())
        self._active = unite(span for moment in moments for span in moment.active)
        self.times: dict[str, Times] = {}
        for phrase in dict.fromkeys(phrase for query in self._queries for phrase in query.phrases):
            if spans := self._spans(phrase):
                self.times[phrase] = spans

    @property
    def of_images(self) -> bool:
        """Whether queries say where to look in their own image, so that they hold for no other one."""
        return any(query.maps is not None or query.prior is not None for query in self._queries)

    def at(self, time_s: float) -> Query:
        """What sounds at a time: for each phrase that is on, its row of the nearest moment that has one."""
        rows = [self._row(phrase, time_s) for phrase in self.on(time_s)]
        return _joined(rows)

    def ever(self) -> Query:
        """What sounds at any time: for each phrase its heaviest row."""
        rows = []
        for phrase in self.times:
            best = max(self._queries, key=lambda query: _weight(query, phrase))
            rows.append(best.rows([best.phrases.index(phrase)]))
        return _joined(rows)

    def on(self, time_s: float) -> list[str]:
        """The phrases that are on at a time."""
        return [phrase for phrase, spans in self.times.items() if any(on <= time_s < off for on, off in spans)]

    def strongest(self, phrase: str, begin_s: float, end_s: float) -> float:
        """When there is most evidence for a phrase within a part of the video, in seconds."""
        z = np.where((self._middles >= begin_s) & (self._middles <= end_s), _evidence(self._queries, phrase), -np.inf)
        best = int(z.argmax()) if len(z) else 0
        return float(self._middles[best]) if len(z) and np.isfinite(z[best]) else (begin_s + end_s) / 2

    def whole(self) -> Query:
        """What was heard in all of the video: each phrase with its largest weight, and when it is on."""
        weights = {phrase: max(_weight(query, phrase) for query in self._queries) for phrase in self.times}
        order = sorted(weights, key=lambda phrase: -weights[phrase])
        return Query(
            tuple(order),
            np.array([weights[phrase] for phrase in order], np.float32),
            times=tuple(self.times[phrase] for phrase in order) or None,
        )

    def _spans(self, phrase: str) -> Times:
        """When a phrase is on: around each run of moments at which it was chosen."""
        z = _evidence(self._queries, phrase)
        chosen = np.array([phrase in query.phrases for query in self._queries])
        edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(int)))
        begins, ends = edges[::2].tolist(), edges[1::2].tolist()
        spans: list[tuple[float, float]] = []
        for first, last, low, high in zip(begins, ends, [0, *ends[:-1]], [*begins[1:], len(z)], strict=True):
            near = self._near_spans(phrase, self._middles[first], self._middles[last - 1])
            if near is None:
                starts = self._middles[low:high] - WHAT.length_s / 2
                near = times_of(np.maximum(z[low:high], 0.0), starts, WHAT.length_s, self._active)
            spans += near
        return tuple((max(0.0, on), off) for on, off in unite(spans, gap_s=1.0))

    def _near_spans(self, phrase: str, first_s: float, last_s: float) -> Times | None:
        """When a phrase is on, by the short windows around a run of moments; None where they do not say."""
        reach = WHAT.length_s / 2
        inside = [(time_s, query) for time_s, query in self._near if first_s - reach <= time_s <= last_s + reach]
        known = _heard_out([(time_s, query, _z(query, phrase)) for time_s, query in inside])
        if not known or 5 * len(known) < len(inside):  # a strategy that weighs only what it has chosen
            return None
        times = np.array([time_s for time_s, _, _ in known])
        z = np.maximum([z for _, _, z in known], 0.0)
        chosen = np.array([phrase in query.phrases for _, query, _ in known])
        spans: list[tuple[float, float]] = []
        # The loudest first, then what is left: a quiet sound is none the less one beside a loud one.
        while chosen.any():
            found = times_of(z, times - WHEN.length_s / 2, WHEN.length_s, self._active)
            within = np.zeros(len(times), np.bool_)
            for on, off in found:
                here = (times >= on - WHEN.length_s / 2) & (times <= off + WHEN.length_s / 2)
                if (here & chosen).any():
                    spans.append((on, off))
                within |= here
            if not (within & chosen).any():
                break
            chosen, z = chosen & ~within, np.where(within, 0.0, z)
        return tuple(sorted(spans))

    def _row(self, phrase: str, time_s: float) -> Query:
        """The row of a phrase at the nearest moment that has it."""
        having = [number for number, query in enumerate(self._queries) if phrase in query.phrases]
        nearest = min(having, key=lambda number: (abs(self._middles[number] - time_s), number))
        query = self._queries[nearest]
        return query.rows([query.phrases.index(phrase)])


def _heard_out(rows: Sequence[tuple[float, Query, float]]) -> list[tuple[float, Query, float]]:
    """The rows that say whether a phrase is heard: their times, queries and evidence.

    What is ruled out in one window and not in others with the same frame is not heard in it, and has 0. What is ruled
    out in all of them may be covered in the frame; that says nothing of when it sounds.
    """
    seconds = [math.floor(time_s / WHAT.hop_s + 1e-6) for time_s, _, _ in rows]
    weighed = {second for second, (_, _, z) in zip(seconds, rows, strict=True) if np.isfinite(z)}
    return [
        (time_s, query, z if np.isfinite(z) else 0.0)
        for second, (time_s, query, z) in zip(seconds, rows, strict=True)
        if second in weighed and not np.isnan(z)
    ]


def _evidence(queries: Sequence[Query], phrase: str) -> NDArray[np.float64]:
    """(M,) evidence for a phrase in each query, 0 where it is ruled out; its weight where there is no evidence."""
    z = np.array([_z(query, phrase) for query in queries])
    weights = np.array([_weight(query, phrase) for query in queries])
    return np.where(np.isnan(z), weights, np.where(np.isfinite(z), z, 0.0))


def _z(query: Query, phrase: str) -> float:
    """The evidence for a phrase; NaN where it was not considered."""
    known = query.evidence
    if known is None or phrase not in known.phrases:
        return float("nan")
    return float(known.z[known.phrases.index(phrase)])


def _weight(query: Query, phrase: str) -> float:
    return float(query.weights[query.phrases.index(phrase)]) if phrase in query.phrases else 0.0


def _joined(rows: Sequence[Query]) -> Query:
    """One query of single rows, heaviest first; what belongs to one image alone is left out."""
    if not rows:
        return Query.nothing()
    order = sorted(rows, key=lambda row: -float(row.weights[0]))
    stacked: dict[str, Any] = {}
    for name in ("embeddings", "meanings"):
        if all(getattr(row, name) is not None for row in order):
            stacked[name] = np.concatenate([getattr(row, name) for row in order])
    space = order[0].space if stacked else None
    plain = replace(order[0], prior=None, maps=None, times=None, evidence=None, notes={}, seconds={})
    return replace(
        plain,
        phrases=tuple(row.phrases[0] for row in order),
        weights=np.concatenate([row.weights for row in order]),
        **{"embeddings": None, "meanings": None, **stacked, "space": space},
    )
