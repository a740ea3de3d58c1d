"""Translation by tables, offline: what makes a sound, and under which name it is seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from zsavs.language.noun_phrases import noun_phrases
from zsavs.language.sound_sources import LabelPhrases, kinds_of, most_specific
from zsavs.language.word_forms import as_words, in_singular, key_of
from zsavs.protocols import Scene, Sought, Translation

__all__ = ["RuleTranslator"]

#: "seen_as": further names under which a phrase may be seen, beside its kinds; "makers": what to look for in the image
#: when a word is heard that names no visible thing.
_TABLES = json.loads((resources.files("zsavs") / "data" / "translation" / "rules.json").read_text(encoding="utf-8"))
_MAKERS = {word: maker for maker, words in _TABLES["makers"].items() for word in words}


class RuleTranslator:
    """Tables in place of a language model (:class:`zsavs.protocols.Translator`).

    A label becomes the thing that makes it (:class:`zsavs.language.sound_sources.LabelPhrases`): "Bark" a dog. Where
    the caption of the image names a kind of that thing, this is the phrase: "Siren" is an ambulance where one is seen,
    "Applause" an audience. A sound that no visible thing is known for ("Music") is what the image shows of its makers
    (a violin), or nothing. Of a general and a special name of one source the special one stays.

    Args:
        table: labels and their phrases, as for :class:`~zsavs.language.sound_sources.LabelPhrases`.

    Raises:
        VocabularyError: the table cannot be read.
    """

    wordings = 1

    def __init__(self, *, table: str | Path | Mapping[str, str | None] | None = None) -> None:
        self.phrase_of = LabelPhrases(table)

    def translate(self, scenes: Sequence[Scene], wording: int = 0) -> list[Translation]:
        """What makes the sounds of each scene. There is one wording, as nobody is asked."""
        return [self._translate(scene) for scene in scenes]

    def _translate(self, scene: Scene) -> Translation:
        seen = noun_phrases(scene.seen)
        found: dict[str, tuple[float, Sought]] = {}
        for label, weight in scene.heard:
            for sought in self._of(label, seen):
                if weight > found.get(sought.phrase, (-1.0, sought))[0]:
                    found[sought.phrase] = (weight, sought)
        kept = most_specific({phrase: weight for phrase, (weight, _) in found.items()})
        return Translation(tuple(found[phrase][1] for phrase in kept), {"by": "rules"})

    def _of(self, label: str, seen: Sequence[str]) -> list[Sought]:
        """What makes one sound: as it is seen, else as the tables name it."""
        phrase = self.phrase_of(label)
        maker = phrase or next((_MAKERS[word] for word in as_words(label).split() if word in _MAKERS), "")
        names = {key_of(name) for name in (maker, *kinds_of(maker), *_TABLES["seen_as"].get(maker, ()))} - {""}
        visible = [thing for thing in seen if key_of(thing) in names or in_singular(thing.split()[-1]) in names]
        if visible:
            return [Sought(thing, label, f"{thing} is seen, and can be what is heard as {label}") for thing in visible]
        return [Sought(phrase, label, f"{phrase} makes what is heard as {label}")] if phrase else []
