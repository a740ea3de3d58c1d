"""SigLIP 2, MobileCLIP 2 and PE-Core through open_clip: as open_clip answers itself, and what is particular to each.

The descriptions are open_clip's own of the published models, with the published preprocessing; the towers are made
small, and the tokenizer of SigLIP 2 is in the manner of Gemma's.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import timm
import torch
from adapter_helpers import into_hub_cache, noise_images
from open_clip_folders import documented, export
from PIL import Image
from small_banks import with_banks
from timm.utils.model import reparameterize_model

from tools.imitation.filling import fill
from zsavs import testing
from zsavs.calibration.scorers import ImageScorer
from zsavs.errors import MissingWeights
from zsavs.models.open_clip import CARDS, OpenClipEncoder
from zsavs.storage.weights import lacking_files
from zsavs.testing.tiny.tokenizers import gemma_tokenizer
from zsavs.verification.clip_rescoring import ClipVerifier

#: By architecture: its tag, and what makes its image tower small.
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "ViT-B-32-SigLIP2-256": ("webli", {"depth": 1, "embed_dim": 32, "num_heads": 2}),
    "MobileCLIP2-S0": ("dfndr2b", {"layers": (1, 1, 1, 1), "embed_dims": (8, 16, 32, 64)}),
    "MobileCLIP2-B": ("dfndr2b", {"depth": 1}),
    "MobileCLIP2-S4": ("dfndr2b", {"layers": (1, 1, 1, 1, 1), "embed_dims": (8, 16, 32, 64, 64)}),
    "PE-Core-T-16-384": ("meta", {"depth": 1, "embed_dim": 24, "num_heads": 2}),
    "PE-Core-B-16": ("meta", {"depth": 1, "embed_dim": 48, "num_heads": 4}),
}
SIGLIP2, MOBILECLIP2, PE_CORE = "ViT-B-32-SigLIP2-256", "MobileCLIP2-S0", "PE-Core-B-16"
PHRASES = ["dog", "a photo of a piano", "An Accordion, played badly!", "警笛", "", "word " * 300]

every_family = pytest.mark.parametrize("name", FAMILIES)


@pytest.fixture(autouse=True)
def small_towers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let timm make the image towers small; all else of a description is as published, but for widths and words."""
    make = timm.create_model
    by_tower = {
        open_clip.get_model_config(name)["vision_cfg"]["timm_model_name"]: sizes
        for name, (_, sizes) in FAMILIES.items()
    }

    def small(name: str, **settings: Any) -> Any:
        return make(name, **{**by_tower[name], **settings})

    for name in FAMILIES:
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, name, described(name)["model_cfg"])
    monkeypatch.setattr(timm, "create_model", small)


def described(name: str) -> dict[str, Any]:
    """The published description of a model, narrow."""
    cfg = copy.deepcopy(open_clip.get_model_config(name))
    text = {"width": 16, "heads": 2, "layers": 1}
    if "hf_tokenizer_name" in cfg["text_cfg"]:
        text["vocab_size"] = len(gemma_tokenizer())
        cfg["embed_dim"] = 32  # the width of the image tower, which has no projection
    else:
        cfg["embed_dim"] = 16
    cfg["text_cfg"] |= text
    tag, _ = FAMILIES[name]
    published = open_clip.get_pretrained_cfg(name, tag)
    preprocess = {key: published[key] for key in ("mean", "std", "interpolation", "resize_mode")}
    return {"model_cfg": cfg, "preprocess_cfg": preprocess}


def lively(model: Any) -> None:
    """Weights that enlarge what goes through them, so that different items come out as different rows."""
    fill(model)
    if getattr(model, "logit_bias", None) is not None:
        torch.nn.init.constant_(model.logit_bias, -10.0)


@pytest.fixture
def laid_out(tmp_path: Path, cache: Path) -> Callable[[str], Path]:
    """Writes a family's repository into the hub cache, with the published file names; returns its folder."""

    def write(name: str) -> Path:
        tokenizer = gemma_tokenizer() if "SigLIP" in name else None
        folder = export(described(name), tmp_path / name, tokenizer, lively)
        (folder / "special_tokens_map.json").unlink(missing_ok=True)
        return into_hub_cache(folder, CARDS[f"{name}/{FAMILIES[name][0]}"].source, cache)

    return write


def load(name: str, **settings: Any) -> OpenClipEncoder:
    return OpenClipEncoder.load(f"{name}/{FAMILIES[name][0]}", device="cpu", **settings)


# --------------------------------------------------------------------------------- all of them
@every_family
def test_a_family_answers_as_open_clip_does(name: str, laid_out: Callable[[str], Path]) -> None:
    """Called as its README says, on images and texts of all shapes; and by the name that the card has."""
    folder = laid_out(name)
    encoder = load(name)
    images = noise_images((40, 64), (300, 900), (640, 20), (1, 1))
    rows, texts = documented(f"local-dir:{folder}", images, PHRASES)
    np.testing.assert_allclose(encoder.encode_image(images), rows, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_text(PHRASES), texts, atol=1e-5)
    for want in (rows, texts):
        apart = np.linalg.norm(want[:, None] - want[None], axis=-1) + np.eye(len(want))
        assert apart.min() > 1e-3, "rows that are all alike would prove nothing"


@every_family
def test_a_family_keeps_the_contract(name: str, laid_out: Callable[[str], Path]) -> None:
    laid_out(name)
    testing.check_encoder(load(name))


@every_family
def test_the_preprocessing_is_the_published_one(name: str, laid_out: Callable[[str], Path]) -> None:
    laid_out(name)
    encoder, (_, tag) = load(name), (name, FAMILIES[name][0])
    published = open_clip.get_pretrained_cfg(name, tag)
    white = encoder._prepare(np.full((50, 80, 3), 255, np.uint8))
    want = (1 - np.array(published["mean"])) / np.array(published["std"])
    np.testing.assert_allclose(white.numpy(), np.broadcast_to(want[:, None, None], white.shape), atol=1e-6)
    side = open_clip.get_model_config(name)["vision_cfg"]["image_size"]
    assert tuple(white.shape) == (3, side, side)


@every_family
def test_evidence_is_calibrated_as_for_clip(name: str, laid_out: Callable[[str], Path]) -> None:
    laid_out(name)
    encoder = with_banks(load(name), "picture_bank")
    z = ImageScorer(encoder, ["dog", "piano"])(noise_images((40, 64), (64, 64)), ["dog", "piano"])
    assert z.shape == (2, 2)
    assert np.isfinite(z).all()
    assert encoder.temperature == pytest.approx(float(torch.exp(-encoder.model.logit_scale)))


@every_family
def test_patches_have_tokens(name: str, laid_out: Callable[[str], Path]) -> None:
    laid_out(name)
    encoder = load(name)
    grids = {SIGLIP2: 8, "MobileCLIP2-B": 14, "PE-Core-T-16-384": 24, PE_CORE: 14, MOBILECLIP2: 8, "MobileCLIP2-S4": 4}
    (tokens,) = encoder.encode_image_tokens(noise_images((200, 300)))
    assert tokens.shape[:2] == (grids[name], grids[name])
    rows = encoder.project_image_tokens(tokens.reshape(-1, tokens.shape[-1]))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert np.ptp(rows, axis=0).max() > 1e-3


@every_family
def test_a_repository_that_lacks_a_file_is_refused_by_name(name: str, laid_out: Callable[[str], Path]) -> None:
    folder = laid_out(name)
    card = CARDS[f"{name}/{FAMILIES[name][0]}"]
    assert lacking_files(card) == []
    needed = ["open_clip_model.safetensors", *(["tokenizer.json", "tokenizer_config.json"] if "SigLIP" in name else [])]
    for file in needed:
        content = (folder / file).read_bytes()
        (folder / file).unlink()
        with pytest.raises(MissingWeights, match=file):
            load(name)
        (folder / file).write_bytes(content)
    load(name)


# ------------------------------------------------------------------------------------ SigLIP 2
def test_siglip2_pads_every_text_to_64_and_reads_the_last_place(laid_out: Callable[[str], Path]) -> None:
    """Its text tower has no mask and pools at the end: a text padded to the longest of its batch is another one."""
    laid_out(SIGLIP2)
    encoder = load(SIGLIP2)
    ids = encoder.tokenizer(["a dog", "dog " * 300])
    assert ids.shape == (2, 64)
    tokenizer = encoder.tokenizer.tokenizer
    assert ids[0].tolist()[2:] == [tokenizer.eos_token_id, *[tokenizer.pad_token_id] * 61], "the end, then padding"
    assert ids[1, -1] == tokenizer.eos_token_id, "a text that is cut has its end"
    short = ids[:1, :8]
    other = torch.nn.functional.pad(short, (0, 56), value=tokenizer.eos_token_id)
    with torch.no_grad():
        whole, cut = (encoder.model.encode_text(some, normalize=True) for some in (ids[:1], other))
    assert (whole - cut).abs().max() > 1e-3


def test_siglip2_reads_small_letters_without_marks(laid_out: Callable[[str], Path]) -> None:
    """Its checkpoints were trained so; open_clip's README does not say it, its description does."""
    laid_out(SIGLIP2)
    rows = load(SIGLIP2).encode_text(["An Accordion, played badly!", "an accordion played badly", "An accordion"])
    np.testing.assert_array_equal(rows[0], rows[1])
    assert np.abs(rows[0] - rows[2]).max() > 1e-3


def test_siglip2s_sigmoids_have_the_odds_of_a_softmax_at_its_temperature(laid_out: Callable[[str], Path]) -> None:
    """Given that one of several labels is there, its bias cancels: so evidence of regions is as for CLIP."""
    laid_out(SIGLIP2)
    encoder = load(SIGLIP2)
    model = encoder.model
    assert float(model.logit_bias) == -10, "from the file"
    image, labels = noise_images((40, 64)), ["dog", "piano", "a siren"]
    similarity = (encoder.encode_image(image) @ encoder.encode_text(labels).T)[0].astype(np.float64)
    with torch.no_grad():
        pixels = torch.stack([encoder.preprocess(Image.fromarray(one)) for one in image])
        logits = model.get_logits(pixels, encoder.tokenizer(labels))[0][0].double().numpy()
    odds = np.exp(logits)  # of a sigmoid: p / (1 - p)
    softmax = np.exp(similarity / encoder.temperature)
    np.testing.assert_allclose(softmax / softmax.sum(), odds / odds.sum(), rtol=1e-4)


def test_siglip2_verifies_regions(laid_out: Callable[[str], Path]) -> None:
    laid_out(SIGLIP2)
    verifier = ClipVerifier(with_banks(load(SIGLIP2), "picture_bank"), ("dog", "piano"), silent=("tree",))
    testing.check_verifier(verifier)


# ---------------------------------------------------------------------------------- MobileCLIP 2
def test_mobileclip2_takes_pixels_as_they_are(laid_out: Callable[[str], Path]) -> None:
    """S0, S2 and B have mean 0 and deviation 1, where S3, S4 and L-14 have CLIP's."""
    for name, mean in (("MobileCLIP2-S0", 0.0), ("MobileCLIP2-B", 0.0), ("MobileCLIP2-S4", 0.48145466)):
        laid_out(name)
        black = load(name)._prepare(np.zeros((50, 80, 3), np.uint8))
        assert float(black[0, 0, 0]) == pytest.approx(-mean / (0.26862954 if mean else 1), abs=1e-6)


@pytest.mark.parametrize("name", ["MobileCLIP2-S0", "MobileCLIP2-S4"])
def test_mobileclip2s_branches_are_joined(name: str, laid_out: Callable[[str], Path]) -> None:
    """As Apple and open_clip ask for; the answers are the same, as the first test of this file shows. B has none."""
    folder = laid_out(name)
    trained = open_clip.create_model(f"local-dir:{folder}").eval()
    joined = load(name).model
    counts = [sum(1 for _ in model.visual.parameters()) for model in (trained, joined)]
    assert counts[1] < counts[0]
    want = reparameterize_model(trained.visual.trunk)
    assert counts[1] == sum(1 for _ in want.parameters()) + sum(1 for _ in trained.visual.head.parameters())


def test_mobileclip2_is_for_research_alone() -> None:
    cards = {name: card for name, card in CARDS.items() if name.startswith("MobileCLIP2")}
    assert len(cards) == 6
    assert all(card.is_restricted and card.licence == "apple-amlr" for card in cards.values())


# -------------------------------------------------------------------------------------- PE-Core
def test_pe_core_reads_32_tokens_and_no_more(laid_out: Callable[[str], Path]) -> None:
    laid_out(PE_CORE)
    encoder = load(PE_CORE)
    ids = encoder.tokenizer(["a dog", "dog " * 300])
    assert ids.shape == (2, 32)
    assert int(ids[1, -1]) == 49407, "a text that is cut has its end, which is where the tower reads"
    longer, long = encoder.encode_text(["dog " * 300, "dog " * 30])
    np.testing.assert_array_equal(longer, long)


def test_pe_core_sees_the_whole_of_a_long_image(laid_out: Callable[[str], Path]) -> None:
    """It squashes, where CLIP cuts the middle out: what lies at the ends of a wide image changes its answer."""
    laid_out(PE_CORE)
    encoder = load(PE_CORE)
    (image,) = noise_images((40, 400))
    other = image.copy()
    other[:, :60] = 0
    one, two = encoder.encode_image([image, other])
    assert np.abs(one - two).max() > 1e-3


# ------------------------------------------------------------------------------- published sizes
@pytest.fixture
def whole_towers(monkeypatch: pytest.MonkeyPatch, small_towers: None) -> None:
    monkeypatch.undo()


@pytest.mark.parametrize("name", [name for name in CARDS if name.partition("/")[2] in ("webli", "dfndr2b", "meta")])
def test_sizes_on_cards_are_those_of_the_published_architectures(name: str, whole_towers: None) -> None:
    cfg = open_clip.get_model_config(name.partition("/")[0])
    assert cfg.pop("custom_text")
    with torch.device("meta"):
        model = open_clip.CustomTextCLIP(**cfg)
    megabytes = 4 * sum(weight.numel() for weight in model.parameters()) / 1e6
    assert CARDS[name].size_mb == pytest.approx(megabytes, abs=1)


def test_descriptions_here_are_the_published_ones_but_for_sizes(whole_towers: None) -> None:
    """Else these tests would show nothing about the published models."""
    for name in FAMILIES:
        published, ours = open_clip.get_model_config(name), described(name)["model_cfg"]
        assert published["vision_cfg"] == ours["vision_cfg"]
        changed = {key for key in published["text_cfg"] if published["text_cfg"][key] != ours["text_cfg"][key]}
        assert changed <= {"width", "heads", "layers", "vocab_size"}
        assert json.dumps(published["text_cfg"].get("tokenizer_kwargs")) == json.dumps(
            ours["text_cfg"].get("tokenizer_kwargs")
        )
