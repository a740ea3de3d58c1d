"""A toy tagger and a toy audio captioner: the adapters around real classes with seeded random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsavs.testing.tiny.encoders import seeded, tiny_card
from zsavs.testing.tiny.tokenizers import roberta_tokenizer

if TYPE_CHECKING:
    from zsavs.models.ast import AstTagger
    from zsavs.models.qwen_audio import QwenAudioCaptioner
    from zsavs.models.whisper_captioner import WhisperCaptioner

__all__ = ["tiny_ast", "tiny_qwen_audio", "tiny_whisper"]

#: What the toy tagger can say: AudioSet's names, one with a comma, one of nothing visible.
LABELS = ("Speech", "Male speech, man speaking", "Dog", "Cat", "Piano", "Siren", "Train", "Silence")


def tiny_ast(seed: int = 0) -> AstTagger:
    """An AST of some 8 000 weights: 16 kHz, windows of 1.015 s, eight of AudioSet's labels.

    Args:
        seed: of the weights.
    """
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    from zsavs.models.ast import AstTagger

    config = ASTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_length=100,
        num_mel_bins=32,
        # Wide enough that different sounds get different probabilities.
        initializer_range=0.5,
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
    )
    extractor = ASTFeatureExtractor(max_length=100, num_mel_bins=32)
    with seeded(seed):
        model = ASTForAudioClassification(config)
    return AstTagger(model, extractor, card=tiny_card("tiny-ast", seed))


def tiny_whisper(seed: int = 0) -> WhisperCaptioner:
    """A Whisper of some 40 000 weights: 16 kHz, windows of 2 s, captions of random word pieces, at most 8 of them.

    Args:
        seed: of the weights.
    """
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    from zsavs.models.whisper_captioner import WhisperCaptioner

    tokenizer = roberta_tokenizer()
    marks = {
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "decoder_start_token_id": tokenizer.bos_token_id,
    }
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        d_model=16,
        max_source_positions=100,  # the encoder halves the 200 frames of 2 s
        max_target_positions=64,
        # Wide enough that different sounds are described differently.
        init_std=0.5,
        begin_suppress_tokens=None,
        **marks,
    )
    with seeded(seed):
        model = WhisperForConditionalGeneration(config)
    extractor = WhisperFeatureExtractor(feature_size=16, chunk_length=2)
    return WhisperCaptioner(model, extractor, tokenizer, card=tiny_card("tiny-whisper", seed), max_new_tokens=8)


def tiny_qwen_audio(seed: int = 0) -> QwenAudioCaptioner:
    """A Qwen2-Audio of some 70 000 weights: 16 kHz, windows of 2 s, captions of random word pieces, at most 8 of them.

    Args:
        seed: of the weights.
    """
    from transformers import (
        Qwen2AudioConfig,
        Qwen2AudioEncoderConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2AudioProcessor,
        Qwen2Config,
        WhisperFeatureExtractor,
    )

    from zsavs.models.qwen_audio import QwenAudioCaptioner

    tokenizer = roberta_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"]})
    tokenizer.padding_side = "left"
    text = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        # Wide enough that different sounds are described differently.
        initializer_range=0.5,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    hearing = Qwen2AudioEncoderConfig(
        num_mel_bins=16,
        encoder_layers=1,
        encoder_attention_heads=2,
        encoder_ffn_dim=16,
        d_model=16,
        max_source_positions=100,  # the encoder halves the 200 frames of 2 s
        initializer_range=0.5,
    )
    config = Qwen2AudioConfig(
        audio_config=hearing, text_config=text, audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>")
    )
    with seeded(seed):
        model = Qwen2AudioForConditionalGeneration(config)
    processor = Qwen2AudioProcessor(WhisperFeatureExtractor(feature_size=16, chunk_length=2), tokenizer)
    return QwenAudioCaptioner(model, processor, card=tiny_card("tiny-qwen-audio", seed), max_new_tokens=8)
