"""Pivot: tags pruned and merged with what is seen, and one pivot box for each of them (AL-Ref-SAM2)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from zsavs.calibration.tags import MOST_TAGS, TagListener, check_tagging
from zsavs.language.meanings import Meanings
from zsavs.language.vocabulary import load_vocabulary
from zsavs.protocols import AudioTagger, Captioner, Translator
from zsavs.translation.agreement import translated_query
from zsavs.types import AVSample, Query

__all__ = ["Pivot"]


class Pivot:
    """The audio's tags, pruned and merged to classes, each with a single pivot box.

    AL-Ref-SAM2 (Huang et al., AAAI 2025, arXiv 2408.15876) tags the audio, lets GPT-4 drop tags of nothing visible,
    merge synonyms, map them to the benchmark's classes and choose a pivot frame; a detector grounds the bare class
    there, GPT-4 chooses one box, and SAM 2 propagates its mask through the video. Here a translator prunes and merges,
    told a caption in place of frames; a source that means one of the vocabulary's labels takes its name; the pivot box
    of a source is the grounder's best. In a video the pivot frames are those of the tracker: ``sam2_video`` looks where
    the evidence is strongest and propagates both ways, ``associate`` looks at every frame.

    Args:
        audio_tagger: gives probabilities for a fixed list of labels.
        captioner: captions images.
        translator: prunes and merges; asked once.
        vocabulary: classes to map sources to, where they mean the same.
        top_k: the most sources, at least 0.
        min_probability, min_share: of a label that is heard, as for :class:`~zsavs.strategies.classify.Classify`.

    Raises:
        InputError: a setting is out of range.
    """

    #: One region for each source.
    stages: ClassVar[dict[str, str]] = {"verifier": "pivot_box"}

    def __init__(
        self,
        audio_tagger: AudioTagger,
        captioner: Captioner,
        translator: Translator,
        vocabulary: str | Path | Sequence[str] = "everyday",
        *,
        top_k: int = 3,
        min_probability: float = 0.25,
        min_share: float = 0.0,
    ) -> None:
        check_tagging("pivot", top_k, min_probability, min_share)
        self.tags = TagListener(
            audio_tagger,
            str,  # a label is its own phrase
            min_probability=min_probability,
            min_share=min_share,
        )
        self.captioner, self.translator = captioner, translator
        self.classes = load_vocabulary(vocabulary)
        self.top_k = top_k

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """The classes that the translator leaves of each sample's tags."""
        tags = self.tags.listen([sample.audio for sample in samples], MOST_TAGS)  # 1. tags, and when
        heard = [number for number, query in enumerate(tags) if len(query)]
        captions = self.captioner.caption([samples[number].image for number in heard])  # 2. what is seen
        queries = [Query.nothing() for _ in samples]
        for number, caption in zip(heard, captions, strict=True):
            queries[number] = translated_query(  # 3. pruned and merged, mapped to classes
                tags[number], caption, self.translator, 1, 1.0, self._class_of
            ).top(self.top_k)
        return queries

    def _class_of(self, phrase: str) -> str:
        """The class that means a phrase; the phrase itself where there is none."""
        same = Meanings().same([phrase], self.classes)[0]
        return self.classes[int(same.argmax())] if same.any() else phrase
