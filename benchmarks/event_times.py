"""How well it is found when sources sound: sources and events with a collar, and seconds, over many recordings.

An event is one span of one label, as in sound event detection (Mesaros, Heittola and Virtanen, "Metrics for polyphonic
sound event detection", 2016): it is found if a predicted span of its label begins and ends within the collar of it. A
source is found if it is heard to begin first and to end last within the collar, however many spans lie between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zsavs.media.activity import overlap
from zsavs.types import Query, Times

__all__ = ["COLLAR_S", "EventTally"]

COLLAR_S = 0.5


@dataclass
class EventTally:
    """What was counted of one strategy.

    Args:
        sources, right: labels that are annotated, and how many of them are found.
        events, predicted, found: spans that are annotated, spans that are predicted, and annotated ones that are found.
        seconds, predicted_s, shared_s: their lengths, and how long the annotated and the predicted ones have in common.
        timed: whether any answer said when its sources sound.
    """

    sources: int = 0
    right: int = 0
    events: int = 0
    predicted: int = 0
    found: int = 0
    seconds: float = 0.0
    predicted_s: float = 0.0
    shared_s: float = 0.0
    timed: bool = False

    def add(self, annotated: Mapping[str, Times], query: Query) -> None:
        """Count a recording: the times of each label in it, and what was heard."""
        wanted = {label.casefold(): times for label, times in annotated.items()}
        given = dict(zip((phrase.casefold() for phrase in query.phrases), query.times or (), strict=False))
        self.timed |= query.times is not None
        for label in {*wanted, *given}:
            true, said = wanted.get(label, ()), given.get(label, ())
            self.events, self.predicted = self.events + len(true), self.predicted + len(said)
            self.found += _found(true, said)
            self.sources, self.right = self.sources + bool(true), self.right + _found(_extent(true), _extent(said))
            self.seconds, self.predicted_s = self.seconds + _length(true), self.predicted_s + _length(said)
            self.shared_s += _length(overlap(true, said))

    @property
    def share(self) -> float | None:
        """Share of the sources that are found, in [0, 1]; None where no answer has times."""
        return self.right / self.sources if self.timed and self.sources else None

    @property
    def event_f1(self) -> float | None:
        """F1 of events."""
        return 2 * self.found / (self.events + self.predicted) if self.timed and self.events else None

    @property
    def seconds_f1(self) -> float | None:
        """F1 of seconds: of a label's time, what is rightly said to be it."""
        whole = self.seconds + self.predicted_s
        return 2 * self.shared_s / whole if self.timed and whole else None


def _found(true: Times, said: Times) -> int:
    """How many of the true spans have a predicted one of their own that begins and ends within the collar."""
    left = list(said)
    for on, off in true:
        near = [span for span in left if max(abs(span[0] - on), abs(span[1] - off)) <= COLLAR_S]
        if near:
            left.remove(near[0])
    return len(said) - len(left)


def _extent(times: Times) -> Times:
    """From the first on to the last off, as one span."""
    return ((times[0][0], times[-1][1]),) if times else ()


def _length(times: Times) -> float:
    return sum(off - on for on, off in times)
