"""Translated: what is heard, translated with what is seen into what to look for (OpenAVS)."""

from __future__ import annotations

from collections.abc import Sequence

from zsavs.calibration.tags import MOST_TAGS, TagListener, check_tagging
from zsavs.errors import InputError
from zsavs.protocols import AudioTagger, Captioner, Translator
from zsavs.translation.agreement import translated_query
from zsavs.types import AVSample, Query

__all__ = ["Translated"]


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
        tags = self.tags.listen([sample.audio for sample in samples], MOST_TAGS)  # 1. audio to text: labels, and when
        heard = [number for number, query in enumerate(tags) if len(query)]
        captions = self.captioner.caption([samples[number].image for number in heard])  # 2. image to text
        queries = [Query.nothing() for _ in samples]
        for number, caption in zip(heard, captions, strict=True):
            queries[number] = translated_query(  # 3. translation, and what its wordings agree on
                tags[number], caption, self.translator, self.translator.wordings, self.min_agreement
            ).top(self.top_k)
        return queries
