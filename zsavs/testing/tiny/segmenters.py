"""Toy-size segmenters: the real classes, a few channels wide, with seeded random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsavs.testing.tiny.encoders import seeded, tiny_card

if TYPE_CHECKING:
    from zsavs.models.sam2 import Sam2Segmenter

__all__ = ["tiny_sam2"]


def tiny_sam2(seed: int = 0) -> Sam2Segmenter:
    """SAM 2 with five backbone blocks; images are seen at 128 pixels, masks come out of the decoder at 32.

    Args:
        seed: of the weights.
    """
    from transformers import Sam2Config, Sam2ImageProcessor, Sam2Model

    from zsavs.models.sam2 import Sam2Segmenter

    width = 32
    config = Sam2Config(
        vision_config={
            "backbone_config": {
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
            },
            "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
            "fpn_hidden_size": width,
        },
        prompt_encoder_config={"hidden_size": width, "image_size": 128, "patch_size": 16},
        mask_decoder_config={
            "hidden_size": width,
            "mlp_dim": 32,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 16,
        },
    )
    config.initializer_range = 0.2  # wider than for training, so that prompts and places come out different
    with seeded(seed):
        model = Sam2Model(config)
    processor = Sam2ImageProcessor(size={"height": 128, "width": 128}, mask_size={"height": 32, "width": 32})
    return Sam2Segmenter(model, processor, card=tiny_card("tiny-sam2", seed))
