"""Toy encoders for a joint space, and PE-A-Frame: the adapters around the real classes with random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zsavs.testing.tiny.encoders import seeded, tiny_card
from zsavs.testing.tiny.tokenizers import roberta_tokenizer

if TYPE_CHECKING:
    from zsavs.models.imagebind import ImageBindEncoder
    from zsavs.models.pe_audio import PeAudioFrameEncoder
    from zsavs.models.pe_av import PeAvEncoder

__all__ = ["tiny_imagebind", "tiny_pe_audio", "tiny_pe_av"]


def tiny_imagebind(seed: int = 0) -> ImageBindEncoder:
    """An ImageBind of some 500 000 weights, nearly all of them the vocabulary: 16 dimensions.

    Images and sounds have the real one's sizes, in larger patches.

    Args:
        seed: of the weights.
    """
    from zsavs.models.imagebind import ImageBind, ImageBindConfig, ImageBindEncoder

    config = ImageBindConfig(
        out_embed_dim=16,
        vision_embed_dim=16,
        vision_num_blocks=1,
        vision_num_heads=2,
        text_embed_dim=8,
        text_num_blocks=1,
        text_num_heads=2,
        audio_embed_dim=16,
        audio_num_blocks=1,
        audio_num_heads=2,
        kernel_size=(2, 32, 32),
        audio_kernel_size=16,
        audio_stride=16,
    )
    with seeded(seed):
        model = ImageBind(config)
    return ImageBindEncoder(model, card=tiny_card("tiny-imagebind", seed))


def tiny_pe_av(seed: int = 0) -> PeAvEncoder:
    """A PE-AV of some 200 000 weights: 48 kHz in steps of 80 samples, images of 32 pixels, 32 dimensions.

    Args:
        seed: of the weights.
    """
    from transformers import PeAudioFeatureExtractor, PeAudioVideoConfig, PeAudioVideoModel, PeVideoVideoProcessor

    from zsavs.models.pe_av import PeAvEncoder, with_all_outputs, without_notes

    tokenizer = roberta_tokenizer()
    vision = {
        "model_type": "timm_wrapper",
        "architecture": "vit_pe_core_tiny_patch16_384",
        "num_classes": 32,
        "global_pool": "map",
        "do_pooling": True,
        "model_args": {"img_size": 32, "depth": 1, "embed_dim": 24, "num_heads": 2},
    }
    config = PeAudioVideoConfig(
        text_config=_pe_text(tokenizer),
        audio_video_config={
            "audio_config": _PE_AUDIO,
            "video_config": {"vision_config": vision, **_PE_BLOCK},
            **_PE_BLOCK,
        },
    )
    processor = PeVideoVideoProcessor(
        size={"height": 32, "width": 32},
        do_resize=True,
        do_rescale=True,
        do_normalize=True,
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )
    with seeded(seed), without_notes():
        model = _widened(PeAudioVideoModel(with_all_outputs(config)))
    return PeAvEncoder(
        model, PeAudioFeatureExtractor(hop_length=80), processor, tokenizer, card=tiny_card("tiny-pe-av", seed)
    )


def tiny_pe_audio(seed: int = 0, *, hop: int = 80) -> PeAudioFrameEncoder:
    """A PE-A-Frame of some 100 000 weights: 48 kHz, 32 dimensions.

    Args:
        seed: of the weights.
        hop: length of a frame in samples, a multiple of 8; the real one's is 1920.
    """
    from transformers import PeAudioConfig, PeAudioFeatureExtractor, PeAudioFrameLevelModel

    from zsavs.models.pe_audio import PeAudioFrameEncoder

    tokenizer = roberta_tokenizer()
    dac = {**_PE_AUDIO["dac_config"], "downsampling_ratios": [8, hop // 8]}
    config = PeAudioConfig(text_config=_pe_text(tokenizer), audio_config={**_PE_AUDIO, "dac_config": dac})
    with seeded(seed):
        model = _widened(PeAudioFrameLevelModel(config))
    extractor = PeAudioFeatureExtractor(hop_length=hop)
    return PeAudioFrameEncoder(model, extractor, tokenizer, card=tiny_card("tiny-pe-audio", seed))


_PE_SIZE: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2}
_PE_BLOCK: dict[str, Any] = {**_PE_SIZE, "num_hidden_layers": 1, "head_dim": 16}
_PE_AUDIO: dict[str, Any] = {
    "dac_config": {
        "encoder_hidden_size": 4,
        "downsampling_ratios": [8, 10],
        "decoder_hidden_size": 16,
        "codebook_dim": 8,
        "codebook_size": 16,
        "n_codebooks": 1,
    },
    **_PE_BLOCK,
}


def _pe_text(tokenizer: Any) -> dict[str, Any]:
    """The settings of a text tower for this tokenizer."""
    return {
        "vocab_size": len(tokenizer),
        **_PE_SIZE,
        "num_hidden_layers": 2,
        "max_position_embeddings": 64,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "cls_token_id": tokenizer.bos_token_id,
        "sep_token_id": tokenizer.eos_token_id,
    }


def _widened(model: Any) -> Any:
    """A model with weights wider than for training, so that different items come out as different rows.

    The norm that no head reads is as uneven as a trained one, so that it shows where one does.
    """
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.mul_(1.5 if "dac" in name else 4.0)
            elif name.endswith("text_model.final_norm.weight"):
                weight.uniform_(0.2, 2.0)
    return model
