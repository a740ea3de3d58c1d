"""Answers that are kept for a visitor: by other thresholds they are made anew at once, without any model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np

from zsavs.composition import Composition
from zsavs.considered import Considered, Thresholds
from zsavs.draw.colours import Rgb, palette
from zsavs.result import AVSResult
from zsavs.temporal import display
from zsavs.temporal.video_result import VideoResult

__all__ = ["Answer", "ImageAnswer", "Region", "VideoAnswer"]


class Region(NamedTuple):
    """A region that is marked: its number, which it keeps, its label, score and colour."""

    key: int
    label: str
    score: float
    colour: Rgb


@dataclass(frozen=True, eq=False)
class ImageAnswer:
    """What the strategies said of an image with its audio.

    Args:
        considered: by strategy, all that it considered.
        failed: by strategy, why it has no answer.
        preset: the models.
        strategy: the one whose answer is looked at.
        own: by strategy, the weight that it keeps sources from by itself (:func:`.models.own_threshold`).
        thresholds: of all of them.
        removed: by strategy, the regions that the visitor has removed.
    """

    considered: Mapping[str, Considered]
    failed: Mapping[str, str]
    preset: str
    strategy: str
    own: Mapping[str, float] = field(default_factory=dict)
    thresholds: Thresholds = field(default_factory=Thresholds)
    removed: Mapping[str, frozenset[int]] = field(default_factory=dict)

    def composed(self, strategy: str) -> Composition:
        """The masks of a strategy by the thresholds, without what was removed."""
        without = self.removed.get(strategy, frozenset())
        return self.considered[strategy].compose(replace(self.thresholds, without=without))

    @cached_property
    def shown(self) -> Composition:
        """The masks of the strategy that is looked at."""
        return self.composed(self.strategy)

    @cached_property
    def result(self) -> AVSResult:
        """The result of the strategy that is looked at."""
        return self.looked_at.result(self.shown)

    @property
    def looked_at(self) -> Considered:
        """All that the strategy considered that is looked at."""
        return self.considered[self.strategy]

    @property
    def gives_evidence(self) -> bool:
        """Whether the models gave evidence for any region, so that a threshold of it means something."""
        return bool(self.looked_at.proposals.evidence.any())

    @cached_property
    def colours(self) -> dict[str, dict[int, Rgb]]:
        """By strategy, the colour of each region: the surest dog has the same one everywhere, by any thresholds."""
        places = {name: _places(considered) for name, considered in self.considered.items()}
        wanted = dict.fromkeys(
            sorted((place for of_rows in places.values() for place in of_rows), key=lambda at: at[1])
        )
        inks = dict(zip(wanted, palette(len(wanted)), strict=True))
        return {name: {row: inks[place] for row, place in enumerate(of_rows)} for name, of_rows in places.items()}

    def regions(self) -> list[Region]:
        """What is marked, surest first."""
        result, keys, colours = self.result, self.shown.rows.tolist(), self.colours[self.strategy]
        rows = zip(keys, result.phrases, map(float, result.scores), (colours[key] for key in keys), strict=True)
        return [Region(*row) for row in rows]

    def at(self, x: float, y: float) -> int | None:
        """The region at a point, both in [0, 1] of the image; the smallest one, as it may lie before another."""
        height, width = self.looked_at.sample.size_hw
        row, column = min(int(y * height), height - 1), min(int(x * width), width - 1)
        hit = np.flatnonzero(self.shown.masks[:, row, column])
        if not len(hit):
            return None
        areas = self.shown.masks[hit].sum(axis=(1, 2))
        return int(self.shown.rows[hit[np.argmin(areas)]])

    def with_thresholds(self, thresholds: Thresholds) -> ImageAnswer:
        """The same by other thresholds."""
        return replace(self, thresholds=thresholds)

    def looking_at(self, strategy: str) -> ImageAnswer:
        """The same, looked at by another strategy, from the threshold that is its own."""
        thresholds = replace(self.thresholds, min_weight=self.own.get(strategy, 0.0))
        return replace(self, strategy=strategy, thresholds=thresholds)

    def without(self, key: int) -> ImageAnswer:
        """The same without a region."""
        removed = self.removed.get(self.strategy, frozenset()) | {key}
        return replace(self, removed={**self.removed, self.strategy: removed})

    def with_all(self) -> ImageAnswer:
        """The same with what was removed."""
        return replace(self, removed={})

    @property
    def count_removed(self) -> int:
        """How many regions were removed."""
        return len(self.removed.get(self.strategy, ()))


@dataclass(frozen=True, eq=False)
class VideoAnswer:
    """What a strategy said of a video.

    Args:
        whole: all of it.
        video: where the file lies on this machine.
        preset, strategy: what it was answered by.
        thresholds: the weight and the score that a track needs; evidence plays no part.
        removed: ids of the tracks that the visitor has removed.
    """

    whole: VideoResult
    video: str
    preset: str
    strategy: str
    thresholds: Thresholds = field(default_factory=Thresholds)
    removed: frozenset[int] = frozenset()

    gives_evidence = False

    @cached_property
    def result(self) -> VideoResult:
        """The result by the thresholds, without what was removed."""
        weights = dict(zip(self.whole.queries.phrases, map(float, self.whole.queries.weights), strict=True))
        kept = [
            track
            for track in self.whole.tracks
            if len(track)
            and track.id not in self.removed
            and float(track.scores.max()) >= self.thresholds.min_score
            and weights.get(track.phrase, 1.0) >= self.thresholds.min_weight
        ]
        return replace(self.whole, tracks=tuple(kept))

    def regions(self) -> list[Region]:
        """The tracks that are marked."""
        names, colours = display.names(self.result), display.colours(self.result)
        return [
            Region(track.id, names[track.id], float(track.scores.max()), colours[track.id])
            for track in self.result.tracks
        ]

    def with_thresholds(self, thresholds: Thresholds) -> VideoAnswer:
        """The same by other thresholds."""
        return replace(self, thresholds=thresholds)

    def without(self, key: int) -> VideoAnswer:
        """The same without a track."""
        return replace(self, removed=self.removed | {key})

    def with_all(self) -> VideoAnswer:
        """The same with what was removed."""
        return replace(self, removed=frozenset())

    @property
    def count_removed(self) -> int:
        """How many tracks were removed."""
        return len(self.removed)


def _places(considered: Considered) -> list[tuple[str, int]]:
    """For each region its phrase, and how many of that phrase are surer."""
    found, query = considered.proposals, considered.query
    counts: dict[str, int] = {}
    places = [("", 0)] * len(found)
    for row in np.argsort(-found.scores, kind="stable").tolist():
        phrase = query.phrases[int(found.sources[row])]
        places[row] = phrase, counts.get(phrase, 0)
        counts[phrase] = counts.get(phrase, 0) + 1
    return places


Answer: TypeAlias = ImageAnswer | VideoAnswer
