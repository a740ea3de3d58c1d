"""Phrases as Grounding DINO is asked for them: several in one prompt, and the tokens of each."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zsavs.errors import InputError

__all__ = ["Prompt", "Prompts"]

log = logging.getLogger(__name__)

#: What stands between two phrases of a prompt.
_BETWEEN = ". "


@dataclass(frozen=True)
class Prompt:
    """Some phrases in one text, and the tokens of each.

    Args:
        text: the phrases, each followed by a full stop.
        phrases: as asked.
        tokens: for each phrase the places of its tokens in the text.
    """

    text: str
    phrases: tuple[str, ...]
    tokens: tuple[list[int], ...]


class Prompts:
    """Phrases to prompts.

    Args:
        tokenizer: the model's, a fast one (with offsets).
        max_tokens: the most tokens of a prompt.
        phrases_per_prompt: the most phrases in one prompt.

    Raises:
        InputError: the tokenizer is a slow one.
    """

    def __init__(self, tokenizer: Any, max_tokens: int, phrases_per_prompt: int) -> None:
        if not tokenizer.is_fast:
            raise InputError("GroundingDinoGrounder: the tokenizer must be a fast one, which knows offsets.")
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        self.phrases_per_prompt = phrases_per_prompt

    def clean(self, phrase: str) -> str:
        """The phrase as it is asked: no delimiters, no line breaks, short enough for a prompt of its own."""
        text = " ".join(phrase.lower().replace(".", " ").replace("?", " ").split())
        short = text
        ends = [end for _, end in self.encode(text)[1]]
        room = self.max_tokens - 3  # start, full stop, end
        while room > 0 and len(self.encode(f"{short}.")[0]) > self.max_tokens:
            # Less room each time: a text cut within a word may take more tokens than the same part of the whole.
            short, room = text[: ends[room]].strip(), room - 1
        if short != text:
            log.warning(
                "a phrase is too long for Grounding DINO, only %d of its %d characters are asked: %.40s...",
                len(short),
                len(text),
                text,
            )
        return short

    def encode(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids of a text and the part of the text that each stands for; (0, 0) for the start and the end."""
        encoded = self.tokenizer(text, return_offsets_mapping=True, truncation=False, padding=False, verbose=False)
        return encoded["input_ids"], encoded["offset_mapping"]

    def of(self, phrases: Sequence[str]) -> list[Prompt]:
        """The prompts for some phrases, each phrase once, about equally many in each prompt, each short enough.

        In alphabetical order, so that the same phrases make the same prompts whatever their order in the query.
        """
        asked = sorted({phrase for phrase in phrases if phrase})
        if not asked:
            return []
        most = math.ceil(len(asked) / math.ceil(len(asked) / self.phrases_per_prompt))
        groups: list[list[str]] = [[]]
        for phrase in asked:
            joined = [*groups[-1], phrase]
            if len(joined) > most or (len(joined) > 1 and len(self.encode(_join(joined))[0]) > self.max_tokens):
                groups.append([])
            groups[-1].append(phrase)
        return [self._prompt(group) for group in groups]

    def _prompt(self, phrases: Sequence[str]) -> Prompt:
        text = _join(phrases)
        offsets = self.encode(text)[1]
        tokens, start = [], 0
        for phrase in phrases:
            end = start + len(phrase)
            tokens.append([t for t, (a, b) in enumerate(offsets) if a < b and start <= a and b <= end])
            start = end + len(_BETWEEN)
        return Prompt(text, tuple(phrases), tuple(tokens))


def _join(phrases: Sequence[str]) -> str:
    return _BETWEEN.join(phrases) + "."
