"""A local instruct model: beside transformers called directly, and as a translator."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from zsavs.errors import MissingWeights, WeightsError
from zsavs.models.chat import ChatModel
from zsavs.protocols import Scene
from zsavs.testing.tiny.chat import tiny_chat
from zsavs.testing.tiny.encoders import tiny_card
from zsavs.translation.chat import ChatTranslator

CHAT = [{"role": "system", "content": "help"}, {"role": "user", "content": "what do you hear?"}]


def test_the_reply_is_that_of_transformers() -> None:
    made = tiny_chat()
    text, tokens = made.reply(CHAT)
    ids = made.tokenizer.apply_chat_template(CHAT, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.no_grad():
        out = made.model.generate(**ids, do_sample=False, max_new_tokens=8)
    asked = ids["input_ids"].shape[1]
    assert text == made.tokenizer.decode(out[0, asked:], skip_special_tokens=True).strip()
    assert tokens == out.shape[1] > asked
    assert made.reply(CHAT) == (text, tokens)
    assert made.reply([*CHAT[:1], {"role": "user", "content": "and now?"}])[0] != text


def test_a_checkpoint_is_loaded_when_it_is_first_asked(tmp_path: Path) -> None:
    tiny = tiny_chat()
    folder = tmp_path / "chat"
    tiny.model.save_pretrained(folder)
    tiny.tokenizer.save_pretrained(folder)
    made = ChatTranslator.load(folder, device="cpu", dtype="float32", max_new_tokens=8)
    assert "model" not in vars(made)
    (translation,) = made.translate([Scene((("Bark", 0.9),), "a dog")])
    assert translation.notes["by"] == "rules", "random words are no JSON"
    assert [sought.phrase for sought in translation.sources] == ["dog"]
    again = ChatTranslator.load(folder, device="cpu", dtype="float32", max_new_tokens=8)
    assert again.translate([Scene((("Bark", 0.9),), "a dog")]) == [translation]
    assert "model" not in vars(again), "kept replies need no model"


def test_what_is_no_instruct_model_is_refused() -> None:
    tiny = tiny_chat()
    tiny.tokenizer.chat_template = None
    with pytest.raises(WeightsError, match="no chat template"):
        ChatModel(tiny.model, tiny.tokenizer, card=tiny_card("x", 0))


def test_a_template_that_fails_is_named() -> None:
    tiny = tiny_chat()
    tiny.tokenizer.chat_template = "{{ raise_exception('no system turn') }}"
    with pytest.raises(WeightsError, match="chat template failed"):
        tiny.reply(CHAT)


def test_missing_weights_are_said_when_asked(tmp_path: Path) -> None:
    made = ChatTranslator.load(tmp_path / "nothing")
    with pytest.raises(MissingWeights):
        made.translate([Scene((("Bark", 0.9),), "")])
