"""Toy-size trackers: the real classes, a few channels wide, with seeded random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zsavs.testing.tiny.encoders import seeded, tiny_card
from zsavs.testing.tiny.segmenters import TINY_REPVIT

if TYPE_CHECKING:
    from zsavs.models.edgetam_video import EdgeTamVideoSegmenter
    from zsavs.models.sam2_video import Sam2VideoSegmenter

__all__ = ["TINY_MEMORY", "tiny_edgetam_video", "tiny_sam2_video"]

#: The memory's features have 64 channels by its code, and pointers to objects have to be wider.
_WIDTH = 128
TINY_MEMORY: dict[str, Any] = {
    "image_size": 128,
    "num_maskmem": 3,
    "max_object_pointers_in_encoder": 4,
    "memory_attention_hidden_size": _WIDTH,
    "memory_attention_num_layers": 1,
    "memory_attention_rope_feat_sizes": [8, 8],
    "memory_encoder_hidden_size": _WIDTH,
    "memory_encoder_output_channels": 64,
    "mask_downsampler_embed_dim": _WIDTH,
    "memory_fuser_num_layers": 1,
    "memory_fuser_embed_dim": _WIDTH,
    "memory_fuser_intermediate_dim": 32,
    "prompt_encoder_config": {"hidden_size": _WIDTH, "image_size": 128, "patch_size": 16},
    "mask_decoder_config": {
        "hidden_size": _WIDTH,
        "mlp_dim": 32,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": 16,
    },
}
_FEATURES: dict[str, Any] = {
    "backbone_channel_list": [64, 32, 16, 8],
    "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
    "fpn_hidden_size": _WIDTH,
}


def tiny_sam2_video(seed: int = 0) -> Sam2VideoSegmenter:
    """SAM 2 with a memory of three frames and pointers of four; images are seen at 128 pixels.

    Args:
        seed: of the weights.
    """
    from transformers import Sam2ImageProcessor, Sam2VideoConfig, Sam2VideoModel

    from zsavs.models.sam2_video import Sam2VideoSegmenter

    hiera = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "image_size": [128, 128],
        "num_attention_heads": 1,
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 2, 2],
        "window_size_per_stage": [8, 4, 4, 2],
        # Never the first block of a stage: there the window of a global block divides by zero.
        "global_attention_blocks": [3],
        "window_positional_embedding_background_size": [4, 4],
    }
    config = Sam2VideoConfig(
        vision_config={"model_type": "sam2_vision_model", "backbone_config": hiera, **_FEATURES},
        memory_attention_feed_forward_hidden_size=16,
        **TINY_MEMORY,
    )
    config.initializer_range = 0.2  # wider than for training, so that masks and places come out different
    with seeded(seed):
        model = Sam2VideoModel(config)
    processor = Sam2ImageProcessor(size={"height": 128, "width": 128}, mask_size={"height": 32, "width": 32})
    return Sam2VideoSegmenter(model, processor, card=tiny_card("tiny-sam2-video", seed))


def tiny_edgetam_video(seed: int = 1) -> EdgeTamVideoSegmenter:
    """EdgeTAM likewise, behind a RepViT of four blocks.

    Args:
        seed: of the weights. With some, no object is ever in sight.
    """
    from transformers import (
        EdgeTamVideoConfig,
        EdgeTamVideoModel,
        EdgeTamVisionConfig,
        Sam2ImageProcessor,
        TimmWrapperConfig,
    )

    from zsavs.models.edgetam_video import EdgeTamVideoSegmenter

    config = EdgeTamVideoConfig(
        vision_config=EdgeTamVisionConfig(backbone_config=TimmWrapperConfig(**TINY_REPVIT), **_FEATURES),
        memory_attention_mlp_hidden_size=16,
        memory_attention_rope_k_sizes=[4, 4],
        perceiver_resampler_num_latents=16,
        perceiver_resampler_num_latents_2d=16,
        perceiver_resampler_mlp_intermediate_size=32,
        perceiver_resampler_num_layers=1,
        **TINY_MEMORY,
    )
    config.initializer_range = 0.2
    with seeded(seed):
        model = EdgeTamVideoModel(config)
    processor = Sam2ImageProcessor(size={"height": 128, "width": 128}, mask_size={"height": 32, "width": 32})
    return EdgeTamVideoSegmenter(model, processor, card=tiny_card("tiny-edgetam-video", seed))
