"""An instruct model of transformers, asked in the turns of a chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zsavs.errors import WeightsError, first_line
from zsavs.models.adapter import Adapter
from zsavs.models.batching import inference
from zsavs.models.checkpoints import MODEL_FILES, check_tokenizer, needing
from zsavs.models.inputs import check_counts
from zsavs.models.runtime import quiet
from zsavs.storage.weights import WeightCard

__all__ = ["CARDS", "DEFAULT", "ChatModel"]

DEFAULT = "Qwen/Qwen2.5-1.5B-Instruct"

_MODEL = "AutoModelForCausalLM"

_FILES = (*MODEL_FILES, "tokenizer.json | vocab.json + merges.txt", "tokenizer_config.json")
_TEXT = "text in many languages, and instructions with answers; no images, no audio"

CARDS: dict[str, WeightCard] = {
    DEFAULT: WeightCard(DEFAULT, "Apache-2.0", 3090, _TEXT, verified="licence and size from memory, look before use"),
    "Qwen/Qwen2.5-0.5B-Instruct": WeightCard(
        "Qwen/Qwen2.5-0.5B-Instruct", "Apache-2.0", 990, _TEXT, verified="licence and size from memory, look before use"
    ),
}
CARDS = needing(CARDS, _FILES)


class ChatModel(Adapter):
    """A language model that was tuned to follow instructions, with a chat template of its own.

    Decoding is greedy, so that nothing is drawn at random. One chat at a time: padding would change the numbers.

    Args:
        model: a causal language model of transformers; it is moved, frozen and put into evaluation mode.
        tokenizer: its tokenizer, with a chat template.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        max_new_tokens: the longest reply, at least 1.

    Raises:
        InputError: ``max_new_tokens`` is out of range.
        WeightsError: the tokenizer is not the model's own, or has no chat template.
    """

    cards, default, files = CARDS, DEFAULT, _FILES
    parts = (_MODEL, "AutoTokenizer")

    def __init__(
        self, model: Any, tokenizer: Any, *, card: WeightCard, device: str = "cpu", max_new_tokens: int = 300
    ) -> None:
        check_counts(self, max_new_tokens=max_new_tokens)
        check_tokenizer(tokenizer, model.config.vocab_size, card.source)
        if not tokenizer.chat_template:
            raise WeightsError(
                f"{card.source}: its tokenizer has no chat template, so it is no instruct model; name one that is, "
                f"such as {DEFAULT}."
            )
        super().__init__(model, card, device)
        self.tokenizer = tokenizer
        self.max_new_tokens = max_new_tokens

    def reply(self, chat: Sequence[Mapping[str, str]]) -> tuple[str, int]:
        """The model's next turn.

        Args:
            chat: turns with "role" and "content".

        Returns:
            The reply, stripped, and how many tokens the chat and the reply were together.

        Raises:
            WeightsError: the template takes no such chat, or the device's memory is too small.
        """
        try:
            inputs = self.tokenizer.apply_chat_template(
                [dict(turn) for turn in chat], add_generation_prompt=True, return_tensors="pt", return_dict=True
            ).to(self.device)
        except Exception as error:  # a template is a program of the checkpoint, and may raise anything
            raise WeightsError(f"{self.card.source}: its chat template failed ({first_line(error)}).") from error
        asked = inputs["input_ids"].shape[1]
        with inference(_MODEL), quiet():
            tokens = self.model.generate(
                **inputs, do_sample=False, temperature=None, top_p=None, top_k=None, max_new_tokens=self.max_new_tokens
            )
        text: str = self.tokenizer.decode(tokens[0, asked:], skip_special_tokens=True)
        return text.strip(), int(tokens.shape[1])
