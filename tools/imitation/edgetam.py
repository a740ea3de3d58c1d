"""EdgeTAM as its repository holds it: the video model's, whole, with what timm says of its image encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

from tools.imitation.files import remove
from tools.imitation.filling import fill
from tools.imitation.sam2 import PROMPTS, SIDE, WIDTH, answers_of, save_processor

__all__ = ["answers", "write"]

_TABLE = "prompt_encoder.shared_embedding.positional_embedding"


def write(source: str, folder: Path) -> None:
    """Write a checkpoint into a folder."""
    import transformers
    from safetensors.torch import load_file, save_file

    repvit = _repvit()
    # To write its settings in short, and to read them, the release asks the hub for those of the image encoder.
    with mock.patch.object(transformers.AutoConfig, "from_pretrained", return_value=repvit):
        config = transformers.EdgeTamVideoConfig(
            vision_config=transformers.EdgeTamVisionConfig(
                backbone_config=repvit,
                backbone_channel_list=[16, 12, 10, 8],
                backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
                fpn_hidden_size=WIDTH,
            ),
            **PROMPTS,
            image_size=SIDE,
            memory_attention_hidden_size=WIDTH,
            memory_attention_num_layers=1,
            memory_attention_mlp_hidden_size=16,
            memory_attention_rope_feat_sizes=[8, 8],
            memory_attention_rope_k_sizes=[4, 4],
            memory_encoder_hidden_size=WIDTH,
            memory_encoder_output_channels=8,
            mask_downsampler_embed_dim=WIDTH,
            mask_downsampler_total_stride=4,
            memory_fuser_num_layers=1,
            memory_fuser_embed_dim=WIDTH,
            memory_fuser_intermediate_dim=16,
            perceiver_resampler_num_latents=16,
            perceiver_resampler_num_latents_2d=16,
            perceiver_resampler_hidden_size=8,
            perceiver_resampler_mlp_intermediate_size=32,
            perceiver_resampler_num_layers=1,
        )
        fill(transformers.EdgeTamVideoModel(config)).save_pretrained(folder)
    # The published file has the one table of frequencies under both of its names; this release writes it once.
    weights = load_file(folder / "model.safetensors")
    weights[_TABLE] = weights["shared_image_embedding.positional_embedding"].clone()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    save_processor(folder)
    remove(folder, "generation_config.json")


def answers(source: str, folder: Path) -> dict[str, Any]:
    """What the release itself makes of the files: masks and their ratings, for boxes and for points."""
    import transformers

    with mock.patch.object(transformers.AutoConfig, "from_pretrained", return_value=_repvit()):
        return answers_of("EdgeTamModel", folder)


def _repvit() -> Any:
    """A RepViT of four blocks, described as the hub's repositories of timm do, with the thousand names of ImageNet."""
    import timm
    import transformers

    described = {
        "architecture": "repvit_m1",
        "num_classes": 1000,
        "num_features": 384,
        "pretrained_cfg": timm.get_pretrained_cfg("repvit_m1.dist_in1k").to_dict(),
        "model_args": {
            "in_chans": 3,
            "features_only": True,
            "out_indices": [0, 1, 2, 3],
            "embed_dim": [8, 10, 12, 16],
            "depth": [1, 1, 1, 1],
        },
    }
    return transformers.TimmWrapperConfig.from_dict(described)
