"""open_clip as the library is documented: embeddings, batches, precision, and what is refused."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from adapter_helpers import imported_by, noise_images, random_states
from open_clip_folders import PHRASES, SIGLIP_LIKE, SIZES, documented, export
from PIL import Image

from zsavs.errors import ImageError, InputError, WeightsError
from zsavs.models.open_clip import CARDS, DEFAULT, OpenClipEncoder
from zsavs.protocols import ImageTextEncoder
from zsavs.testing.tiny.encoders import tiny_card, tiny_open_clip
from zsavs.testing.tiny.tokenizers import clip_tokenizer


def fresh(**settings: Any) -> OpenClipEncoder:
    """A toy encoder that remembers nothing yet."""
    made = tiny_open_clip()
    return OpenClipEncoder(made.model, made.preprocess, made.tokenizer, card=tiny_card("toy", 0), **settings)


@pytest.mark.parametrize("kind", ["clip_folder", "siglip_folder"])
def test_embeddings_are_those_of_the_documented_calls(kind: str, request: pytest.FixtureRequest) -> None:
    """To 2e-6; the rows of different inputs are further apart than a hundred times that."""
    folder = request.getfixturevalue(kind)
    encoder = OpenClipEncoder.load(folder, device="cpu")
    images = noise_images(*SIZES)
    image_rows, text_rows = documented(f"local-dir:{folder}", images, PHRASES)
    np.testing.assert_allclose(encoder.encode_image(images), image_rows, atol=2e-6)
    np.testing.assert_allclose(encoder.encode_text(PHRASES), text_rows, atol=2e-6)
    for rows in (image_rows, text_rows):
        apart = np.linalg.norm(rows[:, None] - rows[None], axis=-1) + np.eye(len(rows))
        assert apart.min() > 2e-4


def test_other_ways_to_lay_out_tokens_are_those_of_the_documented_calls(tmp_path: Path) -> None:
    """A description may name a tokenizer mode."""
    config = json.loads(json.dumps(SIGLIP_LIKE))
    config["model_cfg"]["text_cfg"] |= {"tokenizer_mode": "clips"}
    tokenizer = clip_tokenizer()
    tokenizer.cls_token = "dog"
    folder = export(config, tmp_path / "clips", tokenizer)
    _, want = documented(f"local-dir:{folder}", noise_images((8, 8)), PHRASES)
    np.testing.assert_allclose(OpenClipEncoder.load(folder, device="cpu").encode_text(PHRASES), want, atol=2e-6)


def test_a_batch_gives_what_its_items_give_one_by_one_in_any_order() -> None:
    """To 1e-5."""
    images = noise_images(*SIZES)
    rows, texts = fresh(batch_size=3).encode_image(images), fresh().encode_text(PHRASES)
    np.testing.assert_allclose(rows, np.concatenate([fresh().encode_image([image]) for image in images]), atol=1e-5)
    np.testing.assert_allclose(rows[::-1], fresh().encode_image(images[::-1]), atol=1e-5)
    np.testing.assert_allclose(texts, np.concatenate([fresh().encode_text([text]) for text in PHRASES]), atol=1e-5)
    np.testing.assert_allclose(texts[::-1], fresh().encode_text(PHRASES[::-1]), atol=1e-5)


def test_the_same_input_gives_the_same_bits() -> None:
    images, again = noise_images(*SIZES), noise_images(*SIZES)
    np.testing.assert_array_equal(fresh().encode_image(images), fresh().encode_image(again))
    np.testing.assert_array_equal(fresh().encode_text(PHRASES), fresh().encode_text(PHRASES))


def test_rows_are_float32_of_unit_length_and_nothing_gives_no_rows() -> None:
    encoder = fresh()
    for rows in (encoder.encode_image(noise_images(*SIZES)), encoder.encode_text(PHRASES)):
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    for rows in (encoder.encode_image([]), encoder.encode_text([])):
        assert rows.dtype == np.float32
        assert rows.shape == (0, 16)
    assert isinstance(encoder, ImageTextEncoder)


def test_a_very_long_image_is_not_blown_up_on_its_way() -> None:
    encoder = fresh()
    seen: list[tuple[int, int]] = []
    preprocess = encoder.preprocess
    encoder.preprocess = lambda image: seen.append(image.size) or preprocess(image)  # type: ignore[func-returns-value]
    wide, tall = noise_images((2, 9000), (9000, 2))
    rows = encoder.encode_image([wide, tall])
    assert seen == [(64, 2), (2, 64)]
    middle = slice(4500 - 32, 4500 + 32)
    np.testing.assert_array_equal(rows, fresh().encode_image([wide[:, middle].copy(), tall[middle].copy()]))
    # And that changes next to nothing, as open_clip takes the middle square in the end.
    pixels = preprocess(Image.fromarray(wide))
    np.testing.assert_allclose(encoder._prepare(wide).numpy(), pixels.numpy(), atol=0.05)


def test_a_squashed_image_is_kept_whole(siglip_folder: Path) -> None:
    encoder = OpenClipEncoder.load(siglip_folder, device="cpu")
    wide = noise_images((2, 900))
    want, _ = documented(f"local-dir:{siglip_folder}", wide, ["x"])
    np.testing.assert_allclose(encoder.encode_image(wide), want, atol=2e-6)


def test_batches_are_bounded_and_each_thing_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = fresh(batch_size=2)
    sizes: list[int] = []
    texts: list[int] = []
    encode_image, encode_text = encoder.model.encode_image, encoder.model.encode_text
    monkeypatch.setattr(
        encoder.model, "encode_image", lambda x, **kw: sizes.append(len(x)) or encode_image(x, **kw), raising=True
    )
    monkeypatch.setattr(
        encoder.model, "encode_text", lambda x, **kw: texts.append(len(x)) or encode_text(x, **kw), raising=True
    )
    images = noise_images(*SIZES[:5])
    np.testing.assert_array_equal(encoder.encode_image(images), encoder.encode_image(images))
    assert sizes == [2, 2, 1]
    encoder.encode_text(["dog", "cat", "dog"])
    encoder.encode_text(["cat", "bird", "dog"])
    assert texts == [2, 1]
    encoder.encode_text([f"label {number}" for number in range(150)])
    assert texts[2:] == [1, 64, 64, 22], "first what tells these weights from others, in the store on disk"


def test_a_image_its_owner_changes_is_seen_anew() -> None:
    encoder = fresh()
    image = noise_images((32, 32))[0].copy()
    before = encoder.encode_image([image])
    image[:] = 0
    assert np.abs(encoder.encode_image([image]) - before).max() > 1e-3
    np.testing.assert_array_equal(encoder.encode_image([image]), fresh().encode_image([image]))


def test_answers_are_the_callers_own() -> None:
    encoder = fresh()
    image = noise_images((32, 32))
    for encode, items in ((encoder.encode_text, ["dog"]), (encoder.encode_image, image)):
        rows = encode(items)
        kept = rows.copy()
        rows[:] = 7
        np.testing.assert_array_equal(encode(items), kept)


def test_nothing_global_is_touched(clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    states, grad = random_states(), torch.is_grad_enabled()
    encoder = OpenClipEncoder.load(clip_folder, device="cpu")
    encoder.encode_image(noise_images(*SIZES))
    encoder.encode_text(PHRASES)
    tiny_open_clip(5)
    assert random_states() == states
    assert torch.is_grad_enabled() == grad
    assert logging.root.handlers == []
    assert not any(parameter.requires_grad for parameter in encoder.model.parameters())
    assert not encoder.model.training


@pytest.mark.parametrize("kind", ["clip_folder", "siglip_folder"])
def test_half_precision_stays_near(kind: str, request: pytest.FixtureRequest) -> None:
    """bfloat16 on the CPU: every row within a cosine of 0.999 of float32's (0.9999 was measured)."""
    folder = request.getfixturevalue(kind)
    full = OpenClipEncoder.load(folder, device="cpu")
    half = OpenClipEncoder.load(folder, device="cpu", dtype="bfloat16")
    assert {parameter.dtype for parameter in full.model.parameters()} == {torch.float32}
    assert {parameter.dtype for parameter in half.model.parameters()} == {torch.bfloat16}
    images = noise_images(*SIZES)
    for a, b in (
        (full.encode_image(images), half.encode_image(images)),
        (full.encode_text(PHRASES), half.encode_text(PHRASES)),
    ):
        assert b.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(b, axis=1), 1, atol=1e-6)
        assert (a * b).sum(axis=1).min() > 0.999
        assert np.abs(a - b).max() > 0


def test_a_model_that_returns_nan_is_an_error() -> None:
    encoder = fresh()
    with torch.no_grad():
        encoder.model.visual.proj[:] = float("nan")
    with pytest.raises(WeightsError, match="NaN"):
        encoder.encode_image(noise_images((8, 8)))


def test_input_of_the_wrong_kind_is_refused() -> None:
    encoder = fresh()
    image = noise_images((8, 8))[0]
    for wrong in ([image / 255], [image[:, :, :1]], [image[:0]]):
        with pytest.raises(ImageError):
            encoder.encode_image(wrong)  # type: ignore[list-item]
    with pytest.raises(ImageError, match=r"use \[image\]"):
        encoder.encode_image(image)  # type: ignore[arg-type]
    assert encoder.encode_image(np.stack([image, image])).shape == (2, 16)
    for wrong_text in ("dog", [b"dog"]):
        with pytest.raises(InputError):
            encoder.encode_text(wrong_text)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        fresh(batch_size=0)


def test_importing_is_light_and_the_cards_are_whole() -> None:
    assert not {"torch", "open_clip"} & imported_by("zsavs.models.open_clip")
    assert DEFAULT in CARDS
    assert CARDS["zsavs:nano/clip"].licence == "Apache-2.0"
    for name, card in CARDS.items():
        if name.startswith("zsavs:"):  # ships with zsavs
            continue
        published = open_clip.get_pretrained_cfg(*name.split("/"))
        assert published["hf_hub"] == f"{card.source}/"
        assert card.licence == {"webli": "Apache-2.0", "dfndr2b": "apple-amlr", "meta": "Apache-2.0"}.get(
            name.partition("/")[2], "MIT"
        )
        assert card.is_restricted == name.startswith("MobileCLIP")
        assert card.size_mb > 0
