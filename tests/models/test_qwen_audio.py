"""Qwen2-Audio as a captioner, beside transformers called directly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from adapter_helpers import noise, tone

from zsavs.errors import InputError, WeightsError
from zsavs.models.qwen_audio import PROMPT, QwenAudioCaptioner
from zsavs.testing.tiny.audio import tiny_qwen_audio
from zsavs.testing.tiny.encoders import tiny_card
from zsavs.testing.tiny.tokenizers import roberta_tokenizer

SOUNDS = [noise(0.5, 16_000), noise(2.0, 16_000, seed=1), tone(440, 1.5, 16_000), tone(150, 1.0, 16_000)]


def fresh(**settings: Any) -> QwenAudioCaptioner:
    made = tiny_qwen_audio()
    return QwenAudioCaptioner(made.model, made.processor, card=tiny_card("toy", 0), **{"max_new_tokens": 8, **settings})


def test_a_caption_is_what_transformers_generates() -> None:
    made, want = fresh(), []
    for sound in SOUNDS:
        given = made.processor(text=PROMPT, audio=sound.waveform[0], sampling_rate=16_000, return_tensors="pt")
        with torch.no_grad():
            tokens = made.model.generate(**given, do_sample=False, max_new_tokens=8)
        new = tokens[:, given["input_ids"].shape[1] :]
        want.append(" ".join(made.processor.batch_decode(new, skip_special_tokens=True)[0].split()))
    assert made.caption(SOUNDS) == want
    assert len(set(want)) > 1, "different sounds are described differently"


def test_every_window_of_a_long_clip_is_described_once() -> None:
    made, asked = fresh(hop_s=1.0), []
    made._describe_window = lambda window: asked.append(len(window)) or f"word {len(asked) % 2}."  # type: ignore
    assert made.caption([noise(4.5, 16_000)]) == ["word 1. word 0"]
    assert asked == [32_000] * 4


def test_a_checkpoint_comes_back_from_its_folder(tmp_path: Path) -> None:
    made = fresh()
    made.model.save_pretrained(tmp_path)
    made.processor.save_pretrained(tmp_path)
    again = QwenAudioCaptioner.load(tmp_path, device="cpu", dtype="float32", max_new_tokens=8)
    assert again.caption(SOUNDS) == made.caption(SOUNDS)


@pytest.mark.parametrize("prompt", ["describe it", "<|AUDIO|><|AUDIO|>"])
def test_a_prompt_has_one_place_for_the_audio(prompt: str) -> None:
    with pytest.raises(InputError, match=r"needs <\|AUDIO\|> once"):
        fresh(prompt=prompt)


def test_another_tokenizer_is_refused() -> None:
    made = tiny_qwen_audio()
    made.processor.tokenizer = roberta_tokenizer([f"{a}{b}x" for a in "abcdefgh" for b in "qrstuvwz"])
    with pytest.raises(WeightsError):
        QwenAudioCaptioner(made.model, made.processor, card=tiny_card("toy", 0))
