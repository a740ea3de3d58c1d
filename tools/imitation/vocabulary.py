"""Vocabularies of a few hundred entries, in the layouts and with the special ids of the published ones."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

__all__ = ["WORDS", "byte_pairs", "byte_symbols", "word_pieces"]

#: The words that are whole in every vocabulary; others come in pieces.
WORDS = (
    *("a", "the", "of", "in", "on", "with", "is", "and", "sound", "photo", "picture", "this", "near"),
    *("dog", "cat", "bird", "person", "man", "woman", "child", "baby", "car", "train", "rain", "wind", "sea"),
    *("piano", "guitar", "violin", "drum", "bell", "siren", "engine", "street", "music", "speech", "barking"),
    *("playing", "someone", "noise", "silence", "caption", "audio", "clotho"),
)

#: The ids of "[CLS]", "[SEP]", "." and "?" are written into Grounding DINO's code, so that punctuation, digits and
#: letters stand where they stand in bert-base-uncased.
_FIRST_ASCII = 999


def word_pieces(*, true_places: bool) -> list[str]:
    """The lines of a vocab.txt, as BERT's: [PAD] at 0, [UNK], [CLS], [SEP], [MASK] from 100.

    Args:
        true_places: ASCII from 999, as in bert-base-uncased; else right behind [MASK], for a smaller table.
    """
    lines = ["[PAD]", *(f"[unused{i}]" for i in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    if true_places:
        lines += [f"[unused{i}]" for i in range(99, 99 + _FIRST_ASCII - len(lines))]
    ascii_marks = [chr(code) for code in range(33, 123) if not chr(code).isupper()]
    letters = [f"##{chr(code)}" for code in range(97, 123)]
    return [*lines, *ascii_marks, *letters, *(word for word in WORDS if len(word) > 1)]


def byte_symbols() -> list[str]:
    """The 256 visible characters that stand for bytes in GPT-2's vocabulary and its kin, in their order there."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return [*map(chr, printable), *(chr(256 + place) for place in range(len(hidden)))]


def byte_pairs(words: Iterable[list[str]]) -> list[tuple[str, str]]:
    """Merges that make each word one symbol, in their order of rank.

    Args:
        words: each as its symbols (``["Ġ", "d", "o", "g"]``).
    """
    merges: dict[tuple[str, str], int] = {}
    for symbols in words:
        while len(symbols) > 1:
            pairs = list(itertools.pairwise(symbols))
            pair = min((pair for pair in pairs if pair in merges), key=lambda pair: merges[pair], default=pairs[0])
            place = pairs.index(pair)
            symbols = [*symbols[:place], "".join(pair), *symbols[place + 2 :]]
            merges.setdefault(pair, len(merges))
    return list(merges)
