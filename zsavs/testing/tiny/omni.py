"""Toy omni models: the adapters around real thinkers with seeded random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zsavs.testing.tiny.encoders import seeded, tiny_card
from zsavs.testing.tiny.tokenizers import roberta_tokenizer

if TYPE_CHECKING:
    from zsavs.models.qwen_omni import Qwen3OmniModel, Qwen25OmniModel

__all__ = ["tiny_qwen2_5_omni", "tiny_qwen3_omni"]

_NAMED = {
    "image_token": "<|IMAGE|>",
    "audio_token": "<|AUDIO|>",
    "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
}
_TEMPLATE = (
    "{% for message in messages %}{{ message.role }}: {% for part in message.content %}"
    "{% if part.type == 'image' %}<|vision_bos|><|IMAGE|><|vision_eos|>"
    "{% elif part.type == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{{ '\n' }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)
_PATCH = 8


def _tokenizer() -> Any:
    from transformers import PreTrainedTokenizerFast

    plain = roberta_tokenizer(["yes", "no"])
    marks = {f"{kind}_token": getattr(plain, f"{kind}_token") for kind in ("bos", "eos", "pad", "unk")}
    return PreTrainedTokenizerFast(
        tokenizer_object=plain.backend_tokenizer,
        extra_special_tokens=_NAMED,
        padding_side="left",
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
        **marks,
    )


def _processor(kind: str, tokenizer: Any) -> Any:
    import transformers

    sizes = {"patch_size": _PATCH, "merge_size": 2, "size": {"shortest_edge": 32 * 32, "longest_edge": 64 * 64}}
    return getattr(transformers, kind)(
        transformers.Qwen2VLImageProcessor(**sizes),
        transformers.Qwen2VLVideoProcessor(**sizes),
        transformers.WhisperFeatureExtractor(feature_size=16, chunk_length=2),
        tokenizer,
        chat_template=_TEMPLATE,
    )


def _settings(tokenizer: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """What the towers for text, sight and hearing of both families have in common."""
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 4096,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [2, 1, 1]},
        # Wide enough that different questions are replied to differently.
        "initializer_range": 0.5,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    seeing = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_heads": 2,
        "patch_size": _PATCH,
        "out_hidden_size": 16,
        "initializer_range": 0.5,
    }
    hearing = {
        "num_mel_bins": 16,
        "encoder_layers": 1,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 16,
        "d_model": 16,
        "output_dim": 16,
        "initializer_range": 0.5,
    }
    return text, seeing, hearing


def tiny_qwen2_5_omni(seed: int = 0) -> Qwen25OmniModel:
    """A thinker of Qwen2.5-Omni of some 80 000 weights, replies of random word pieces, at most 8 of them."""
    from transformers import Qwen2_5OmniThinkerConfig, Qwen2_5OmniThinkerForConditionalGeneration

    from zsavs.models.qwen_omni import Qwen25OmniModel

    tokenizer = _tokenizer()
    text, seeing, hearing = _settings(tokenizer)
    config = Qwen2_5OmniThinkerConfig(
        text_config=text,
        vision_config={**seeing, "window_size": 32, "fullatt_block_indexes": [0]},
        audio_config={**hearing, "max_source_positions": 100},
        **_indices(tokenizer, "index"),
        audio_start_token_id=tokenizer.audio_bos_token_id,
        audio_end_token_id=tokenizer.audio_eos_token_id,
        vision_start_token_id=tokenizer.vision_bos_token_id,
    )
    with seeded(seed):
        model = Qwen2_5OmniThinkerForConditionalGeneration(config)
    processor = _processor("Qwen2_5OmniProcessor", tokenizer)
    return Qwen25OmniModel(model, processor, card=tiny_card("tiny-qwen2.5-omni", seed), max_new_tokens=8)


def tiny_qwen3_omni(seed: int = 0) -> Qwen3OmniModel:
    """A thinker of Qwen3-Omni of some 80 000 weights with four experts, replies as above."""
    from transformers import Qwen3OmniMoeThinkerConfig, Qwen3OmniMoeThinkerForConditionalGeneration

    from zsavs.models.qwen_omni import Qwen3OmniModel

    tokenizer = _tokenizer()
    text, seeing, hearing = _settings(tokenizer)
    config = Qwen3OmniMoeThinkerConfig(
        text_config={**text, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8, "head_dim": 8},
        vision_config={**seeing, "num_position_embeddings": 64, "deepstack_visual_indexes": []},
        audio_config={**hearing, "downsample_hidden_size": 8},
        **_indices(tokenizer, "id"),
        audio_start_token_id=tokenizer.audio_bos_token_id,
        vision_start_token_id=tokenizer.vision_bos_token_id,
    )
    with seeded(seed):
        model = Qwen3OmniMoeThinkerForConditionalGeneration(config)
    processor = _processor("Qwen3OmniMoeProcessor", tokenizer)
    return Qwen3OmniModel(model, processor, card=tiny_card("tiny-qwen3-omni", seed), max_new_tokens=8)


def _indices(tokenizer: Any, ending: str) -> dict[str, int]:
    kinds = ("image", "audio", "video")
    return {f"{kind}_token_{ending}": getattr(tokenizer, f"{kind}_token_id") for kind in kinds}
