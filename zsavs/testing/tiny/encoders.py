"""Toy encoders and a toy captioner: the adapters of :mod:`zsavs.models` around real classes with random weights."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zsavs.storage.weights import WeightCard
from zsavs.testing.tiny.tokenizers import bert_tokenizer, roberta_tokenizer

if TYPE_CHECKING:
    from zsavs.models.blip import BlipCaptioner
    from zsavs.models.clap import ClapEncoder
    from zsavs.models.open_clip import OpenClipEncoder

__all__ = ["seeded", "tiny_blip", "tiny_card", "tiny_clap", "tiny_open_clip"]


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw torch's random numbers on the CPU from ``seed``, and put the global generator back afterwards."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def tiny_card(name: str, seed: int) -> WeightCard:
    """The card of random weights."""
    return WeightCard(
        f"{name}-seed-{seed}", "Apache-2.0", 0, "nothing: random numbers", verified="made by zsavs.testing.tiny"
    )


def tiny_clap(seed: int = 0, *, fusion: bool = False) -> ClapEncoder:
    """A CLAP of some 40 000 weights: 48 kHz, windows of 2 s, 16 dimensions.

    Args:
        seed: of the weights.
        fusion: build the variant that takes four spectrograms at once, as laion/clap-htsat-fused does.
    """
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    from zsavs.models.clap import ClapEncoder

    tokenizer = roberta_tokenizer()
    config = ClapConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 16,
            "max_position_embeddings": 98,
            # Wider than for training, so that different words and sounds come out as different rows.
            "initializer_factor": 3.0,
        },
        audio_config={
            "window_size": 4,
            "num_mel_bins": 64,  # the only number that the fusion layers accept
            "spec_size": 128,
            "patch_size": 4,
            "patch_stride": [4, 4],
            "hidden_size": 16,
            "depths": [1, 1],
            "num_attention_heads": [1, 2],
            "num_hidden_layers": 2,
            "patch_embeds_hidden_size": 8,
            "num_classes": 4,
            "initializer_factor": 3.0,
            "enable_fusion": fusion,
            "fusion_type": "aff_2d" if fusion else None,
        },
        projection_dim=16,
    )
    extractor = ClapFeatureExtractor(
        feature_size=64, max_length_s=2, truncation="fusion" if fusion else "rand_trunc", padding="repeatpad"
    )
    with seeded(seed):
        model = ClapModel(config)
    return ClapEncoder(model, extractor, tokenizer, card=tiny_card("tiny-clap", seed))


@functools.cache
def _open_clip_tokenizer() -> Any:
    """One for all: to read its vocabulary takes longer than to make a model."""
    from open_clip import SimpleTokenizer

    return SimpleTokenizer(context_length=77)


def tiny_open_clip(seed: int = 0) -> OpenClipEncoder:
    """A CLIP of some 800 000 weights, nearly all of them the vocabulary: images of 32 pixels, 16 dimensions."""
    from open_clip import CLIP
    from open_clip.model import set_model_preprocess_cfg
    from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict

    from zsavs.models.open_clip import OpenClipEncoder

    with seeded(seed):
        model = CLIP(
            embed_dim=16,
            vision_cfg={"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8},
            text_cfg={"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
        )
    settings = merge_preprocess_dict(PreprocessCfg(), {"size": 32})
    set_model_preprocess_cfg(model, settings)
    return OpenClipEncoder(
        model,
        image_transform_v2(PreprocessCfg(**settings), is_train=False),
        _open_clip_tokenizer(),
        card=tiny_card("tiny-open-clip", seed),
    )


def tiny_blip(seed: int = 0) -> BlipCaptioner:
    """A BLIP of some 50 000 weights: images of 32 pixels, captions of random word pieces, at most 8 of them."""
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor

    from zsavs.models.blip import BlipCaptioner

    tokenizer = bert_tokenizer()
    shared = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        # Wide enough that different images are described differently.
        "initializer_range": 0.5,
    }
    config = BlipConfig(
        text_config={
            **shared,
            "vocab_size": len(tokenizer) + 1,
            "encoder_hidden_size": 16,
            "max_position_embeddings": 64,
            "bos_token_id": len(tokenizer),  # BLIP begins with a token that its tokenizer does not have
            "sep_token_id": tokenizer.sep_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": 2,
        },
        vision_config={**shared, "image_size": 32, "patch_size": 16},
        projection_dim=16,
    )
    processor = BlipProcessor(BlipImageProcessor(size={"height": 32, "width": 32}), tokenizer)
    with seeded(seed):
        model = BlipForConditionalGeneration(config)
    return BlipCaptioner(model, processor, card=tiny_card("tiny-blip", seed), max_new_tokens=8)
