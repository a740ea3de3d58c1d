"""Caption: a captioner describes the sound, a detector looks for what the caption names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from zsavs.errors import InputError
from zsavs.language.sound_sources import visible_things
from zsavs.media.waveform import rms_db, windows
from zsavs.protocols import AudioCaptioner
from zsavs.types import AudioClip, AVSample, Query

__all__ = ["Caption"]


class Caption:
    """An audio captioner describes the sound; the visible things that it names are looked for.

    Panel (b) of BAaV (Lee & Seo, "Bridging Audio and Vision", Interspeech 2025, arXiv 2506.06537), where the whole
    caption is the query. Their released code hands the sound to an image captioner and cannot run. Here the caption is
    cut into noun phrases, each a source of its own, without those that name nothing visible ("music", "background
    noise"): a caption of only such finds nothing.

    A captioner always says something, so near-silence is not asked about at all: a recording whose loudest second
    stays below ``min_level_db`` finds nothing. And it does not say how sure it is: every phrase weighs 1, in the order
    in which it is named, and it is left to the detector and the verifier to doubt it.

    Args:
        audio_captioner: describes sounds.
        top_k: the most sources to look for, at least 0; the first named stay.
        min_level_db: the level that the loudest second must reach, in dB below full scale (RMS, a constant offset
            left out), at most 0.
        nouns: cuts a caption into the visible things that it names.

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
        """The visible things that each sound's caption names, whatever the image shows."""
        loud = [sample.audio for sample in samples if _level_db(sample.audio) >= self.min_level_db]  # 1. is there any?
        captions = dict(zip(map(id, loud), self.audio_captioner.caption(loud), strict=True))  # 2. what is audible
        return [self._look_for(captions.get(id(sample.audio), "")) for sample in samples]

    def _look_for(self, caption: str) -> Query:
        things = list(dict.fromkeys(self.nouns(caption)))[: self.top_k]  # 3. its visible noun phrases
        return Query(tuple(things), np.ones(len(things), np.float32))


def _level_db(clip: AudioClip) -> float:
    """The level of a clip's loudest second, in dB below full scale, without its constant offset."""
    wave = clip.mono()
    seconds = windows(wave - wave.mean(dtype=np.float64).astype(np.float32), clip.sample_rate_hz, 1.0, 1.0)
    return max(map(rms_db, seconds))
