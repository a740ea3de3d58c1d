"""BLIP as the library is documented, deterministic, batched, and loaded without surprises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapter_checkpoints import save
from adapter_helpers import noise_images, random_states
from PIL import Image

from zsavs.errors import ImageError, InputError
from zsavs.models.blip import BlipCaptioner
from zsavs.protocols import Captioner
from zsavs.testing.tiny.encoders import tiny_blip, tiny_card

SIZES = [(40, 64), (33, 90), (64, 20), (1, 1), (3, 50), (32, 32)]


def captioner(**settings: Any) -> BlipCaptioner:
    """A fresh toy captioner, which remembers nothing yet."""
    made = tiny_blip()
    settings = {"max_new_tokens": 8, **settings}
    return BlipCaptioner(made.model, made.processor, card=tiny_card("tiny-blip", 0), **settings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder as ``save_pretrained`` makes it."""
    return save("blip", tiny_blip(), tmp_path_factory.mktemp("blip"))


def documented(made: BlipCaptioner, image: np.ndarray, **settings: Any) -> str:
    """The call that transformers documents for image captioning, for one image."""
    text = {"text": made.prompt} if made.prompt else {}
    inputs = made.processor(images=Image.fromarray(image), return_tensors="pt", **text)
    out = made.model.generate(**inputs, **settings)
    return str(made.processor.decode(out[0], skip_special_tokens=True)).strip()


@pytest.mark.parametrize(
    "settings",
    [
        {"num_beams": 1, "max_new_tokens": 12},
        {"num_beams": 3, "max_new_tokens": 8},
        {"num_beams": 2, "max_new_tokens": 8, "repetition_penalty": 1.7},
    ],
)
def test_captions_are_those_of_the_documented_call(settings: dict[str, Any]) -> None:
    made = captioner(**settings)
    images = noise_images(*SIZES)
    captions = made.caption(images)
    assert captions == [documented(made, image, **settings) for image in images]
    assert len(set(captions)) > 1, "toy captions that are all alike would prove nothing"


def test_the_settings_matter() -> None:
    images = noise_images(*SIZES)
    greedy, beams, short = (
        captioner(**kw).caption(images) for kw in ({"num_beams": 1}, {"num_beams": 3}, {"max_new_tokens": 2})
    )
    assert greedy != beams
    assert max(map(len, short)) < max(map(len, beams))
    repeated = captioner(num_beams=1, max_new_tokens=20).caption(images)
    penalised = captioner(num_beams=1, max_new_tokens=20, repetition_penalty=2.0).caption(images)
    assert repeated != penalised


def test_a_prompt_is_continued_and_left_out() -> None:
    made = captioner(prompt="a photo of")
    images = noise_images(*SIZES)
    answers = [documented(made, image, num_beams=3, max_new_tokens=8) for image in images]
    assert all(answer.startswith("a photo of") for answer in answers)
    assert made.caption(images) == [answer.removeprefix("a photo of").strip() for answer in answers]
    assert made.caption(images) != captioner().caption(images)
    assert captioner(prompt="A photo, OF ").caption(images) == captioner(prompt="a photo , of").caption(images)


def test_a_batch_gives_what_its_images_give_one_by_one_in_any_order() -> None:
    images = noise_images(*SIZES)
    together = captioner(batch_size=4).caption(images)
    assert together == [captioner().caption([image])[0] for image in images]
    assert together[::-1] == captioner().caption(images[::-1])
    assert together == captioner(batch_size=1).caption(images)
    assert captioner().caption([]) == []
    assert isinstance(captioner(), Captioner)


def test_batches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    made = captioner(batch_size=2)
    sizes: list[int] = []
    generate = made.model.generate
    monkeypatch.setattr(
        made.model, "generate", lambda **inputs: sizes.append(len(inputs["pixel_values"])) or generate(**inputs)
    )
    made.caption(noise_images(*SIZES[:5]))
    assert sizes == [2, 2, 1]


def test_a_image_is_described_once_while_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    made = captioner()
    calls: list[int] = []
    generate = made.model.generate
    monkeypatch.setattr(made.model, "generate", lambda **inputs: calls.append(1) or generate(**inputs))
    images = noise_images(*SIZES[:2])
    assert made.caption(images) == made.caption(images)
    assert len(calls) == 1


def test_a_image_its_owner_changes_is_described_anew() -> None:
    made = captioner()
    image = noise_images((32, 32))[0].copy()
    before = made.caption([image])
    image[:] = noise_images((32, 32), seed=1)[0]
    assert made.caption([image]) == captioner().caption([image]) != before


def test_nothing_is_drawn_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    made = captioner()
    made.model.text_decoder.generation_config.do_sample = True  # as a checkpoint may ask
    made.model.text_decoder.generation_config.temperature = 5.0
    states = random_states()
    captions = made.caption(noise_images(*SIZES))
    assert random_states() == states
    assert captions == captioner().caption(noise_images(*SIZES))


def test_input_that_is_no_image_is_refused() -> None:
    made = captioner()
    image = noise_images((8, 8))[0]
    for wrong in (image, [image.astype(np.float32)], [image[:, :, :1]], [image[:0]], ["a.jpg"]):
        with pytest.raises(ImageError):
            made.caption(wrong)  # type: ignore[arg-type]
    for settings in ({"batch_size": 0}, {"num_beams": 0}, {"max_new_tokens": 0}, {"repetition_penalty": 0.0}):
        with pytest.raises(InputError):
            captioner(**settings)
    with pytest.raises(InputError, match="at most 64"):
        captioner(prompt="dog " * 60)
