"""CLAP as LAION publishes it: ``630k-*.pt``, ``music_*.pt``.

Their names and settings are those of the package laion_clap (CC0), with the audio tower HTS-AT and the text tower
RoBERTa; it has others, which transformers has no class for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsavs.errors import WeightsError
from zsavs.models.native.building import build, made
from zsavs.models.native.families import check_family
from zsavs.models.native.naming import QUERY_KEY_VALUE, Rule, layers_under, reading_sizes, renamed
from zsavs.models.native.words import Words, load_words
from zsavs.models.weight_file import read_weights

if TYPE_CHECKING:
    import torch

__all__ = ["read"]

_FAMILY = "LAION-CLAP"

#: Channels of one head of RoBERTa, and what is added to a variance in it.
_ROBERTA_HEAD, _ROBERTA_EPSILON = 64, 1e-5
#: Samples per second, and from one spectrum to the next; seconds that the model hears; its filters' range in Hz.
_RATE_HZ, _HOP, _SECONDS, _RANGE_HZ = 48_000, 480, 10, (50, 14_000)

_WORDS = Words(
    "RobertaTokenizerFast",
    "tokenizer.json | vocab.json + merges.txt",
    ("FacebookAI/roberta-base", 1.36),
    ("laion/clap-htsat-unfused", "laion/clap-htsat-fused", "laion/larger_clap_general"),
)

#: Weights of towers that transformers has not, and what they are.
_OTHER_TOWERS = {
    "audio_branch.conv_block1.conv1.weight": "PANN as its audio tower",
    "text_branch.shared.weight": "BART as its text tower",
    "token_embedding.weight": "CLIP's text tower",
    "audio_branch.mel_conv1d.0.weight": "fusion of spectra (1d)",
    "audio_branch.patch_embed.fusion_model.local_att2.0.weight": "iterated fusion (iaff_2d)",
}

#: RoBERTa knows of one sentence, BERT of two.
_SENTENCES = "text_branch.embeddings.token_type_embeddings.weight"

#: The spectrogram, which the feature extractor makes; tables that the model computes; the heads for AudioSet's classes;
#: perceptrons that only training used; positions, which the model counts.
_LEFT_OUT = (
    r"audio_branch\.(spectrogram_extractor|logmel_extractor|tscam_conv|head)\.",
    r"audio_branch\..*\.(attn_mask|relative_position_index)$",
    r"(audio|text)_transform\.",
    r"text_branch\.embeddings\.(position_ids|token_type_ids)$",
)

_RULES: list[Rule] = [
    (r"^text_branch\.", "text_model."),
    (r"^audio_branch\.bn0\.", "audio_model.audio_encoder.batch_norm."),
    (r"^audio_branch\.", "audio_model.audio_encoder."),
    (r"^(audio|text)_projection\.0\.", r"\1_projection.linear1."),
    (r"^(audio|text)_projection\.2\.", r"\1_projection.linear2."),
    (r"(\.blocks\.\d+)\.norm1\.", r"\1.layernorm_before."),
    (r"(\.blocks\.\d+)\.norm2\.", r"\1.layernorm_after."),
    (r"(\.blocks\.\d+)\.attn\.relative", r"\1.attention.self.relative"),
    (r"(\.blocks\.\d+)\.attn\.qkv\.", rf"\1.attention.self.{QUERY_KEY_VALUE}."),
    (r"(\.blocks\.\d+)\.attn\.proj\.", r"\1.attention.output.dense."),
    (r"(\.blocks\.\d+)\.mlp\.fc1\.", r"\1.intermediate.dense."),
    (r"(\.blocks\.\d+)\.mlp\.fc2\.", r"\1.output.dense."),
]


def read(path: Path, dtype: torch.dtype) -> tuple[Any, Any, Any]:
    """The model, its feature extractor and its tokenizer.

    Raises:
        WeightsError: the file is broken, another model's, or of towers that transformers has not.
        MissingWeights: the words are not on this machine.
    """
    weights = read_weights(path)
    check_family(weights, _FAMILY, path)
    with reading_sizes(path):
        _check_towers(weights, path)
        config = made("ClapConfig", **_settings(weights))
        extractor = made("ClapFeatureExtractor", **_preprocessing(weights))
        named = renamed(weights, _RULES, _LEFT_OUT)
    tokenizer = load_words(path, _WORDS)
    return build("ClapModel", config, named, path, dtype, _FAMILY), extractor, tokenizer


def _check_towers(weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Refuse towers that transformers has not."""
    what = next((what for name, what in _OTHER_TOWERS.items() if name in weights), "")
    if not what and weights[_SENTENCES].shape[0] > 1:
        what = "BERT as its text tower"
    if what:
        raise WeightsError(
            f"{path}: a CLAP with {what}, for which there is no class of transformers; zsavs reads those with HTS-AT "
            "and RoBERTa, as 630k-audioset-best.pt."
        )


def _is_fused(weights: Mapping[str, torch.Tensor]) -> bool:
    return "audio_branch.patch_embed.mel_conv2d.weight" in weights


def _settings(weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """The settings of transformers' model."""

    def wide(name: str, axis: int = 0) -> int:
        return int(weights[name].shape[axis])

    words = "text_branch.embeddings.word_embeddings.weight"
    stages = [f"audio_branch.layers.{stage}.blocks." for stage in range(layers_under(weights, "audio_branch.layers."))]
    tables = [weights[f"{stage}0.attn.relative_position_bias_table"].shape for stage in stages]
    channels, patch = wide("audio_branch.patch_embed.proj.weight"), wide("audio_branch.patch_embed.proj.weight", 2)
    audio: dict[str, Any] = {
        "window_size": (math.isqrt(tables[0][0]) + 1) // 2,
        "num_mel_bins": wide("audio_branch.bn0.weight"),
        "patch_size": patch,
        "patch_stride": [patch, patch],
        "hidden_size": wide("audio_branch.norm.weight"),
        "patch_embeds_hidden_size": channels,
        "depths": [layers_under(weights, stage) for stage in stages],
        "num_hidden_layers": len(stages),
        "num_attention_heads": [int(table[1]) for table in tables],
        "enable_fusion": _is_fused(weights),
    }
    if audio["enable_fusion"]:
        squeezed = wide("audio_branch.patch_embed.fusion_model.local_att.0.weight")
        audio |= {"fusion_type": "aff_2d", "aff_block_r": channels // squeezed}
    return {
        "text_config": {
            "vocab_size": wide(words),
            "hidden_size": wide(words, 1),
            "num_hidden_layers": layers_under(weights, "text_branch.encoder.layer."),
            "num_attention_heads": wide(words, 1) // _ROBERTA_HEAD,
            "intermediate_size": wide("text_branch.encoder.layer.0.intermediate.dense.weight"),
            "max_position_embeddings": wide("text_branch.embeddings.position_embeddings.weight"),
            "type_vocab_size": wide(_SENTENCES),
            "layer_norm_eps": _ROBERTA_EPSILON,
        },
        "audio_config": audio,
        "projection_dim": wide("audio_projection.2.weight"),
    }


def _preprocessing(weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """The settings of transformers' feature extractor."""
    return {
        "feature_size": int(weights["audio_branch.bn0.weight"].shape[0]),
        "sampling_rate": _RATE_HZ,
        "hop_length": _HOP,
        "max_length_s": _SECONDS,
        "fft_window_size": int(weights["audio_branch.spectrogram_extractor.stft.conv_real.weight"].shape[2]),
        "frequency_min": _RANGE_HZ[0],
        "frequency_max": _RANGE_HZ[1],
        "truncation": "fusion" if _is_fused(weights) else "rand_trunc",
        "padding": "repeatpad",
    }
