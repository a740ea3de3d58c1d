"""Grounding DINO as IDEA publishes it: ``groundingdino_swint_ogc.pth`` and ``groundingdino_swinb_cogcoor.pth``.

Their names and settings are those of github.com/IDEA-Research/GroundingDINO (Apache-2.0).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsavs.models.native.building import build, made
from zsavs.models.native.families import check_family
from zsavs.models.native.naming import QUERY_KEY_VALUE, Rule, layers_under, reading_sizes, renamed
from zsavs.models.native.words import Words, load_words
from zsavs.models.weight_file import read_weights

if TYPE_CHECKING:
    import torch

__all__ = ["read"]

_FAMILY = "Grounding DINO"

#: Heads of attention in the encoder and the decoder, of which the shapes say nothing, and channels of one of BERT's.
_HEADS, _BERT_HEAD = 8, 64
#: Pixels of the shorter side, and the most of the longer, as its demo scales images.
_SIDES = {"shortest_edge": 800, "longest_edge": 1333}

_WORDS = Words(
    "BertTokenizerFast",
    "tokenizer.json | vocab.txt",
    ("google-bert/bert-base-uncased", 0.23),
    ("IDEA-Research/grounding-dino-tiny", "IDEA-Research/grounding-dino-base"),
)

#: Labels of its training, positions that the model counts itself, and BERT's summary of a text, which it never reads.
_LEFT_OUT = (
    r"label_enc\.",
    r"bert\.embeddings\.position_ids$",
    r"bert\.pooler\.",
    r"backbone\..*relative_position_index$",
)

_SWIN, _ENCODER, _DECODER = "model.backbone.conv_encoder.model", "model.encoder.layers", "model.decoder.layers"


def _within(owner: str, new_owner: str, names: Mapping[str, str]) -> list[Rule]:
    """Rules for the parts of numbered layers."""
    return [(rf"^{owner}\.(\d+)\.{old}", rf"{new_owner}.\1.{new}") for old, new in names.items()]


_RULES: list[Rule] = [
    (r"^backbone\.0\.patch_embed\.proj\.", f"{_SWIN}.embeddings.patch_embeddings.projection."),
    (r"^backbone\.0\.patch_embed\.norm\.", f"{_SWIN}.embeddings.norm."),
    # Stages are counted from the patches on in transformers.
    *((rf"^backbone\.0\.norm{i}\.", f"{_SWIN}.hidden_states_norms.stage{i + 1}.") for i in range(4)),
    (r"^backbone\.0\.layers\.", f"{_SWIN}.encoder.layers."),
    (r"(\.blocks\.\d+)\.norm1\.", r"\1.layernorm_before."),
    (r"(\.blocks\.\d+)\.norm2\.", r"\1.layernorm_after."),
    (r"(\.blocks\.\d+)\.attn\.relative", r"\1.attention.self.relative"),
    (r"(\.blocks\.\d+)\.attn\.qkv\.", rf"\1.attention.self.{QUERY_KEY_VALUE}."),
    (r"(\.blocks\.\d+)\.attn\.proj\.", r"\1.attention.output.dense."),
    (r"(\.blocks\.\d+)\.mlp\.fc1\.", r"\1.intermediate.dense."),
    (r"(\.blocks\.\d+)\.mlp\.fc2\.", r"\1.output.dense."),
    *_within(
        r"transformer\.encoder\.layers",
        _ENCODER,
        {
            r"self_attn\.": "deformable_layer.self_attn.",
            r"norm1\.": "deformable_layer.self_attn_layer_norm.",
            r"linear(\d)\.": r"deformable_layer.fc\2.",
            r"norm2\.": "deformable_layer.final_layer_norm.",
        },
    ),
    *_within(
        r"transformer\.encoder\.text_layers",
        _ENCODER,
        {
            r"self_attn\.": "text_enhancer_layer.self_attn.",
            r"norm1\.": "text_enhancer_layer.layer_norm_before.",
            r"linear(\d)\.": r"text_enhancer_layer.fc\2.",
            r"norm2\.": "text_enhancer_layer.layer_norm_after.",
        },
    ),
    *_within(
        r"transformer\.encoder\.fusion_layers",
        _ENCODER,
        {
            "gamma_v$": "fusion_layer.vision_param",
            "gamma_l$": "fusion_layer.text_param",
            r"layer_norm_v\.": "fusion_layer.layer_norm_vision.",
            r"layer_norm_l\.": "fusion_layer.layer_norm_text.",
            r"attn\.(values_|out_)?v_proj\.": r"fusion_layer.attn.\2vision_proj.",
            r"attn\.(values_|out_)?l_proj\.": r"fusion_layer.attn.\2text_proj.",
        },
    ),
    *_within(
        r"transformer\.decoder\.layers",
        _DECODER,
        {
            r"self_attn\.": "self_attn.",
            r"norm2\.": "self_attn_layer_norm.",
            r"ca_text\.": "encoder_attn_text.",
            r"catext_norm\.": "encoder_attn_text_layer_norm.",
            r"cross_attn\.": "encoder_attn.",
            r"norm1\.": "encoder_attn_layer_norm.",
            r"linear(\d)\.": r"fc\2.",
            r"norm3\.": "final_layer_norm.",
        },
    ),
    (r"\.in_proj_(weight|bias)$", rf".{QUERY_KEY_VALUE}.\1"),
    (r"^transformer\.decoder\.norm\.", "model.decoder.layer_norm."),
    (r"^transformer\.decoder\.ref_point_head\.", "model.decoder.reference_points_head."),
    (r"^transformer\.tgt_embed\.", "model.query_position_embeddings."),
    (r"^transformer\.enc_out_bbox_embed\.", "model.encoder_output_bbox_embed."),
    (r"^transformer\.", "model."),
    (r"^bert\.", "model.text_backbone."),
    (r"^feat_map\.", "model.text_projection."),
    (r"^input_proj\.", "model.input_proj_vision."),
]


def read(path: Path, dtype: torch.dtype) -> tuple[Any, Any, Any]:
    """The model, its image processor and its tokenizer.

    Raises:
        WeightsError: the file is broken, or another model's.
        MissingWeights: the words are not on this machine.
    """
    weights = read_weights(path)
    check_family(weights, _FAMILY, path)
    with reading_sizes(path):
        config = made("GroundingDinoConfig", **_settings(weights))
        named = renamed(weights, _RULES, _LEFT_OUT)
    tokenizer = load_words(path, _WORDS)
    model = build("GroundingDinoForObjectDetection", config, named, path, dtype, _FAMILY)
    return model, made("GroundingDinoImageProcessor", size=dict(_SIDES)), tokenizer


def _settings(weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """The settings of transformers' model."""

    def wide(name: str, axis: int = 0) -> int:
        return int(weights[name].shape[axis])

    encoder, decoder = "transformer.encoder.layers.0.", "transformer.decoder.layers.0."
    levels = wide("transformer.level_embed")
    heads = [f"bbox_embed.{i}." for i in range(layers_under(weights, "bbox_embed."))]
    return {
        "backbone_config": _swin(weights),
        "text_config": {
            "model_type": "bert",
            "vocab_size": wide("bert.embeddings.word_embeddings.weight"),
            "hidden_size": wide("bert.embeddings.word_embeddings.weight", 1),
            "num_hidden_layers": layers_under(weights, "bert.encoder.layer."),
            "num_attention_heads": wide("bert.embeddings.word_embeddings.weight", 1) // _BERT_HEAD,
            "intermediate_size": wide("bert.encoder.layer.0.intermediate.dense.weight"),
            "max_position_embeddings": wide("bert.embeddings.position_embeddings.weight"),
            "type_vocab_size": wide("bert.embeddings.token_type_embeddings.weight"),
        },
        "d_model": wide("transformer.level_embed", 1),
        "num_feature_levels": levels,
        "num_queries": wide("transformer.tgt_embed.weight"),
        "encoder_layers": layers_under(weights, "transformer.encoder.layers."),
        "decoder_layers": layers_under(weights, "transformer.decoder.layers."),
        "encoder_attention_heads": _HEADS,
        "decoder_attention_heads": _HEADS,
        "encoder_ffn_dim": wide(f"{encoder}linear1.weight"),
        "decoder_ffn_dim": wide(f"{decoder}linear1.weight"),
        "encoder_n_points": wide(f"{encoder}self_attn.attention_weights.weight") // (_HEADS * levels),
        "decoder_n_points": wide(f"{decoder}cross_attn.attention_weights.weight") // (_HEADS * levels),
        # In both published files the layers share one head; a file of others says so by its numbers.
        "decoder_bbox_embed_share": all(
            tensor.equal(weights[name.replace(head, heads[0])])
            for head in heads
            for name, tensor in weights.items()
            if name.startswith(head)
        ),
    }


def _swin(weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """The settings of the image encoder."""
    stages = [f"backbone.0.layers.{stage}.blocks." for stage in range(layers_under(weights, "backbone.0.layers."))]
    tables = [weights[f"{stage}0.attn.relative_position_bias_table"].shape for stage in stages]
    window = (math.isqrt(tables[0][0]) + 1) // 2
    patches = weights["backbone.0.patch_embed.proj.weight"].shape
    return {
        "model_type": "swin",
        "embed_dim": int(patches[0]),
        "patch_size": int(patches[-1]),
        "image_size": 32 * window,  # what it was trained at; images of other sizes are as welcome
        "window_size": window,
        "depths": [layers_under(weights, stage) for stage in stages],
        "num_heads": [int(table[1]) for table in tables],
        "out_indices": [i + 1 for i in range(len(stages)) if f"backbone.0.norm{i}.weight" in weights],
    }
