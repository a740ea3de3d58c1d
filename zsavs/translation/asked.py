"""What every language model is asked, and what becomes of its reply: read, repaired once, or else left to the rules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from zsavs.errors import InputError
from zsavs.protocols import Scene, Sought, Translation
from zsavs.translation.prompts import WORDINGS, Message, question, repair
from zsavs.translation.reply import Malformed, read_reply
from zsavs.translation.reply_cache import ReplyCache
from zsavs.translation.rules import RuleTranslator

__all__ = ["Asked", "AskedTranslator", "ask_in_form"]


class Asked(NamedTuple):
    """The sources of a reply, None where it was not in the form twice; and who replied what, in plain JSON values."""

    sources: tuple[Sought, ...] | None
    notes: dict[str, Any]


def ask_in_form(
    chat: Sequence[Message], ask: Callable[[Sequence[Message]], tuple[str, int]], heard: Sequence[str] | None
) -> Asked:
    """Ask for sources, and once more where the reply is not in the form (:mod:`zsavs.translation.reply`).

    Args:
        chat: the question.
        ask: gives the next turn of a chat and how many tokens both were.
        heard: as for :func:`~zsavs.translation.reply.read_reply`.

    Raises:
        ZsavsError: as ``ask``.
    """
    exchange: list[dict[str, str]] = [message._asdict() for message in chat]
    tokens, problem = 0, ""
    for by in ("model", "model, repaired"):
        text, took = ask(chat)
        tokens += took
        exchange.append({"role": "assistant", "content": text})
        try:
            sources = read_reply(text, heard)
        except Malformed as error:
            problem = str(error)
            if by == "model":
                again = repair(text, problem)
                chat = [*chat, *again]
                exchange.append(again[-1]._asdict())
            continue
        return Asked(sources, {"by": by, "exchange": exchange, "tokens": tokens})
    why = f"the model's reply was not in the form: {problem}"
    return Asked(None, {"by": "nobody", "why": why, "exchange": exchange, "tokens": tokens})


class AskedTranslator(ABC):
    """A language model as a translator (:class:`zsavs.protocols.Translator`); a subclass says how it is asked.

    A reply has to be JSON of one form (:mod:`zsavs.translation.reply`). One that is not is sent back once with what is
    wrong; if the second is not either, the rules answer, and the notes say so. A scene in which nothing is heard is not
    asked about. Replies are kept on disk by model and question, so that the same run again asks nobody.

    Args:
        model: what answers, with all that its answer depends on, in plain JSON values and without any key.
    """

    wordings = WORDINGS

    def __init__(self, model: Mapping[str, Any]) -> None:
        self.cache = ReplyCache(model)
        self.rules = RuleTranslator()

    @abstractmethod
    def ask(self, chat: Sequence[Message]) -> tuple[str, int]:
        """The model's reply to a chat, and how many tokens question and reply were (0 where nobody says).

        Raises:
            ZsavsError: it cannot be asked.
        """

    def translate(self, scenes: Sequence[Scene], wording: int = 0) -> list[Translation]:
        """What the model says makes the sounds of each scene.

        Raises:
            InputError: there is no such wording.
            ZsavsError: the model cannot be asked.
        """
        if not 0 <= wording < self.wordings:
            raise InputError(f"wording must be from 0 to {self.wordings - 1}, got {wording}.")
        return [self._translate(scene, wording) if scene.heard else Translation((), {}) for scene in scenes]

    def _translate(self, scene: Scene, wording: int) -> Translation:
        heard = [name for name, _ in scene.heard]
        asked = ask_in_form(question(scene, wording), self._reply, heard)
        if asked.sources is not None:
            return Translation(asked.sources, asked.notes)
        (translated,) = self.rules.translate([scene])
        return Translation(translated.sources, {**asked.notes, "by": "rules"})

    def _reply(self, chat: Sequence[Message]) -> tuple[str, int]:
        kept = self.cache.read(chat)
        if kept is None:
            text, tokens = self.ask(chat)
            kept = {"text": text, "tokens": tokens}
            self.cache.write(chat, kept)
        return kept["text"], kept["tokens"]
