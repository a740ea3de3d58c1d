"""What one would look for when a tagger or a captioner names a sound: its visible source, if it has one.

A tagger says "Male speech, man speaking", a captioner "a dog barks in the distance"; a detector is asked for a man and
for a dog. Which words stand for what is data: ``audioset_phrases.json`` (each of AudioSet's 527 labels and its phrase,
null for a sound that nothing visible makes), ``sound_words.json`` (words of all other labels and of captions) and
``general_phrases.json`` (which phrase is a kind of which) in ``zsavs/data``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from zsavs.errors import VocabularyError, first_line
from zsavs.language.noun_phrases import noun_phrases
from zsavs.storage.files import read_text

__all__ = ["LabelPhrases", "kinds_of", "most_specific", "visible_things"]


def _data(name: str) -> Any:
    return json.loads((resources.files("zsavs") / "data" / name).read_text(encoding="utf-8"))


#: "doings" are what sounding things do, and end a phrase; "sources" maps words to what makes them heard; "plain" and
#: "qualities" say nothing beside another word; a phrase that ends in an "unseen" word names nothing visible.
_WORDS = _data("sound_words.json")
_DOINGS, _PLAIN, _QUALITIES, _UNSEEN = (frozenset(_WORDS[kind]) for kind in ("doings", "plain", "qualities", "unseen"))
_SOURCES = {word: source for source, words in _WORDS["sources"].items() for word in words}
_GENERAL: dict[str, frozenset[str]] = {
    general: frozenset(special) for general, special in _data("general_phrases.json").items()
}
_FORM = 'it should look like {"Bark": "dog", "Echo": null}.'


def visible_things(text: str) -> list[str]:
    """The things that a text about a sound names and that can be seen, in order, each once.

    Args:
        text: English; a caption, or a label in words.

    >>> visible_things("A dog barks while people talk and music plays in the background.")
    ['dog', 'people']
    >>> visible_things("Footsteps, then loud static noise.")
    ['person']
    """
    things = (_visible(phrase.split()) for phrase in noun_phrases(text) or text.lower().split())
    return list(dict.fromkeys(thing for thing in things if thing))


def _visible(words: list[str]) -> str:
    """What a noun phrase stands for: "dog" for "dog barks", "person" for "loud footsteps", "" for "white noise"."""
    words = [word for word in words if word not in _QUALITIES]
    # What follows what the thing does is how it does it: "bells ring loudly".
    done = next((place for place, word in enumerate(words) if place and word in _DOINGS), len(words))
    words = words[:done]
    while words and words[-1] in _PLAIN:
        words.pop()
    if not words:
        return ""
    if words[-1] in _SOURCES:
        return str(_SOURCES[words[-1]])
    nothing = words[-1] in _UNSEEN or (len(words) == 1 and words[0] in _DOINGS)  # "hum", "revs"
    return "" if nothing else " ".join(words)


class LabelPhrases:
    """The phrase that a detector is asked for each label of a tagger.

    A label is looked up in the table, whatever its case, commas, underscores and "and"
    (``Male_speech_and_man_speaking`` is "Male speech, man speaking"), or cut at its first comma, as some taggers cut
    their labels. If it is not there, brackets and what follows a comma are dropped, and it is looked up again ("Organ
    (church), playing" as "Organ"). If it still is not, the first visible thing of what is left is the phrase
    ("dog_barking" asks for "dog", "sneezing" for "person", "engine noise" for "engine", "synth pop music" for nothing).

    Args:
        table: labels and phrases, None or "" for a sound that nothing visible makes: a mapping, or the path of a JSON
            file that holds one. It is laid over AudioSet's, so it may be short. None for AudioSet's alone.

    Raises:
        VocabularyError: the table cannot be read, or is no table of strings.
    """

    def __init__(self, table: str | Path | Mapping[str, str | None] | None = None) -> None:
        own = table if isinstance(table, Mapping) else {} if table is None else _read(Path(table))
        self._whole: dict[str, str] = {}
        self._heads: dict[str, str] = {}
        for label, phrase in [*_data("audioset_phrases.json").items(), *own.items()]:
            if not isinstance(label, str) or not (phrase is None or isinstance(phrase, str)):
                raise VocabularyError(
                    f"the table of labels: {label!r} must stand for a string or null, got {phrase!r}."
                )
            phrase = " ".join((phrase or "").split())
            self._whole[_key(label)] = phrase
            self._heads[_key(label.split(",")[0])] = phrase

    def __call__(self, label: str) -> str:
        """The phrase for a label; "" for a sound that nothing visible makes."""
        head = re.sub(r"\([^)]*\)|\[[^\]]*\]", " ", label).split(",")[0].replace("_", " ")
        for key in (_key(label), _key(head)):
            for known in (self._whole, self._heads):
                if key in known:
                    return known[key]
        return next(iter(visible_things(head)), "")


def most_specific(heard: Mapping[str, float]) -> dict[str, float]:
    """Leave out the phrases that a more special one explains: an animal where a dog is heard.

    Taggers of a hierarchy of labels hear every ancestor with a sound, and surer than the sound itself.

    >>> most_specific({"animal": 0.9, "dog": 0.8, "vehicle": 0.7})
    {'dog': 0.8, 'vehicle': 0.7}
    """
    return {phrase: p for phrase, p in heard.items() if not _GENERAL.get(phrase, frozenset()) & heard.keys()}


def kinds_of(phrase: str) -> frozenset[str]:
    """The phrases that are a kind of one: those of all animals for "animal", none for "dog"."""
    return _GENERAL.get(phrase, frozenset())


def _key(label: str) -> str:
    """A label's words, whatever joins them."""
    return " ".join(word for word in re.findall(r"[^\W_]+", label.casefold()) if word != "and")


def _read(path: Path) -> Mapping[Any, Any]:
    try:
        table = json.loads(read_text(path.expanduser()))
    except FileNotFoundError as error:
        raise VocabularyError(f"{path}: no such file; give a JSON file of labels and phrases.") from error
    except (
        OSError,
        RuntimeError,
        ValueError,
    ) as error:  # RuntimeError: nested too deep; ValueError: no UTF-8, no JSON
        raise VocabularyError(f"{path}: cannot be read as JSON ({first_line(error)}); {_FORM}") from error
    if not isinstance(table, Mapping):
        raise VocabularyError(f"{path}: holds no table; {_FORM}")
    return table
