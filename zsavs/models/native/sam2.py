"""SAM 2 and 2.1 as Meta publishes them: ``sam2_hiera_*.pt``, ``sam2.1_hiera_*.pt``.

Their names and settings are those of github.com/facebookresearch/sam2 (Apache-2.0), whose image and video models share
one file, as those of transformers do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsavs.errors import WeightsError
from zsavs.models.native.building import build, made
from zsavs.models.native.families import check_family
from zsavs.models.native.naming import Renamed, Rule, layers_under, reading_sizes, renamed
from zsavs.models.weight_file import read_weights

if TYPE_CHECKING:
    import torch

__all__ = ["PUBLISHED", "Hiera", "read"]

_FAMILY = "SAM 2"

_TRUNK = "image_encoder.trunk."


@dataclass(frozen=True)
class Hiera:
    """What the shapes of an image encoder's weights do not say.

    Args:
        blocks: in each of its four stages.
        channels: of the first stage; each other has twice as many as the one before.
        heads: of the first stage, likewise.
        windows: of attention, in each stage.
        everywhere: the blocks whose attention has no windows.
        side: pixels of the model's square.
    """

    blocks: tuple[int, ...]
    channels: int
    heads: int
    windows: tuple[int, ...]
    everywhere: tuple[int, ...]
    side: int = 1024


#: Tiny, small, base plus and large, as sam2/configs has them.
PUBLISHED = (
    Hiera((1, 2, 7, 2), 96, 1, (8, 4, 14, 7), (5, 7, 9)),
    Hiera((1, 2, 11, 2), 96, 1, (8, 4, 14, 7), (7, 10, 13)),
    Hiera((2, 3, 16, 3), 112, 2, (8, 4, 14, 7), (12, 16, 20)),
    Hiera((2, 6, 36, 4), 144, 2, (8, 4, 16, 8), (23, 33, 43)),
)

#: The small perceptrons, by the number of their layers: transformers calls the outer ones by what they do.
_TWO_LAYERS = (r"(blocks\.\d+\.mlp|transformer\.layers\.\d+\.mlp)\.layers\.", {0: "proj_in", 1: "proj_out"})
_THREE_LAYERS = (
    r"(output_hypernetworks_mlps\.\d+|iou_prediction_head|pred_obj_score_head|object_pointer_proj)\.layers\.",
    {0: "proj_in", 1: "layers.0", 2: "proj_out"},
)
#: Sequences whose layers transformers has names for.
_SEQUENCES: tuple[tuple[str, Mapping[int, str]], ...] = (
    (
        r"(mask_embed)\.",
        {0: "conv1", 1: "layer_norm1", 3: "conv2", 4: "layer_norm2", 6: "conv3"},
    ),
    (r"(mask_decoder)\.output_upscaling\.", {0: "upscale_conv1", 1: "upscale_layer_norm", 3: "upscale_conv2"}),
    (
        r"(mask_downsampler)\.encoder\.",
        {3 * i: f"layers.{i}.conv" for i in range(4)}
        | {3 * i + 1: f"layers.{i}.layer_norm" for i in range(4)}
        | {12: "final_conv"},
    ),
)


def _numbered(pattern: str, names: Mapping[int, str]) -> list[Rule]:
    return [(rf"{pattern}{number}\.(?=weight|bias)", rf"\1.{name}.") for number, name in names.items()]


_RULES: list[Rule] = [
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"^image_encoder\.neck\.convs\.(\d+)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (
        r"^sam_prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix$",
        "shared_image_embedding.positional_embedding",
    ),
    (r"^sam_prompt_encoder\.mask_downscaling\.", "prompt_encoder.mask_embed."),
    (r"^sam_prompt_encoder\.", "prompt_encoder."),
    (r"^sam_mask_decoder\.", "mask_decoder."),
    (r"^obj_ptr_proj\.", "object_pointer_proj."),
    (r"^obj_ptr_tpos_proj\.", "temporal_positional_encoding_projection_layer."),
    (r"^maskmem_tpos_enc$", "memory_temporal_positional_encoding"),
    (r"^no_mem_embed$", "no_memory_embedding"),
    (r"^no_mem_pos_enc$", "no_memory_positional_encoding"),
    (r"^no_obj_ptr$", "no_object_pointer"),
    (r"^no_obj_embed_spatial$", "occlusion_spatial_embedding_parameter"),
    (r"^memory_encoder\.pix_feat_proj\.", "memory_encoder.feature_projection."),
    (r"^memory_encoder\.out_proj\.", "memory_encoder.projection."),
    (r"^memory_encoder\.fuser\.", "memory_encoder.memory_fuser."),
    (r"\.gamma$", ".scale"),
    (r"\.dwconv\.", ".depthwise_conv."),
    (r"\.pwconv(\d)\.", r".pointwise_conv\1."),
    (r"\.out_proj\.", ".o_proj."),
    (r"\.patch_embed\.proj\.", ".patch_embed.projection."),
    (r"\.norm(\d?|_final_attn)\.", r".layer_norm\1."),
    *(rule for pattern, names in (_TWO_LAYERS, _THREE_LAYERS, *_SEQUENCES) for rule in _numbered(pattern, names)),
]

#: Points of four kinds have an embedding each in the file, and a row of one table in transformers.
_POINT = "prompt_encoder.point_embeddings.{}.weight"
#: Under both names, as one table of random frequencies places both pixels and prompts.
_FREQUENCIES = ("shared_image_embedding.positional_embedding", "prompt_encoder.shared_embedding.positional_embedding")


def read(path: Path, dtype: torch.dtype, class_name: str) -> tuple[Any, Any]:
    """The model and its image processor.

    Args:
        path: Meta's file.
        dtype: of the weights.
        class_name: "Sam2Model" for images, "Sam2VideoModel" with the memory for videos.

    Raises:
        WeightsError: it is broken, another family's, or of an image encoder that is not published.
    """
    weights = read_weights(path)
    check_family(weights, _FAMILY, path)
    with reading_sizes(path):
        hiera = _hiera(weights, path)
        settings = _settings(weights, hiera)
        if class_name == "Sam2Model":
            parts = ("vision_config", "prompt_encoder_config", "mask_decoder_config")
            config = made("Sam2Config", **{part: settings[part] for part in parts})
        else:
            config = made("Sam2VideoConfig", **settings)
        named = renamed(weights, _RULES)
        _join(named)
    model = build(class_name, config, named, path, dtype, _FAMILY)
    side = {"height": hiera.side, "width": hiera.side}
    quarter = {"height": hiera.side // 4, "width": hiera.side // 4}
    return model, made("Sam2ImageProcessor", size=side, mask_size=quarter)


def _join(named: dict[str, Renamed]) -> None:
    """Bring together what transformers has as one weight, and give the table of frequencies its second name."""
    import torch

    points = [named.pop(_POINT.format(kind)) for kind in range(layers_under(named, _POINT.partition("{")[0]))]
    if points:
        table = torch.cat([point.tensor for point in points])
        named["prompt_encoder.point_embed.weight"] = Renamed(points[0].name, table)
    if _FREQUENCIES[0] in named:
        named[_FREQUENCIES[1]] = named[_FREQUENCIES[0]]


def _hiera(weights: Mapping[str, torch.Tensor], path: Path) -> Hiera:
    """The image encoder whose shapes the weights have."""
    prefix = f"{_TRUNK}blocks."
    count = layers_under(weights, prefix)
    wide = [int(weights[f"{prefix}{block}.attn.proj.weight"].shape[0]) for block in range(count)]
    blocks = tuple(len(list(same)) for _, same in groupby(wide))
    for hiera in PUBLISHED:
        if (hiera.blocks, hiera.channels) == (blocks, wide[0]):
            return hiera
    known = ", ".join(f"{hiera.blocks} with {hiera.channels}" for hiera in PUBLISHED)
    raise WeightsError(
        f"{path}: its image encoder has {blocks} blocks with {wide[0] if wide else 0} channels in the first, which is "
        f"none of Meta's ({known}), so that zsavs cannot know its heads and windows; give a model that was converted "
        "to transformers, as a folder."
    )


def _settings(weights: Mapping[str, torch.Tensor], hiera: Hiera) -> dict[str, Any]:
    """The settings of transformers' video model."""
    side, quarter = hiera.side, hiera.side // 4
    stages = range(len(hiera.blocks))
    channels = [hiera.channels * 2**stage for stage in stages]

    def wide(name: str, axis: int = 0) -> int:
        return int(weights[name].shape[axis])

    hidden = wide("sam_mask_decoder.iou_token.weight", 1)
    return {
        "vision_config": {
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": hiera.channels,
                "num_attention_heads": hiera.heads,
                "image_size": [side, side],
                "blocks_per_stage": list(hiera.blocks),
                "embed_dim_per_stage": channels,
                "num_attention_heads_per_stage": [hiera.heads * 2**stage for stage in stages],
                "window_size_per_stage": list(hiera.windows),
                "global_attention_blocks": list(hiera.everywhere),
                "window_positional_embedding_background_size": list(weights[f"{_TRUNK}pos_embed"].shape[2:]),
            },
            "backbone_channel_list": channels[::-1],
            "backbone_feature_sizes": [[quarter // 2**level] * 2 for level in range(3)],
            "fpn_hidden_size": hidden,
        },
        "prompt_encoder_config": {"hidden_size": hidden, "image_size": side},
        "mask_decoder_config": {
            "hidden_size": hidden,
            "mlp_dim": wide("sam_mask_decoder.transformer.layers.0.mlp.layers.0.weight"),
            "iou_head_hidden_dim": wide("sam_mask_decoder.iou_prediction_head.layers.0.weight"),
        },
        "image_size": side,
        "memory_attention_hidden_size": hidden,
        "memory_attention_feed_forward_hidden_size": wide("memory_attention.layers.0.linear1.weight"),
        "memory_attention_num_layers": layers_under(weights, "memory_attention.layers."),
        "memory_attention_rope_feat_sizes": [side // 16, side // 16],
        "memory_encoder_hidden_size": hidden,
        "memory_encoder_output_channels": wide("memory_encoder.out_proj.weight"),
        "mask_downsampler_embed_dim": hidden,
        "memory_fuser_embed_dim": hidden,
        "memory_fuser_intermediate_dim": wide("memory_encoder.fuser.layers.0.pwconv1.weight"),
        "memory_fuser_num_layers": layers_under(weights, "memory_encoder.fuser.layers."),
        # What 2.1 has beyond 2.
        "enable_occlusion_spatial_embedding": "no_obj_embed_spatial" in weights,
        "enable_temporal_pos_encoding_for_object_pointers": "obj_ptr_tpos_proj.weight" in weights,
    }
