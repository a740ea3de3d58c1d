"""The form of a language model's reply: JSON of a fixed schema, and nothing that could be anything else."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from zsavs.language.word_forms import key_of
from zsavs.protocols import Sought
from zsavs.translation.prompts import clean

__all__ = ["Malformed", "read_reply"]

#: The most sources that a reply may name, words of a phrase, and characters of a phrase and of a reason.
_MOST_SOURCES, _MOST_WORDS, _MOST_CHARACTERS, _LONGEST_REASON = 8, 6, 60, 300
_KEYS = {"phrase", "heard", "reason"}
_PHRASE = re.compile(r"[^\W\d_]+(?:[ '-][^\W_]+)*")


class Malformed(ValueError):
    """A reply is not in the form; says in a few words of ours, none of the reply's, what is wrong."""


def read_reply(text: str, heard: Sequence[str] | None) -> tuple[Sought, ...]:
    """The sources that a reply names, each once.

    Around the JSON there may be white space and a Markdown fence, and no other word.

    Args:
        text: the reply.
        heard: the sounds that it was asked about; None for a model that hears for itself, which says in a few words of
            its own what it hears.

    Raises:
        Malformed: it is not JSON of the schema, or names a sound that it was not asked about, or its phrase is none.
    """
    by_words = None if heard is None else {key_of(clean(name)): name for name in heard}
    sources: dict[str, Sought] = {}
    for item in _items(text):
        if not isinstance(item, dict) or set(item) != _KEYS or not all(isinstance(v, str) for v in item.values()):
            raise Malformed('each source needs just "phrase", "heard" and "reason", all strings')
        phrase = " ".join(item["phrase"].split()).lower()
        if not _PHRASE.fullmatch(phrase) or len(phrase.split()) > _MOST_WORDS or len(phrase) > _MOST_CHARACTERS:
            raise Malformed(f'"phrase" must be one to {_MOST_WORDS} plain words')
        told = clean(item["heard"])
        name = told[:_MOST_CHARACTERS] if by_words is None else by_words.get(key_of(told))
        if not name:
            raise Malformed('"heard" must be ' + ("in plain words" if by_words is None else "one of the sounds"))
        reason = clean(item["reason"][:_LONGEST_REASON])
        sources.setdefault(key_of(phrase), Sought(phrase, name, reason))
    return tuple(sources.values())


def _items(text: str) -> list[Any]:
    fenced = re.fullmatch(r"\s*```(?:json)?\s*(.*?)\s*```\s*", text, re.DOTALL)
    try:
        told = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        raise Malformed("it is not JSON") from None
    if not isinstance(told, dict) or set(told) != {"sources"} or not isinstance(told["sources"], list):
        raise Malformed('it must be an object with the one key "sources", a list')
    if len(told["sources"]) > _MOST_SOURCES:
        raise Malformed(f"it may name at most {_MOST_SOURCES} sources")
    return told["sources"]
