"""Phrases as Grounding DINO is asked for them: several in one prompt, and the tokens of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zsavs.models.prompts import Prompt, Prompts

__all__ = ["GroundingDinoPrompts", "TokenPrompt"]

#: What stands between two phrases of a prompt.
_BETWEEN = ". "


@dataclass(frozen=True)
class TokenPrompt(Prompt):
    """Some phrases in one text, each followed by a full stop, and the tokens of each.

    Args:
        tokens: for each phrase the places of its tokens in the text.
    """

    tokens: tuple[list[int], ...]


class GroundingDinoPrompts(Prompts[TokenPrompt]):
    """Phrases to prompts that say where each phrase is."""

    family = "Grounding DINO"

    def join(self, phrases: Sequence[str]) -> str:
        """The phrases, each followed by a full stop."""
        return _BETWEEN.join(phrases) + "."

    def plain(self, phrase: str) -> str:
        """Without what the model takes for the end of a phrase."""
        return super().plain(phrase.replace(".", " ").replace("?", " "))

    def make(self, phrases: Sequence[str]) -> TokenPrompt:
        """The prompt for some phrases, and where in it each of them is."""
        text = self.join(phrases)
        offsets = self.encode(text)[1]
        tokens, start = [], 0
        for phrase in phrases:
            end = start + len(phrase)
            tokens.append([t for t, (a, b) in enumerate(offsets) if a < b and start <= a and b <= end])
            start = end + len(_BETWEEN)
        return TokenPrompt(text, tuple(phrases), tuple(tokens))
