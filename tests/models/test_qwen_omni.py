"""Qwen's omni thinkers, beside transformers called directly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zsavs import testing
from zsavs.errors import WeightsError
from zsavs.media.waveform import resample
from zsavs.testing.tiny.encoders import tiny_card
from zsavs.testing.tiny.omni import tiny_qwen2_5_omni, tiny_qwen3_omni
from zsavs.testing.tiny.tokenizers import roberta_tokenizer

CHAT = [{"role": "system", "content": "help"}, {"role": "user", "content": "is it the dog?"}]
SAMPLES = testing.example_samples()[2:4]
BOTH = pytest.mark.parametrize("make", [tiny_qwen2_5_omni, tiny_qwen3_omni])


def given(made: Any, sample: Any) -> Any:
    """What transformers makes of the chat with an image and a clip."""
    text = (
        "system: help\nuser: <|vision_bos|><|IMAGE|><|vision_eos|><|audio_bos|><|AUDIO|><|audio_eos|>is it the dog?\n"
    )
    wave = resample(sample.audio.mono(), sample.audio.sample_rate_hz, 16_000)
    return made.processor(
        text=[f"{text}assistant: "],
        images=[sample.image.copy()],
        audio=[wave],
        sampling_rate=16_000,
        return_tensors="pt",
    )


@BOTH
def test_replies_and_odds_are_those_of_transformers(make: Callable[[], Any]) -> None:
    made = make()
    tokenizer = made.processor.tokenizer
    yes, no = (tokenizer.convert_tokens_to_ids(word) for word in ("yes", "no"))
    replies = set()
    for sample in SAMPLES:
        inputs = given(made, sample)
        with torch.no_grad():
            tokens = made.model.generate(**inputs, do_sample=False, max_new_tokens=8)
            logits = made.model(**inputs).logits[0, -1]
        asked = inputs["input_ids"].shape[1]
        text, count = made.reply(sample.image, sample.audio, CHAT)
        assert text == tokenizer.decode(tokens[0, asked:], skip_special_tokens=True).strip()
        assert count == tokens.shape[1]
        odds, spent = made.log_odds_of_yes(sample.image, sample.audio, CHAT)
        assert spent == asked
        assert odds == pytest.approx(float(logits[yes] - logits[no]), abs=1e-4)
        replies.add(text)
    assert len(replies) == len(SAMPLES), "other images and sounds, other replies"


@BOTH
def test_a_whole_checkpoint_gives_its_thinker(make: Callable[[], Any], tmp_path: Path) -> None:
    """The published files hold the talker, too, and the thinker's weights under a prefix."""
    from safetensors.torch import load_file, save_file

    made = make()
    made.model.save_pretrained(tmp_path)
    made.processor.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    prefixed = {f"thinker.{name}": value for name, value in weights.items()}
    save_file(
        {**prefixed, "talker.codec_head.weight": torch.zeros(2)}, tmp_path / "model.safetensors", {"format": "pt"}
    )
    again = type(made).load(tmp_path, device="cpu", dtype="float32", max_new_tokens=8)
    sample = SAMPLES[0]
    assert again.reply(sample.image, sample.audio, CHAT) == made.reply(sample.image, sample.audio, CHAT)


def test_what_cannot_be_asked_is_refused() -> None:
    made = tiny_qwen3_omni()
    again = type(made)
    made.processor.chat_template = None
    with pytest.raises(WeightsError, match="no chat template"):
        again(made.model, made.processor, card=tiny_card("x", 0))
    made = tiny_qwen3_omni()
    made.processor.chat_template = "{{ raise_exception('no system turn') }}"
    with pytest.raises(WeightsError, match="chat template failed"):
        made.reply(SAMPLES[0].image, SAMPLES[0].audio, CHAT)
    made.processor.tokenizer = roberta_tokenizer([f"word{number}" for number in range(300)])
    with pytest.raises(WeightsError, match="tokenizer is not the model's"):
        again(made.model, made.processor, card=tiny_card("x", 0))


def test_a_tokenizer_without_a_word_for_yes_is_refused() -> None:
    made = tiny_qwen3_omni()
    encode = made.processor.tokenizer.encode
    made.processor.tokenizer.encode = lambda word, **_: [1, 2] if word.lower() == "yes" else encode(word, **_)
    with pytest.raises(WeightsError, match="spells 'Yes' in several tokens"):
        type(made)(made.model, made.processor, card=tiny_card("x", 0))
