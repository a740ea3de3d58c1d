"""open_clip models from files on this machine only: tags, tokenizers, broken and harmful files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from adapter_helpers import COMMIT, copy_with, harmful_pickle, into_hub_cache, noise_images, watch_the_network
from open_clip_folders import CLIP_LIKE, PHRASES, SIZES, VISION, documented, unit
from safetensors.torch import load_file, save

from zsavs.errors import MissingWeights, UnknownName, WeightsError
from zsavs.models.open_clip import DEFAULT, OpenClipEncoder
from zsavs.testing.tiny.tokenizers import clip_tokenizer, roberta_tokenizer


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
    folder = copy_with(clip_folder, tmp_path / "timm", b"w", "open_clip_model.safetensors")
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
    with pytest.raises(WeightsError, match="holds no weights by name"):
        OpenClipEncoder.load(copy_with(clip_folder, tmp_path / "none", save({}), "open_clip_model.safetensors"))
    del weights["ln_final.weight"]
    with pytest.raises(WeightsError, match=r"cannot be loaded .*missing weight ln_final\.weight"):
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
