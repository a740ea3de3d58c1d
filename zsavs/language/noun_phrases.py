"""Noun phrases of a caption: what a captioner says is visible.

A caption is one short sentence about an image ("a man playing a guitar next to a brown dog"). Cutting it at
articles, prepositions, conjunctions, pronouns and verbs leaves its noun phrases, with no model to download. The
strategy scores every phrase against the sound anyway, so a stray one costs little, while a lost noun is lost for
good: in doubt a word stays. ``pip install "zsavs[spacy]"`` and a spaCy pipeline do it with a parser instead.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator
from importlib import resources
from itertools import pairwise

from zsavs.errors import MissingExtra

__all__ = ["noun_phrases", "spacy_noun_phrases", "without_looks"]

#: "cuts" end a noun phrase; "singular", "plural" and other "determiners" open one; "heads" only introduce another noun
#: where "of" follows ("a group of"); "verbs" and "verbs_s" are things as well ("a fly", "two drinks"); "ing_nouns" and
#: "ed_nouns" look like participles; "looks" are colours, sizes and ages, which make no other thing of one.
_words_file = resources.files("zsavs") / "data" / "caption_words.json"
_WORDS = {kind: frozenset(words) for kind, words in json.loads(_words_file.read_text(encoding="utf-8")).items()}
_OPENERS = _WORDS["singular"] | _WORDS["plural"] | _WORDS["determiners"]
#: Joiners within a word of some scripts, beside letters, marks and digits.
_JOINERS = "-'\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"


def noun_phrases(caption: str) -> list[str]:
    """Cut a caption into its noun phrases.

    Args:
        caption: English text; other languages come back cut at punctuation only.

    Returns:
        Lower-case phrases without articles and numbers, in order, each once; none for an empty caption.

    >>> noun_phrases("A man playing an acoustic guitar next to two brown dogs.")
    ['man', 'acoustic guitar', 'brown dogs']
    """
    phrases: dict[str, None] = {}
    current: list[str] = []
    opener = ""
    for word, following in pairwise([*_words(caption), ".", "."]):
        opens = word in _OPENERS or (word.isnumeric() and not current)
        if word in _WORDS["heads"] and following == "of":
            current = []
        elif opens or word == "." or word in _WORDS["cuts"] or _is_verb(word, opener, bool(current)):
            phrase = " ".join(current).removesuffix("'s")
            if phrase:
                phrases.setdefault(phrase)
            current, opener = [], word if opens else ""
        else:
            current.append(word)
    return list(phrases)


def without_looks(phrase: str) -> str:
    """A phrase less the colours, sizes and ages before its other words.

    >>> without_looks("large brown dog"), without_looks("acoustic guitar"), without_looks("orange")
    ('dog', 'acoustic guitar', 'orange')
    """
    words = phrase.split()
    while len(words) > 1 and words[0] in _WORDS["looks"]:
        del words[0]
    return " ".join(words)


def _words(caption: str) -> Iterator[str]:
    """Lower-case words of letters, marks and digits, and a full stop for every punctuation mark."""
    for chunk in "".join(map(_character, unicodedata.normalize("NFC", caption).lower())).split():
        word = chunk.strip(_JOINERS)
        yield word or "."


def _character(character: str) -> str:
    if character == "’":
        return "'"
    kind = unicodedata.category(character)
    if kind[0] in "LMN" or character in _JOINERS:
        return character
    return " . " if kind[0] == "P" and kind != "Pc" else " "


def _is_verb(word: str, opener: str, inside: bool) -> bool:
    """Whether a word that may be a verb is one here.

    Args:
        word: what to judge.
        opener: the article, pronoun or number that opened the phrase, "" for none.
        inside: whether the phrase has a word already.
    """
    if opener and not inside:
        return False  # "the drink", "a barking dog", "two parked cars"
    if word in _WORDS["verbs"]:
        return not opener or opener in _WORDS["plural"]  # "men ride", "two men ride"; not "a green fly"
    if word in _WORDS["verbs_s"]:
        return opener in _WORDS["singular"]  # "a man rides"; not "cold drinks", "two green flies"
    if word.endswith("ing"):
        return word not in _WORDS["ing_nouns"] and len(word) > 4
    return word.endswith("ed") and not word.endswith("eed") and word not in _WORDS["ed_nouns"] and len(word) > 3


def spacy_noun_phrases(pipeline: str = "en_core_web_sm") -> Callable[[str], list[str]]:
    """A noun chunker by spaCy's dependency parser, for :class:`zsavs.strategies.cross_modal.CrossModal`.

    Args:
        pipeline: name or path of an installed spaCy pipeline.

    Raises:
        MissingExtra: spaCy or the pipeline is not installed.
    """
    try:
        import spacy
    except ImportError as error:
        raise MissingExtra('noun phrases by spaCy need an extra; run: pip install "zsavs[spacy]"') from error
    try:
        parser = spacy.load(pipeline)
    except OSError as error:
        raise MissingExtra(f"spaCy has no pipeline {pipeline!r}; run: python -m spacy download {pipeline}") from error

    def chunks(caption: str) -> list[str]:
        words = (
            [token.lower_ for token in chunk if token.pos_ in ("NOUN", "PROPN", "ADJ")]
            for chunk in parser(caption).noun_chunks
        )
        return list(dict.fromkeys(" ".join(phrase) for phrase in words if phrase))

    return chunks
