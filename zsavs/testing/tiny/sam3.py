"""Toy-size SAM 3: the real classes, a few channels wide, with seeded random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zsavs.testing.tiny.encoders import seeded, tiny_card
from zsavs.testing.tiny.segmenters import TINY_PROMPTS
from zsavs.testing.tiny.tokenizers import clip_tokenizer
from zsavs.testing.tiny.trackers import TINY_MEMORY

if TYPE_CHECKING:
    from zsavs.models.sam3 import Sam3Grounder, Sam3Segmenter
    from zsavs.models.sam3_video import Sam3VideoSegmenter

__all__ = ["tiny_sam3", "tiny_sam3_segmenter", "tiny_sam3_video"]

#: Pixels of the square that it sees, in patches of 14.
_SIDE = 112


def _vision(width: int, spread: float) -> dict[str, Any]:
    """What SAM 3's image encoder and its pyramid are made of, with two blocks.

    Args:
        width: channels of the pyramid.
        spread: of its weights; wider than for training, so that images and places come out different.
    """
    grid = _SIDE // 14
    return {
        "model_type": "sam3_vision_model",
        "fpn_hidden_size": width,
        "backbone_feature_sizes": [[4 * grid] * 2, [2 * grid] * 2, [grid] * 2],
        "initializer_range": spread,
        "backbone_config": {
            "model_type": "sam3_vit_model",
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": _SIDE,
            "pretrain_image_size": _SIDE // 2,
            "window_size": grid // 2,
            "global_attn_indexes": [1],
            "initializer_range": 2 * spread,
        },
    }


def _detector() -> dict[str, Any]:
    """What SAM 3's detector is made of, but for its text model: one layer in each part, and 24 candidates."""
    part = {"hidden_size": 32, "num_attention_heads": 2, "initializer_range": 0.2}
    layers = {**part, "num_layers": 1, "intermediate_size": 32}
    return {
        "vision_config": _vision(32, 0.1),
        "geometry_encoder_config": layers,
        "detr_encoder_config": layers,
        "detr_decoder_config": {**layers, "num_layers": 2, "num_queries": 24},
        "mask_decoder_config": part,
    }


def tiny_sam3(seed: int = 0) -> Sam3Grounder:
    """SAM 3's detector with one layer in each part and 24 candidates; images are seen at 112 pixels.

    It keeps every candidate (threshold 0), as its scores mean nothing.

    Args:
        seed: of the weights.
    """
    import transformers

    from zsavs.models.sam3 import Sam3Grounder

    tokenizer = clip_tokenizer(max_length=32)
    text = {
        "model_type": "clip_text_model",
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "intermediate_size": 16,
        "projection_dim": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 32,
        "initializer_factor": 4.0,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    config = transformers.Sam3Config(text_config=text, initializer_range=0.2, **_detector())
    with seeded(seed):
        model = transformers.Sam3Model(config)
    return Sam3Grounder(
        model,
        transformers.Sam3ImageProcessor(size={"height": _SIDE, "width": _SIDE}),
        tokenizer,
        card=tiny_card("tiny-sam3", seed),
        threshold=0.0,
    )


def tiny_sam3_segmenter(seed: int = 0) -> Sam3Segmenter:
    """SAM 3's tracker for images, behind two blocks of its image encoder; images are seen at 112 pixels.

    Args:
        seed: of the weights.
    """
    import torch
    import transformers

    from zsavs.models.sam3 import Sam3Segmenter

    config = transformers.Sam3TrackerConfig(
        vision_config=_vision(32, 0.05),
        prompt_encoder_config={"hidden_size": 32, "image_size": _SIDE},
        mask_decoder_config=TINY_PROMPTS["mask_decoder_config"],
    )
    config.initializer_range = 0.2
    with seeded(seed):
        model = transformers.Sam3TrackerModel(config)
        torch.nn.init.normal_(model.no_memory_embedding, std=0.3)  # zero before training
    processor = transformers.Sam3ImageProcessor(size={"height": _SIDE, "width": _SIDE})
    return Sam3Segmenter(model, processor, card=tiny_card("tiny-sam3-segmenter", seed))


def tiny_sam3_video(seed: int = 8) -> Sam3VideoSegmenter:
    """SAM 3's tracker likewise, behind two blocks of its image encoder; images are seen at 112 pixels.

    Args:
        seed: of the weights. With some, no object is ever in sight.
    """
    import transformers

    from zsavs.models.sam3_video import Sam3VideoSegmenter

    config = transformers.Sam3TrackerVideoConfig(
        vision_config=_vision(128, 0.05),
        memory_attention_feed_forward_hidden_size=16,
        **{
            **TINY_MEMORY,
            "image_size": _SIDE,
            "prompt_encoder_config": {"hidden_size": 128, "image_size": _SIDE},
        },
    )
    config.initializer_range = 0.2
    with seeded(seed):
        model = transformers.Sam3TrackerVideoModel(config)
    processor = transformers.Sam3ImageProcessor(size={"height": _SIDE, "width": _SIDE})
    return Sam3VideoSegmenter(model, processor, card=tiny_card("tiny-sam3-video", seed))
