"""Caption: the audio's caption, whose noun phrases a detector is asked for (BAaV, b)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from zsavs.errors import InputError
from zsavs.language.meanings import Meanings
from zsavs.language.sound_sources import visible_things
from zsavs.media.activity import active_times, audible_windows, overlap, unite
from zsavs.media.waveform import rms_db, windows
from zsavs.protocols import AudioCaptioner
from zsavs.types import AudioClip, AVSample, Query

__all__ = ["Caption"]


class Caption:
    """An audio captioner's caption as the query: one row for each noun phrase that names something visible.

    Panel (b) of BAaV (Lee & Seo, "Bridging Audio and Vision", Interspeech 2025, arXiv 2506.06537), where the whole
    caption is the query. Their released code gives the audio to an image captioner and cannot run. Here the caption is
    parsed for noun phrases, each a source of its own, without those that name nothing visible ("music", "background
    noise"): a caption with no other noun phrases gives an empty query.

    A captioner has a caption for everything, so near-silence is not captioned at all: a clip whose loudest second stays
    below ``min_level_db`` gives an empty query. And a caption has no probability: every phrase has weight 1, in the
    order of the caption, and only the detector and the verifier can reject it.

    Args:
        audio_captioner: captions audio clips.
        top_k: the most sources, at least 0; the first in the caption stay.
        min_level_db: the level that the loudest second must reach, in dB below full scale (RMS, a constant offset
            left out), at most 0.
        window_s: seconds of audio for one caption; a longer clip is captioned window by window, above 0.
        nouns: gives a caption's noun phrases that name something visible.

    Raises:
        InputError: ``top_k``, ``min_level_db`` or ``window_s`` is out of range.
    """

    def __init__(
        self,
        audio_captioner: AudioCaptioner,
        *,
        top_k: int = 3,
        min_level_db: float = -60.0,
        window_s: float = 10.0,
        nouns: Callable[[str], list[str]] = visible_things,
    ) -> None:
        if top_k < 0 or not min_level_db <= 0 or not 0 < window_s < math.inf:
            raise InputError(
                f"caption: top_k must be at least 0, min_level_db at most 0 and window_s above 0, got {top_k}, "
                f"{min_level_db} and {window_s}."
            )
        self.audio_captioner = audio_captioner
        self.nouns = nouns
        self.top_k, self.min_level_db, self.window_s = top_k, min_level_db, window_s

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """The visible things that each clip's caption names, whatever the image shows."""
        loud = [s.audio for s in samples if _level_db(s.audio) >= self.min_level_db]  # 1. clips that are not silent
        windows = [audible_windows(clip, self.window_s, self.window_s) for clip in loud]  # 2. what is audible in them
        captions = iter(self.audio_captioner.caption([window for each in windows for _, window in each]))  # 3. captions
        told = {id(clip): [(on, next(captions)) for on, _ in each] for clip, each in zip(loud, windows, strict=True)}
        return [self._query(told.get(id(sample.audio), []), sample.audio) for sample in samples]

    def _query(self, captions: Sequence[tuple[float, str]], clip: AudioClip) -> Query:
        spans: dict[str, list[tuple[float, float]]] = {}  # 4. visible noun phrases, and the windows of each
        for on, caption in captions:
            for thing in self.nouns(caption):
                spans.setdefault(thing, []).append((on, min(on + self.window_s, clip.duration_s)))
        things = Meanings().distinct(list(spans), looks=True)  # 5. one a meaning
        query = Query(things, np.ones(len(things), np.float32))
        if clip.duration_s > self.window_s and things:
            active = active_times(clip)
            query = replace(query, times=tuple(overlap(unite(spans[thing]), active) for thing in things))
        return query.top(self.top_k)


def _level_db(clip: AudioClip) -> float:
    """The level of a clip's loudest second, in dB below full scale, without its constant offset."""
    wave = clip.mono()
    seconds = windows(wave - wave.mean(dtype=np.float64).astype(np.float32), clip.sample_rate_hz, 1.0, 1.0)
    return max(map(rms_db, seconds))
