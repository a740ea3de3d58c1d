"""An instruct model on this machine as a translator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

from zsavs.models.chat import CARDS, DEFAULT, ChatModel
from zsavs.translation.asked import AskedTranslator
from zsavs.translation.prompts import Message

__all__ = ["CARDS", "DEFAULT", "ChatTranslator"]


class ChatTranslator(AskedTranslator):
    """A local language model that is asked what makes a sound (:class:`zsavs.protocols.Translator`).

    The model is loaded at the first question whose reply is not on disk, so a run that was made before needs none.

    Args:
        open_model: gives the model.
        name: of the checkpoint and of all else that its replies depend on; replies are kept under it.
    """

    cards, default, files = CARDS, DEFAULT, ChatModel.files

    def __init__(self, open_model: Callable[[], ChatModel], name: str) -> None:
        super().__init__({"chat": name})
        self._open = open_model

    @classmethod
    def load(
        cls,
        checkpoint: str | Path = "",
        *,
        revision: str = "main",
        device: str = "auto",
        dtype: str = "auto",
        max_new_tokens: int = 300,
    ) -> Self:
        """A checkpoint that is on this machine, to be loaded when it is first asked.

        Args:
            checkpoint: a hub repository with a chat template, or a folder; left out, the class's ``default``.
            revision: branch, tag or commit of a hub repository.
            device, dtype: see :mod:`zsavs.models.runtime`.
            max_new_tokens: the longest reply.

        Raises:
            InputError, MissingWeights, WeightsError: at the first question, as :meth:`ChatModel.load`.
        """
        chosen = str(checkpoint) or cls.default
        settings = {"revision": revision, "device": device, "dtype": dtype, "max_new_tokens": max_new_tokens}
        name = " ".join([chosen, *(str(value) for value in settings.values())])
        return cls(partial(ChatModel.load, chosen, **settings), name)  # type: ignore[arg-type]

    @cached_property
    def model(self) -> ChatModel:
        """The model, loaded when it is first looked at."""
        return self._open()

    def ask(self, chat: Sequence[Message]) -> tuple[str, int]:
        """The model's reply, greedy, and the number of tokens."""
        turns: list[dict[str, Any]] = [message._asdict() for message in chat]
        return self.model.reply(turns)
