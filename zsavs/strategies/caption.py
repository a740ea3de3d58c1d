"""Caption: the audio's caption, whose noun phrases a detector is asked for (BAaV, b)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from zsavs.errors import InputError
from zsavs.language.meanings import Meanings
from zsavs.language.sound_sources import visible_things
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
        nouns: gives a caption's noun phrases that name something visible.

    Raises:
        InputError: ``top_k`` or ``min_level_db`` is out of range.
    """

    def __init__(
        self,
        audio_captioner: AudioCaptioner,
        *,
        top_k: int = 3,
        min_level_db: float = -60.0,
        nouns: Callable[[str], list[str]] = visible_things,
    ) -> None:
        if top_k < 0 or not min_level_db <= 0:
            raise InputError(
                f"caption: top_k must be at least 0 and min_level_db at most 0, got {top_k} and {min_level_db}."
            )
        self.audio_captioner = audio_captioner
        self.nouns = nouns
        self.top_k, self.min_level_db = top_k, min_level_db

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """The visible things that each clip's caption names, whatever the image shows."""
        loud = [s.audio for s in samples if _level_db(s.audio) >= self.min_level_db]  # 1. clips that are not silent
        captions = dict(zip(map(id, loud), self.audio_captioner.caption(loud), strict=True))  # 2. audio captions
        return [self._query(captions.get(id(sample.audio), "")) for sample in samples]

    def _query(self, caption: str) -> Query:
        things = Meanings().distinct(self.nouns(caption), looks=True)  # 3. visible noun phrases, one a meaning
        return Query(things, np.ones(len(things), np.float32)).top(self.top_k)


def _level_db(clip: AudioClip) -> float:
    """The level of a clip's loudest second, in dB below full scale, without its constant offset."""
    wave = clip.mono()
    seconds = windows(wave - wave.mean(dtype=np.float64).astype(np.float32), clip.sample_rate_hz, 1.0, 1.0)
    return max(map(rms_db, seconds))
