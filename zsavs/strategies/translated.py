"""Translated: what is heard, translated with what is seen into what to look for (OpenAVS)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zsavs.calibration.tags import TagListener, check_tagging
from zsavs.errors import InputError
from zsavs.language.meanings import Meanings
from zsavs.media.activity import Times, unite
from zsavs.protocols import AudioTagger, Captioner, Scene, Translation, Translator
from zsavs.types import AVSample, Query

__all__ = ["Translated"]

#: The most tags of a clip that a translator is told.
_TAGS = 8


class Translated:
    """The audio's tags and the image's caption, translated into what to look for.

    OpenAVS (arXiv 2505.01448) turns audio into text, lets a language model translate it into a prompt for a segmenter,
    with a description of the image beside it, and asks for consistency over models, prompts and frames. Their code is
    closed; this follows the abstract. Here the audio's text is a tagger's labels, the translator is asked once in each
    of its wordings, and a source's score is its label's probability times the share of the wordings that name it. Rules
    have one wording, in which every share is 1.

    A source that fewer than ``min_agreement`` of the wordings name is left out; a clip without an audible label is not
    translated. The result's notes hold what was seen, what was asked and what was replied.

    Args:
        audio_tagger: gives probabilities for a fixed list of labels.
        captioner: captions images.
        translator: translates.
        top_k: the most sources, at least 0.
        min_probability, min_share: of a label that is heard, as for :class:`~zsavs.strategies.classify.Classify`.
        min_agreement: the share of the wordings that have to name a source, in [0, 1].

    Raises:
        InputError: a setting is out of range.
    """

    def __init__(
        self,
        audio_tagger: AudioTagger,
        captioner: Captioner,
        translator: Translator,
        *,
        top_k: int = 3,
        min_probability: float = 0.25,
        min_share: float = 0.0,
        min_agreement: float = 0.5,
    ) -> None:
        check_tagging("translated", top_k, min_probability, min_share)
        if not 0 <= min_agreement <= 1:
            raise InputError(f"translated: min_agreement must be in [0, 1], got {min_agreement}.")
        self.tags = TagListener(
            audio_tagger,
            str,  # a label is its own phrase
            min_probability=min_probability,
            min_share=min_share,
        )
        self.captioner = captioner
        self.translator = translator
        self.top_k, self.min_agreement = top_k, min_agreement

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """What the translator names for each sample's audio and image."""
        tags = self.tags.listen([sample.audio for sample in samples], _TAGS)  # 1. audio to text: labels, and when
        heard = [number for number, query in enumerate(tags) if len(query)]
        captions = self.captioner.caption([samples[number].image for number in heard])  # 2. image to text
        queries = [Query.nothing() for _ in samples]
        for number, caption in zip(heard, captions, strict=True):
            own = tags[number]
            scene = Scene(tuple(zip(own.phrases, map(float, own.weights), strict=True)), caption)
            start = time.perf_counter()
            asked = [  # 3. translation, in every wording
                self.translator.translate([scene], wording)[0] for wording in range(self.translator.wordings)
            ]
            seconds = time.perf_counter() - start
            query = self._agreed(own, scene, asked)  # 4. what the wordings agree on
            queries[number] = replace(query, seconds={"translation": seconds})
        return queries

    def _agreed(self, tags: Query, scene: Scene, asked: Sequence[Translation]) -> Query:
        """The sources that enough of the wordings name, each under its first name."""
        named = [sought for translation in asked for sought in translation.sources]
        phrases = Meanings().distinct([sought.phrase for sought in named], looks=True)
        rows: list[tuple[str, float, Times]] = []
        told: list[dict[str, Any]] = []
        for phrase in phrases:
            same = [[s for s in each.sources if _same(s.phrase, phrase)] for each in asked]
            agreement = sum(map(bool, same)) / len(asked)
            if agreement < self.min_agreement:
                continue
            own = [tags.phrases.index(sought.heard) for each in same for sought in each]
            times = tags.times or ((),) * len(tags)
            rows.append(
                (phrase, float(tags.weights[own].max()) * agreement, unite(t for row in set(own) for t in times[row]))
            )
            first = next(sought for each in same for sought in each)
            told.append({"phrase": phrase, "heard": first.heard, "reason": first.reason, "agreement": agreement})
        notes = {
            "translation": {
                "heard": dict(scene.heard),
                "seen": scene.seen,
                "sources": told,
                "asked": [dict(each.notes) for each in asked],
            }
        }
        return Query(
            tuple(phrase for phrase, _, _ in rows),
            np.array([weight for _, weight, _ in rows], np.float32),
            times=tuple(times for _, _, times in rows) if tags.times and rows else None,
            notes=notes,
        ).top(self.top_k)


def _same(one: str, other: str) -> bool:
    return len(Meanings().distinct([other, one], looks=True)) == 1
