"""Phrases as a detector is asked for them where it reads the image with a whole text: several in one prompt, or one."""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from zsavs.errors import InputError

__all__ = ["Prompt", "Prompts"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prompt:
    """Some phrases in one text.

    Args:
        text: what the model reads.
        phrases: as asked.
    """

    text: str
    phrases: tuple[str, ...]


P = TypeVar("P", bound=Prompt)


class Prompts(ABC, Generic[P]):
    """Phrases to prompts; a subclass says what the text of a prompt is.

    Args:
        tokenizer: the model's, a fast one (with offsets).
        max_tokens: the most tokens of a prompt.
        phrases_per_prompt: the most phrases in one prompt.

    Raises:
        InputError: the tokenizer is a slow one.
    """

    #: The model, for messages.
    family: ClassVar[str] = ""

    def __init__(self, tokenizer: Any, max_tokens: int, phrases_per_prompt: int) -> None:
        if not tokenizer.is_fast:
            raise InputError(f"{self.family}: the tokenizer must be a fast one, which knows offsets.")
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        self.phrases_per_prompt = phrases_per_prompt

    @abstractmethod
    def join(self, phrases: Sequence[str]) -> str:
        """The text that asks for some phrases."""

    @abstractmethod
    def make(self, phrases: Sequence[str]) -> P:
        """The prompt that asks for some phrases."""

    def plain(self, phrase: str) -> str:
        """The phrase in lower case, with single blanks."""
        return " ".join(phrase.lower().split())

    def clean(self, phrase: str) -> str:
        """The phrase as it is asked: plain, and short enough for a prompt of its own."""
        text = self.plain(phrase)
        short = text
        ends = [end for _, end in self.encode(text)[1]]
        room = self.max_tokens - len(self.encode(self.join([""]))[0])
        while room > 0 and not self._fits([short]):
            # Less room each time: a text cut within a word may take more tokens than the same part of the whole.
            short, room = text[: ends[room]].strip(), room - 1
        if short != text:
            log.warning(
                "a phrase is too long for %s, only %d of its %d characters are asked: %.40s...",
                self.family,
                len(short),
                len(text),
                text,
            )
        return short

    def encode(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids of a text and the part of the text that each stands for; (0, 0) for the start and the end."""
        encoded = self.tokenizer(text, return_offsets_mapping=True, truncation=False, padding=False, verbose=False)
        return encoded["input_ids"], encoded["offset_mapping"]

    def of(self, phrases: Sequence[str]) -> list[P]:
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
            if len(joined) > most or (len(joined) > 1 and not self._fits(joined)):
                groups.append([])
            groups[-1].append(phrase)
        return [self.make(group) for group in groups]

    def _fits(self, phrases: Sequence[str]) -> bool:
        return len(self.encode(self.join(phrases))[0]) <= self.max_tokens
