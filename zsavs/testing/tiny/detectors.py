"""Toy-size phrase detectors: the real classes, a few channels wide, with seeded random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsavs.testing.tiny.encoders import seeded, tiny_card
from zsavs.testing.tiny.tokenizers import bert_tokenizer, clip_tokenizer

if TYPE_CHECKING:
    from zsavs.models.grounding_dino import GroundingDinoGrounder
    from zsavs.models.omdet import OmDetGrounder
    from zsavs.models.owlv2 import Owlv2Grounder

__all__ = ["tiny_grounding_dino", "tiny_omdet", "tiny_owlv2"]


def tiny_grounding_dino(seed: int = 0, *, mm: bool = False) -> GroundingDinoGrounder:
    """Grounding DINO with one encoder and two decoder layers and 24 candidate boxes; images are seen at 96 pixels.

    It keeps every box (threshold 0), as its scores mean nothing.

    Args:
        seed: of the weights.
        mm: build MM Grounding DINO, whose decoder layers have heads of their own.
    """
    import torch
    import transformers

    from zsavs.models.grounding_dino import GroundingDinoGrounder

    tokenizer = bert_tokenizer()
    family = "MMGroundingDino" if mm else "GroundingDino"
    heads = {"decoder_bbox_embed_share": False, "decoder_cls_embed_share": False} if mm else {}
    with seeded(seed):
        config = getattr(transformers, f"{family}Config")(
            backbone_config={
                "model_type": "swin",
                "image_size": 96,
                "patch_size": 4,
                "embed_dim": 8,
                "depths": [1, 1, 1, 1],
                "num_heads": [1, 1, 1, 1],
                "window_size": 3,
                "out_indices": [2, 3, 4],
            },
            text_config={
                "model_type": "bert",
                "vocab_size": len(tokenizer),
                "hidden_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "intermediate_size": 16,
                "max_position_embeddings": 512,
            },
            d_model=32,
            encoder_layers=1,
            decoder_layers=2,  # the heads of a single layer are tied to themselves
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=16,
            decoder_ffn_dim=16,
            num_queries=24,
            **heads,
        )
        model = getattr(transformers, f"{family}ForObjectDetection")(config)
        # Untrained heads are zero and would leave every box where the encoder proposed it.
        for name, weights in model.named_parameters():
            if "bbox_embed" in name:
                torch.nn.init.normal_(weights, std=0.3)
    return GroundingDinoGrounder(
        model,
        transformers.GroundingDinoImageProcessor(size={"shortest_edge": 96, "longest_edge": 192}),
        tokenizer,
        card=tiny_card("tiny-mm-grounding-dino" if mm else "tiny-grounding-dino", seed),
        box_threshold=0.0,
    )


def tiny_owlv2(seed: int = 0) -> Owlv2Grounder:
    """OWLv2 with one layer in each tower; images are seen at 64 pixels in 16 patches, each a candidate box.

    It keeps every box (threshold 0), as its scores mean nothing.

    Args:
        seed: of the weights.
    """
    import torch
    import transformers

    from zsavs.models.owlv2 import Owlv2Grounder

    tokenizer = clip_tokenizer(max_length=16)
    layers = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "initializer_factor": 4.0,  # wider than for training, so that phrases and places come out different
    }
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    with seeded(seed):
        model = transformers.Owlv2ForObjectDetection(
            transformers.Owlv2Config(
                text_config={**layers, **ids, "vocab_size": len(tokenizer), "max_position_embeddings": 16},
                vision_config={**layers, "image_size": 64, "patch_size": 16},
                projection_dim=16,
            )
        )
        # Untrained heads say nothing: here boxes leave their patches, and the phrase decides a box's score.
        for weights in (model.class_head.dense0.weight, *model.box_head.parameters()):
            torch.nn.init.normal_(weights, std=0.3)
        for weights in (*model.class_head.logit_shift.parameters(), *model.class_head.logit_scale.parameters()):
            torch.nn.init.normal_(weights, mean=0.1, std=0.1)
    return Owlv2Grounder(
        model,
        transformers.Owlv2ImageProcessor(size={"height": 64, "width": 64}),
        tokenizer,
        card=tiny_card("tiny-owlv2", seed),
        threshold=0.0,
    )


def tiny_omdet(seed: int = 0) -> OmDetGrounder:
    """OmDet-Turbo with two decoder layers and 24 candidate boxes; images are seen at 96 pixels, by a small ConvNeXt.

    It keeps every box (threshold 0), as its scores mean nothing.

    Args:
        seed: of the weights.
    """
    import torch
    import transformers

    from zsavs.models.omdet import OmDetGrounder

    tokenizer = clip_tokenizer(max_length=77)
    with seeded(seed):
        config = transformers.OmDetTurboConfig(
            backbone_config={"model_type": "timm_backbone", "backbone": "test_convnext", "out_indices": [1, 2, 3]},
            text_config={
                "model_type": "clip_text_model",
                "vocab_size": len(tokenizer),
                "hidden_size": 24,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "intermediate_size": 16,
                "max_position_embeddings": 77,
                "initializer_factor": 4.0,  # wider than for training, so that phrases come out different
                "bos_token_id": tokenizer.bos_token_id,
                "eos_token_id": tokenizer.eos_token_id,
            },
            apply_layernorm_after_vision_backbone=False,  # which is for a Swin, whose channels come last
            image_size=96,
            encoder_in_channels=[32, 48, 64],
            encoder_hidden_dim=16,
            encoder_dim_feedforward=16,
            encoder_attention_heads=2,
            vision_features_channels=[16, 16, 16],
            text_projection_in_dim=24,
            text_projection_out_dim=24,
            class_embed_dim=24,  # as wide as the decoder, it has no projection and fails
            task_encoder_hidden_dim=16,
            decoder_hidden_dim=16,
            decoder_num_heads=2,
            decoder_num_layers=2,
            decoder_dim_feedforward=16,
            num_queries=24,
        )
        model = transformers.OmDetTurboForObjectDetection(config)
        # Untrained heads say nothing, and untrained convolutions leave nothing of an image: here boxes leave their
        # places, and image and phrase decide a box's score.
        for name, weights in model.named_parameters():
            if "bbox_head" in name:
                torch.nn.init.normal_(weights, std=0.2)
            elif "class_head" in name or "text_projection" in name:
                torch.nn.init.normal_(weights, std=0.3)
            elif weights.ndim == 4:
                torch.nn.init.kaiming_normal_(weights)
        torch.nn.init.ones_(model.decoder.encoder_bbox_head.layers[-1].bias[2:])  # large enough to overlap
    return OmDetGrounder(
        model,
        transformers.DetrImageProcessor(
            do_rescale=False,
            do_pad=False,
            image_mean=[123.675, 116.28, 103.53],
            image_std=[58.395, 57.12, 57.375],
            size={"height": 96, "width": 96},
        ),
        tokenizer,
        card=tiny_card("tiny-omdet", seed),
        threshold=0.0,
    )
