"""An audio tagger's labels as a query, with when each is heard."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zsavs.calibration.heard import HOP_S, WINDOW_S, times_of
from zsavs.errors import InputError
from zsavs.language.sound_sources import most_specific
from zsavs.media.activity import active_times, audible_windows, unite
from zsavs.protocols import AudioTagger, TimedAudioTagger
from zsavs.types import AudioClip, Query, Times

__all__ = ["MOST_TAGS", "TagListener", "check_tagging"]

#: The most tags of a clip that a translator is told.
MOST_TAGS = 8


def check_tagging(what: str, top_k: int, min_probability: float, min_share: float) -> None:
    """Refuse settings of a strategy that hears tags.

    Args:
        what: the strategy.
        top_k, min_probability, min_share: as for :class:`zsavs.strategies.classify.Classify`.

    Raises:
        InputError: one of them is out of range.
    """
    if top_k < 0 or not 0 <= min_probability <= 1 or not 0 <= min_share <= 1:
        raise InputError(
            f"{what}: top_k must be at least 0, min_probability and min_share in [0, 1], got {top_k}, "
            f"{min_probability} and {min_share}."
        )


class TagListener:
    """Labels that are heard in audio, as rows of a query.

    A label is heard if it is more probable than an absolute threshold. Labels with the same phrase are one row, with
    the largest of their probabilities, and a row that a more special one explains is left out
    (:func:`zsavs.language.sound_sources.most_specific`).

    Args:
        audio_tagger: gives probabilities for a fixed list of labels.
        phrase_of: a label's phrase; "" for a label that gives no row.
        min_probability, min_share: as for :class:`zsavs.strategies.classify.Classify`.
    """

    def __init__(
        self,
        audio_tagger: AudioTagger,
        phrase_of: Callable[[str], str],
        *,
        min_probability: float,
        min_share: float,
    ) -> None:
        self.audio_tagger, self.phrase_of = audio_tagger, phrase_of
        self.min_probability, self.min_share = min_probability, min_share

    @functools.cached_property
    def _phrases(self) -> NDArray[np.str_]:
        """The phrase of each label of a tagger that says when."""
        assert isinstance(self.audio_tagger, TimedAudioTagger)
        return np.array([self.phrase_of(label) for label in self.audio_tagger.labels])

    def listen(self, clips: Sequence[AudioClip], top_k: int) -> list[Query]:
        """A query for each of N clips, of at most ``top_k`` rows; with times where they can be had."""
        if not isinstance(self.audio_tagger, TimedAudioTagger):
            return self._by_windows(clips, top_k)
        tagged = self.audio_tagger.tag(clips)  # 1. labels with probabilities
        queries = [self._query(labels, top_k) for labels in tagged]
        by_window = self.audio_tagger.tag_windows(clips)
        return [
            replace(query, times=self._times(self.audio_tagger, query, windows, clip.duration_s))
            if len(query)
            else query
            for query, windows, clip in zip(queries, by_window, clips, strict=True)
        ]

    def _by_windows(self, clips: Sequence[AudioClip], top_k: int) -> list[Query]:
        """For a tagger that does not say when: the audible windows of each clip, tagged one by one."""
        windows = [audible_windows(clip, WINDOW_S, HOP_S) for clip in clips]
        tagged = iter(self.audio_tagger.tag([window for each in windows for _, window in each]))
        queries = []
        for clip, each in zip(clips, windows, strict=True):
            by_window = [dict(next(tagged)) for _ in each]
            largest = {label: max(tags[label] for tags in by_window) for label in by_window[0]}
            query = self._query(sorted(largest.items(), key=lambda tag: -tag[1]), top_k)
            if len(query) and clip.duration_s > WINDOW_S:
                of_phrase = {
                    phrase: [label for label in largest if self.phrase_of(label) == phrase] for phrase in query.phrases
                }
                starts = np.array([start for start, _ in each])
                active = active_times(clip)
                times = [
                    times_of(
                        np.array([max(tags[label] for label in labels) for tags in by_window]), starts, WINDOW_S, active
                    )
                    for labels in of_phrase.values()
                ]
                query = replace(query, times=tuple(times))
            queries.append(query)
        return queries

    def _query(self, labels: Sequence[tuple[str, float]], top_k: int) -> Query:
        heard: dict[str, float] = {}
        least = self.min_share * max((probability for _, probability in labels), default=0.0)
        for label, probability in labels:
            if probability > self.min_probability and probability >= least:  # 2. labels that are heard
                phrase = self.phrase_of(label)  # 3. their visible sources
                heard[phrase] = max(probability, heard.get(phrase, 0.0))
        heard.pop("", None)  # labels without a visible source
        things = most_specific(heard)  # 4. one phrase for each source
        return Query(tuple(things), np.array(list(things.values()), np.float32)).top(top_k)

    def _times(
        self, tagger: TimedAudioTagger, query: Query, by_window: NDArray[np.float32], duration_s: float
    ) -> tuple[Times, ...]:
        """For each phrase the windows in which one of its labels is heard."""
        heard = by_window > self.min_probability
        starts = np.arange(len(by_window)) * tagger.hop_s
        return tuple(
            unite(
                (on, min(on + tagger.window_s, duration_s))
                for on in starts[heard[:, self._phrases == phrase].any(axis=1)]
            )
            for phrase in query.phrases
        )
