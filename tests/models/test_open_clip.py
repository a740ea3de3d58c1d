"""open_clip as the library is documented, from files on this machine only, deterministic and batched."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from adapter_helpers import (
    COMMIT,
    copy_with,
    harmful_pickle,
    imported_by,
    into_hub_cache,
    noise_images,
    random_states,
    watch_the_network,
)
from PIL import Image
from safetensors.torch import load_file, save

from zsavs.errors import ImageError, InputError, MissingWeights, UnknownName, WeightsError
from zsavs.models.open_clip import CARDS, DEFAULT, OpenClipEncoder
from zsavs.protocols import ImageTextEncoder
from zsavs.testing.tiny.encoders import tiny_card, tiny_open_clip
from zsavs.testing.tiny.tokenizers import clip_tokenizer, roberta_tokenizer

SIZES = [(40, 64), (33, 90), (64, 20), (1, 1), (1, 30), (32, 32), (500, 20)]
PHRASES = ["dog", "a photo of a piano", "an Accordion, played badly!", "警笛", "", "word " * 300]

VISION = {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8}
TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
CLIP_LIKE: dict[str, Any] = {
    "model_cfg": {"embed_dim": 16, "vision_cfg": VISION, "text_cfg": TEXT},
    "preprocess_cfg": {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25], "interpolation": "bicubic"},
}
#: As open_clip describes SigLIP: a timm image tower, a text tower of its own with a tokenizer from the hub.
SIGLIP_LIKE: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 64,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": {"image_size": 160, "timm_model_name": "test_vit", "timm_pool": "map", "timm_proj": "none"},
        "text_cfg": {
            **TEXT,
            "vocab_size": 2000,
            "hf_tokenizer_name": "toy/tokenizer",
            "tokenizer_kwargs": {"clean": "canonicalize"},
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
            "norm_kwargs": {"eps": 1e-6},
        },
    },
    "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"},
}


def export(config: dict[str, Any], folder: Path, tokenizer: Any = None) -> Path:
    """Write random weights as open_clip exports a model: a description, the weights, a tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
        for parameter in model.parameters():
            if not parameter.any():  # zeros, as biases begin: a wrong one would not show
                torch.nn.init.normal_(parameter, std=0.1)
    weights = {key: value.contiguous() for key, value in model.state_dict().items()}
    (folder / "open_clip_model.safetensors").write_bytes(save(weights))
    return folder


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(CLIP_LIKE, tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def siglip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(SIGLIP_LIKE, tmp_path_factory.mktemp("siglip"), clip_tokenizer())


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def toy_tag(clip_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An architecture "Toy-8" with a tag "toy2b" in open_clip's lists, its weights in the hub cache."""
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "Toy-8", CLIP_LIKE["model_cfg"])
    published = {"hf_hub": "toy/CLIP-toy/", **CLIP_LIKE["preprocess_cfg"], "resize_mode": "squash"}
    gelu = {**published, "quick_gelu": True}
    named = {**published, "hf_hub": "toy/CLIP-toy/special.bin"}
    monkeypatch.setitem(
        open_clip.pretrained._PRETRAINED,
        "Toy-8",
        {
            "toy2b": published,
            "toy2b_gelu": gelu,
            "toy2b_named": named,
            "elsewhere": {"url": "https://example.org/w.pt"},
        },
    )
    return into_hub_cache(clip_folder, "toy/CLIP-toy", cache)


def unit(features: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(features, dim=-1).numpy()


def documented(
    model_name: str, images: list[Any], phrases: list[str], **settings: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Image and text embeddings by the calls of open_clip's README."""
    model, _, preprocess = open_clip.create_model_and_transforms(model_name, **settings)
    tokenizer = open_clip.get_tokenizer(model_name)
    model.eval()
    with torch.no_grad():
        pixels = torch.stack([preprocess(Image.fromarray(image)) for image in images])
        return unit(model.encode_image(pixels)), unit(model.encode_text(tokenizer(phrases)))


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


def test_a_tag_is_the_documented_model_with_its_own_preprocessing(toy_tag: Path) -> None:
    encoder = OpenClipEncoder.load("Toy-8/toy2b", device="cpu")
    images = noise_images(*SIZES)
    image_rows, text_rows = documented("Toy-8", images, PHRASES, pretrained="toy2b")
    np.testing.assert_allclose(encoder.encode_image(images), image_rows, atol=2e-6)
    np.testing.assert_allclose(encoder.encode_text(PHRASES), text_rows, atol=2e-6)
    assert encoder.card.revision == COMMIT
    assert encoder.space == "open_clip:toy/CLIP-toy"
    other = OpenClipEncoder.load("toy/CLIP-toy", device="cpu")  # its config says: scale the short side, crop
    assert other.space == encoder.space
    assert np.abs(other.encode_image(images) - image_rows).max() > 1e-3


def test_a_tag_can_name_its_file(toy_tag: Path) -> None:
    want = OpenClipEncoder.load("Toy-8/toy2b", device="cpu").encode_text(PHRASES)
    usual = toy_tag / "open_clip_model.safetensors"
    (toy_tag / "special.safetensors").write_bytes(usual.read_bytes())
    (toy_tag / "special.bin").write_bytes(b"the same as a pickle, which is not read where there is better")
    usual.write_bytes(b"another model")
    np.testing.assert_array_equal(OpenClipEncoder.load("Toy-8/toy2b_named", device="cpu").encode_text(PHRASES), want)


@pytest.mark.parametrize(
    "name", ["open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin"]
)
def test_open_clips_own_weights_come_before_those_for_other_libraries(
    name: str, clip_folder: Path, tmp_path: Path
) -> None:
    want = OpenClipEncoder.load(clip_folder, device="cpu").encode_text(PHRASES)
    weights = load_file(clip_folder / "open_clip_model.safetensors")
    folder = copy_with(clip_folder, tmp_path / "both", b"the same model in another library's words")
    (folder / "a.safetensors").write_bytes(b"something else")
    if name.endswith("safetensors"):
        (folder / name).write_bytes(save(weights))
    else:
        torch.save(weights, folder / name)
    np.testing.assert_array_equal(OpenClipEncoder.load(folder, device="cpu").encode_text(PHRASES), want)


def test_weights_trained_with_another_activation_get_it(toy_tag: Path) -> None:
    gelu = OpenClipEncoder.load("Toy-8/toy2b_gelu", device="cpu").encode_text(PHRASES)
    with pytest.warns(UserWarning, match="QuickGELU mismatch"):  # all that open_clip does about it
        documented("Toy-8", noise_images((8, 8)), PHRASES, pretrained="toy2b_gelu")
    _, want = documented("Toy-8", noise_images((8, 8)), PHRASES, pretrained="toy2b_gelu", force_quick_gelu=True)
    np.testing.assert_allclose(gelu, want, atol=2e-6)
    assert np.abs(gelu - OpenClipEncoder.load("Toy-8/toy2b", device="cpu").encode_text(PHRASES)).max() > 1e-4


def test_an_architecture_with_a_file_of_weights(toy_tag: Path, tmp_path: Path) -> None:
    weights = load_file(toy_tag / "open_clip_model.safetensors")
    want = OpenClipEncoder.load("Toy-8/toy2b", device="cpu").encode_text(PHRASES)
    for name in ("w.pt", "w.bin", "w.safetensors"):
        if name.endswith("safetensors"):
            (tmp_path / name).write_bytes(save(weights))
        else:
            torch.save({"state_dict": {f"module.{key}": value for key, value in weights.items()}}, tmp_path / name)
        encoder = OpenClipEncoder.load("Toy-8", weights=tmp_path / name, device="cpu")
        np.testing.assert_array_equal(encoder.encode_text(PHRASES), want)
        assert encoder.card.source == str(tmp_path / name)
        assert encoder.card.licence == "unknown"


def test_names_that_lead_nowhere_say_what_there_is(toy_tag: Path, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'toy2b'"):
        OpenClipEncoder.load("Toy-8/toy2")
    with pytest.raises(MissingWeights, match="toy2b"):
        OpenClipEncoder.load("Toy-8")
    with pytest.raises(MissingWeights, match=r"https://example\.org"):
        OpenClipEncoder.load("Toy-8/elsewhere")
    with pytest.raises(MissingWeights, match="zsavs download laion/CLIP-ViT-B-32-laion2B-s34B-b79K"):
        OpenClipEncoder.load()
    with pytest.raises(MissingWeights, match="zsavs download org/absent"):
        OpenClipEncoder.load("org/absent")
    with pytest.raises(MissingWeights, match=r"w\.pt"):
        OpenClipEncoder.load("Toy-8", weights=tmp_path / "w.pt")
    (tmp_path / "transformers").mkdir()
    with pytest.raises(MissingWeights, match=r"open_clip_config\.json"):
        OpenClipEncoder.load(tmp_path / "transformers")


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


def test_toys_are_seeded() -> None:
    one, again, other = (tiny_open_clip(seed).encode_text(["dog"]) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.01
    assert tiny_open_clip(3).space != tiny_open_clip(4).space


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


def test_a_half_precision_file_loads_as_asked(clip_folder: Path, tmp_path: Path) -> None:
    weights = {key: value.bfloat16() for key, value in load_file(clip_folder / "open_clip_model.safetensors").items()}
    folder = copy_with(clip_folder, tmp_path / "half", save(weights), "open_clip_model.safetensors")
    encoder = OpenClipEncoder.load(folder, device="cpu")
    assert {parameter.dtype for parameter in encoder.model.parameters()} == {torch.float32}


def test_the_tokenizer_beside_the_weights_is_used_else_the_one_in_the_cache(
    siglip_folder: Path, cache: Path, tmp_path: Path
) -> None:
    want = OpenClipEncoder.load(siglip_folder, device="cpu").encode_text(PHRASES)
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("open_clip_config.json", "open_clip_model.safetensors"):
        (bare / name).write_bytes((siglip_folder / name).read_bytes())
    with pytest.raises(MissingWeights, match="zsavs download toy/tokenizer"):
        OpenClipEncoder.load(bare)
    clip_tokenizer().save_pretrained(tmp_path / "tokenizer")
    into_hub_cache(tmp_path / "tokenizer", "toy/tokenizer", cache)
    np.testing.assert_array_equal(OpenClipEncoder.load(bare, device="cpu").encode_text(PHRASES), want)


def test_a_text_tower_of_transformers_is_found_in_the_cache(cache: Path, tmp_path: Path) -> None:
    from transformers import RobertaConfig

    text = {"hf_model_name": "toy/roberta", "hf_tokenizer_name": "toy/roberta", "hf_proj_type": "mlp"}
    config = {"model_cfg": {"embed_dim": 16, "vision_cfg": VISION, "text_cfg": {**text, "context_length": 16}}}
    tower = tmp_path / "tower"
    tokenizer = roberta_tokenizer()
    tokenizer.save_pretrained(tower)
    RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=40,
        pad_token_id=1,
    ).save_pretrained(tower)
    local = json.loads(json.dumps(config))
    local["model_cfg"]["text_cfg"]["hf_model_name"] = str(tower)
    local["model_cfg"]["text_cfg"]["hf_model_pretrained"] = False
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    model = open_clip.CustomTextCLIP(**local["model_cfg"]).eval()
    (folder / "open_clip_model.safetensors").write_bytes(
        save({key: value.contiguous() for key, value in model.state_dict().items()})
    )
    with pytest.raises(MissingWeights, match="zsavs download toy/roberta"):
        OpenClipEncoder.load(folder)
    into_hub_cache(tower, "toy/roberta", cache)
    with torch.no_grad():
        ids = tokenizer(["a dog"], padding="max_length", max_length=16, truncation=True, return_tensors="pt").input_ids
        want = unit(model.encode_text(ids))
    np.testing.assert_allclose(OpenClipEncoder.load(folder, device="cpu").encode_text(["a dog"]), want, atol=2e-6)


def test_an_image_tower_from_the_hub_is_refused(clip_folder: Path, tmp_path: Path) -> None:
    folder = copy_with(clip_folder, tmp_path / "timm", b"", "open_clip_model.safetensors")
    config = json.loads(json.dumps(CLIP_LIKE))
    config["model_cfg"]["vision_cfg"] = {"timm_model_name": "hf-hub:timm/vit", "image_size": 32}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="hf-hub:timm/vit"):
        OpenClipEncoder.load(folder)


def test_long_texts_are_cut_and_not_thinned_at_random(clip_folder: Path, tmp_path: Path) -> None:
    folder = copy_with(clip_folder, tmp_path / "c", (clip_folder / "open_clip_model.safetensors").read_bytes())
    config = json.loads(json.dumps(CLIP_LIKE))
    config["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = {"reduction_mask": "random"}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    long = " ".join(f"word{number}" for number in range(100))
    rows = OpenClipEncoder.load(folder, device="cpu").encode_text([long])
    np.testing.assert_array_equal(rows, OpenClipEncoder.load(clip_folder, device="cpu").encode_text([long]))


def test_broken_checkpoints_are_one_clear_error(clip_folder: Path, tmp_path: Path) -> None:
    whole = (clip_folder / "open_clip_model.safetensors").read_bytes()
    with pytest.raises(MissingWeights, match="there are no weights"):
        OpenClipEncoder.load(copy_with(clip_folder, tmp_path / "empty", None))
    with pytest.raises(WeightsError, match="SafetensorError"):
        OpenClipEncoder.load(copy_with(clip_folder, tmp_path / "cut", whole[: len(whole) // 2]))
    with pytest.raises(WeightsError, match=r"w\.pt"):
        OpenClipEncoder.load(copy_with(clip_folder, tmp_path / "junk", b"not weights", "w.pt"))
    weights = load_file(clip_folder / "open_clip_model.safetensors")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        OpenClipEncoder.load(copy_with(clip_folder, tmp_path / "none", save({}), "open_clip_model.safetensors"))
    del weights["ln_final.weight"]
    with pytest.raises(WeightsError, match="cannot be loaded"):
        OpenClipEncoder.load(copy_with(clip_folder, tmp_path / "gap", save(weights), "open_clip_model.safetensors"))


@pytest.mark.parametrize("text", ["{", "[]", '{"model_cfg": {}}', '{"model_cfg": {"text_cfg": {}, "vision_cfg": {}}}'])
def test_a_broken_description_is_one_clear_error(text: str, clip_folder: Path, tmp_path: Path) -> None:
    folder = copy_with(clip_folder, tmp_path / "c", b"", "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(text)
    with pytest.raises(WeightsError, match="zsavs download"):
        OpenClipEncoder.load(folder)


def test_nothing_is_asked_of_the_network(
    clip_folder: Path, siglip_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the hub's client may go online, and even for what is not here."""
    attempts = watch_the_network(monkeypatch)
    for folder in (clip_folder, siglip_folder):
        encoder = OpenClipEncoder.load(folder, device="cpu")
        encoder.encode_image(noise_images((8, 8)))
        encoder.encode_text(PHRASES)
    for absent in (DEFAULT, "org/absent"):
        with pytest.raises(MissingWeights):
            OpenClipEncoder.load(absent)
    assert attempts == []


def test_a_pickle_that_would_run_code_is_refused(clip_folder: Path, tmp_path: Path) -> None:
    evidence = tmp_path / "ran"
    bad = copy_with(clip_folder, tmp_path / "bad", harmful_pickle(evidence), "open_clip_pytorch_model.bin")
    with pytest.raises(WeightsError):
        OpenClipEncoder.load(bad)
    assert not evidence.exists()


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
        assert card.licence == "MIT"
        assert card.size_mb > 0
