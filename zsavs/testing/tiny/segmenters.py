"""Toy-size segmenters: the real classes, a few channels wide, with seeded random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zsavs.testing.tiny.encoders import seeded, tiny_card

if TYPE_CHECKING:
    from zsavs.models.edgetam import EdgeTamSegmenter
    from zsavs.models.sam2 import Sam2Segmenter

__all__ = ["TINY_PROMPTS", "TINY_REPVIT", "tiny_edgetam", "tiny_sam2"]

_SIDE, _WIDTH = 128, 32
_FEATURES: dict[str, Any] = {
    "backbone_channel_list": [64, 32, 16, 8],
    "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
    "fpn_hidden_size": _WIDTH,
}
#: A RepViT of four blocks, as timm makes it for EdgeTAM.
TINY_REPVIT: dict[str, Any] = {
    "architecture": "repvit_m1",
    "model_args": {
        "in_chans": 3,
        "features_only": True,
        "out_indices": [0, 1, 2, 3],
        "embed_dim": [8, 16, 32, 64],
        "depth": [1, 1, 1, 1],
    },
}
#: The parts that make masks of boxes and points.
TINY_PROMPTS: dict[str, Any] = {
    "prompt_encoder_config": {"hidden_size": _WIDTH, "image_size": _SIDE, "patch_size": 16},
    "mask_decoder_config": {
        "hidden_size": _WIDTH,
        "mlp_dim": 32,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": 16,
    },
}


def tiny_sam2(seed: int = 0) -> Sam2Segmenter:
    """SAM 2 with five backbone blocks; images are seen at 128 pixels, masks come out of the decoder at 32.

    Args:
        seed: of the weights.
    """
    from transformers import Sam2Config, Sam2Model

    from zsavs.models.sam2 import Sam2Segmenter

    config = Sam2Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": 8,
                "image_size": [_SIDE, _SIDE],
                "num_attention_heads": 1,
                "blocks_per_stage": [1, 1, 2, 1],
                "embed_dim_per_stage": [8, 16, 32, 64],
                "num_attention_heads_per_stage": [1, 1, 2, 2],
                "window_size_per_stage": [8, 4, 4, 2],
                # Never the first block of a stage: there the window of a global block divides by zero.
                "global_attention_blocks": [3],
                "window_positional_embedding_background_size": [4, 4],
            },
            **_FEATURES,
        },
        **TINY_PROMPTS,
    )
    config.initializer_range = 0.2  # wider than for training, so that prompts and places come out different
    with seeded(seed):
        model = Sam2Model(config)
    return Sam2Segmenter(model, _processor(), card=tiny_card("tiny-sam2", seed))


def tiny_edgetam(seed: int = 0) -> EdgeTamSegmenter:
    """EdgeTAM likewise, behind a RepViT of four blocks.

    Args:
        seed: of the weights.
    """
    from transformers import EdgeTamConfig, EdgeTamModel, EdgeTamVisionConfig, TimmWrapperConfig

    from zsavs.models.edgetam import EdgeTamSegmenter

    config = EdgeTamConfig(
        vision_config=EdgeTamVisionConfig(backbone_config=TimmWrapperConfig(**TINY_REPVIT), **_FEATURES), **TINY_PROMPTS
    )
    config.initializer_range = 0.2
    with seeded(seed):
        model = EdgeTamModel(config)
        _settle(model.vision_encoder)
    return EdgeTamSegmenter(model, _processor(), card=tiny_card("tiny-edgetam", seed))


def _settle(encoder: Any) -> None:
    """Let the batch norms of an image encoder see noise, as in training: else next to nothing comes through them."""
    import torch

    norms = [layer for layer in encoder.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    for layer in norms:
        layer.momentum = None  # the mean over all that it sees
    encoder.train()
    with torch.no_grad():
        encoder(torch.randn(4, 3, _SIDE, _SIDE))
    encoder.eval()


def _processor() -> Any:
    """What prepares the images of both."""
    from transformers import Sam2ImageProcessor

    return Sam2ImageProcessor(
        size={"height": _SIDE, "width": _SIDE}, mask_size={"height": _SIDE // 4, "width": _SIDE // 4}
    )
