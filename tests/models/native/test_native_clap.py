"""LAION's own files of CLAP: the answers of LAION's package, all published sizes, words, towers, and other files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from native_files import empty_weights, golden, golden_weights

from tools.imitation.files import roberta_vocabulary
from tools.imitation.inputs import TEXTS, audio
from tools.native.clap import PUBLISHED
from zsavs import AudioClip
from zsavs.build.parts import build_parts
from zsavs.errors import MissingWeights, WeightsError
from zsavs.models.clap import ClapEncoder
from zsavs.models.native import clap as native

CLOSE = 1e-4
SMALL = ["clap_unfused", "clap_fused"]
SENTENCES = "text_branch.embeddings.token_type_embeddings.weight"


def write(name: str, folder: Path, *, words: bool = True, **changed: torch.Tensor | None) -> Path:
    """LAION's form of a small model's file, whole training run and all, some weights of it changed or taken out."""
    weights: dict[str, Any] = golden_weights(name) | changed
    held = {f"module.{key}": tensor for key, tensor in weights.items() if tensor is not None}
    optimizer = {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": np.float64(1e-4)}]}
    path = folder / f"{name}.pt"
    torch.save({"epoch": 15, "name": "2022", "state_dict": held, "optimizer": optimizer}, path)
    if words:
        roberta_vocabulary(folder)
    return path


@pytest.mark.parametrize("name", [*SMALL, *(pytest.param(name, marks=pytest.mark.full) for name in PUBLISHED)])
def test_embeddings_are_those_of_laions_package(name: str, tmp_path: Path) -> None:
    answers = golden(name)
    encoder = ClapEncoder.load(write(name, tmp_path), device="cpu")
    clip = AudioClip(audio(48_000, answers["seconds"])[None], 48_000)
    np.testing.assert_allclose(encoder.encode_text(TEXTS), answers["text"], atol=CLOSE)
    np.testing.assert_allclose(encoder.encode_audio([clip]), answers["audio"], atol=CLOSE)
    assert np.abs(np.subtract(answers["text"][0], answers["text"][1])).max() > 0.03


def test_the_two_hear_differently() -> None:
    one, other = (np.array(golden(name)["audio"]) for name in SMALL)
    assert np.abs(one - other).max() > 0.05


def test_a_part_is_named_by_the_path_of_the_file(tmp_path: Path) -> None:
    path = write(SMALL[0], tmp_path)
    encoder = build_parts(["audio_text"], "nano", "cpu", parts={"audio_text": f"clap:{path}"})["audio_text"]
    assert encoder.card.source == str(path)
    assert encoder.space == f"clap:{path}"
    assert encoder.sound_bank is None


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_weight_of_a_published_file_finds_its_place(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = empty_weights(name)
    monkeypatch.setattr(native, "read_weights", lambda path: weights)
    monkeypatch.setattr(native, "load_words", lambda path, words: None)
    model, extractor, _ = native.read(tmp_path / f"{name}.pt", torch.float32)
    heard = model.config.audio_config
    depths, hidden = {"tiny": ([2, 2, 6, 2], 768), "base": ([2, 2, 12, 2], 1024)}[PUBLISHED[name][0]]
    assert (list(heard.depths), heard.hidden_size) == (depths, hidden)
    assert list(heard.num_attention_heads) == [4, 8, 16, 32]
    assert (heard.enable_fusion, heard.fusion_type) == ((True, "aff_2d") if PUBLISHED[name][1] else (False, None))
    assert model.config.text_config.num_attention_heads == 12
    assert (extractor.fft_window_size, extractor.frequency_min, extractor.frequency_max) == (1024, 50, 14_000)
    assert extractor.truncation == ("fusion" if PUBLISHED[name][1] else "rand_trunc")


# ------------------------------------------------------------------------------------- words
def test_without_words_it_is_said_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    said = (
        r"Copy tokenizer\.json or vocab\.json \+ merges\.txt of FacebookAI/roberta-base \(1\.36 MB\) into .*, or run: "
        r"zsavs download laion/clap-htsat-unfused"
    )
    with pytest.raises(MissingWeights, match=said):
        ClapEncoder.load(write(SMALL[0], tmp_path, words=False), device="cpu")
    (tmp_path / "vocab.json").write_text("{}")  # without its merges it is none
    with pytest.raises(MissingWeights, match=said):
        ClapEncoder.load(tmp_path / f"{SMALL[0]}.pt", device="cpu")


# ------------------------------------------------------------------------------- other files
@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({SENTENCES: torch.ones(2, 768)}, "BERT as its text tower"),
        ({"text_branch.shared.weight": torch.ones(2, 2)}, "BART as its text tower"),
        ({"token_embedding.weight": torch.ones(2, 2)}, "CLIP's text tower"),
        ({"audio_branch.conv_block1.conv1.weight": torch.ones(2, 2)}, "PANN as its audio tower"),
    ],
)
def test_towers_that_transformers_has_not_are_refused(
    changed: dict[str, torch.Tensor], what: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=f"a CLAP with {what}, for which there is no class of transformers"):
        ClapEncoder.load(write(SMALL[0], tmp_path, **changed), device="cpu")


def test_the_first_weight_that_does_not_fit_is_named(tmp_path: Path) -> None:
    extra = {"audio_branch.layers.0.blocks.0.gate": torch.ones(2)}
    with pytest.raises(WeightsError, match=r"audio_branch\.layers\.0\.blocks\.0\.gate has no place in LAION-CLAP"):
        ClapEncoder.load(write(SMALL[0], tmp_path, **extra), device="cpu")
    other = {"audio_branch.layers.1.blocks.0.attn.qkv.weight": torch.ones(96, 31)}
    with pytest.raises(WeightsError, match=r"layers\.1\.blocks\.0\.attn\.qkv\.weight is \(32, 31\), where LAION-CLAP"):
        ClapEncoder.load(write(SMALL[0], tmp_path, **other), device="cpu")
    with pytest.raises(WeightsError, match=r"1 weights of LAION-CLAP are missing in the file \(logit_scale_a"):
        ClapEncoder.load(write(SMALL[0], tmp_path, logit_scale_a=None), device="cpu")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["image_encoder.trunk.blocks.0.norm1.weight"], r"file of SAM 2; name it segmenter='sam2:/.*\.pt' or tracker="),
        (["image_encoder.blocks.0.norm1.weight"], r"file of the first Segment Anything; zsavs has SAM 2"),
        (["image_encoder.trunk.body.stem.0.weight"], r"file of EdgeTAM; .* zsavs download yonigozlan/EdgeTAM-hf"),
        (["transformer.decoder.layers.0.ca_text.in_proj_bias"], r"Grounding DINO; name it grounder='grounding_dino:/"),
        (["audio_encoder.base.htsat.bn0.weight"], r"file of Microsoft's CLAP; its text tower is GPT-2 or BERT"),
        (["caption_encoder.base.wte.weight"], r"file of Microsoft's CLAP"),
        (["visual.conv1.weight", "transformer.resblocks.0.ln_1.weight"], r"open_clip; name it image_text='open_clip:/"),
        (["visual.trunk.patch_embed.proj.weight"], r"open_clip; name it image_text='open_clip:/"),
        (["modality_preprocessors.vision.cls_token"], r"ImageBind; name it joint='imagebind:/"),
        (["language_model.language_backbone.body.a"], r"MM Grounding DINO of mmdetection; zsavs loads the same"),
        (["audio_model.audio_encoder.norm.weight"], r"file of transformers; give the folder that it lies in"),
        (["model.text_backbone.encoder.layer.0.a"], r"file of transformers; give the folder"),
        (
            ["conv1.weight", "fc.bias"],
            r"no LAION-CLAP, and nothing that zsavs knows: its first weight is 'conv1\.weight'",
        ),
    ],
)
def test_the_file_of_another_family_is_named(names: list[str], said: str, tmp_path: Path) -> None:
    torch.save({name: torch.ones(2) for name in names}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match=said) as raised:
        ClapEncoder.load(tmp_path / "other.pt", device="cpu")
    assert "\n" not in str(raised.value)
