"""A toy-size instruct model with random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsavs.testing.tiny.encoders import seeded, tiny_card
from zsavs.testing.tiny.tokenizers import roberta_tokenizer

if TYPE_CHECKING:
    from zsavs.models.chat import ChatModel

__all__ = ["tiny_chat"]

_TEMPLATE = (
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def tiny_chat(seed: int = 0) -> ChatModel:
    """A Qwen2 of some 70 000 weights, replies of random word pieces, at most 8 of them."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from zsavs.models.chat import ChatModel

    tokenizer = roberta_tokenizer()
    tokenizer.chat_template = _TEMPLATE
    tokenizer.model_max_length = 4096
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=4096,
        initializer_range=0.5,  # wide enough that different questions are replied to differently
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with seeded(seed):
        model = Qwen2ForCausalLM(config)
    return ChatModel(model, tokenizer, card=tiny_card("tiny-chat", seed), max_new_tokens=8)
