"""Noun phrases of a caption: what a captioner says is visible.

A caption is one short sentence about a picture ("a man playing a guitar next to a brown dog"). Cutting it at
articles, prepositions, conjunctions, pronouns and verbs leaves its noun phrases, with no model to download. The
strategy scores every phrase against the sound anyway, so a stray one costs little, while a lost noun is lost for
good: in doubt a word stays. ``pip install "zsavs[spacy]"`` and a spaCy pipeline do it with a parser instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib import resources

from zsavs.errors import MissingExtra

__all__ = ["noun_phrases", "spacy_noun_phrases"]

#: What ends a noun phrase ("cuts"), what counts it ("numbers"), and nouns that look like participles.
_words_file = resources.files("zsavs") / "data" / "caption_words.json"
_WORDS = {kind: frozenset(words) for kind, words in json.loads(_words_file.read_text(encoding="utf-8")).items()}
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*|[.,;:!?()\"]")


def noun_phrases(caption: str) -> list[str]:
    """Cut a caption into its noun phrases.

    Args:
        caption: English text; other scripts come back cut at punctuation only.

    Returns:
        Lower-case phrases without articles and numbers, in order, each once; none for an empty caption.

    >>> noun_phrases("A man playing an acoustic guitar next to two brown dogs.")
    ['man', 'acoustic guitar', 'brown dogs']
    """
    phrases: dict[str, None] = {}
    current: list[str] = []
    for word in [*_WORD.findall(caption.lower()), "."]:
        if word in _WORDS["numbers"] and not current:
            continue
        if not word[0].isalnum() or word in _WORDS["cuts"] or word in _WORDS["numbers"] or _is_verb(word):
            phrase = " ".join(current).removesuffix("'s").removesuffix("’s")
            if phrase and not phrase.isnumeric():
                phrases.setdefault(phrase)
            current = []
        else:
            current.append(word)
    return list(phrases)


def _is_verb(word: str) -> bool:
    """Whether a word is a participle by its ending; caption verbs nearly always are."""
    if word.endswith("ing"):
        return word not in _WORDS["ing_nouns"] and len(word) > 4
    return word.endswith("ed") and word not in _WORDS["ed_nouns"] and len(word) > 3


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
