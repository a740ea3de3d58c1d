"""IDEA's own files of Grounding DINO: the answers of IDEA's package, both published sizes, words, and other files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from adapter_helpers import into_hub_cache
from huggingface_hub import constants
from native_files import empty_weights, golden, golden_weights

from tools.imitation.files import wordpiece_vocabulary
from tools.imitation.inputs import PROMPT, image
from tools.native.grounding_dino import PUBLISHED
from zsavs.build.parts import build_parts
from zsavs.errors import MissingWeights, WeightsError
from zsavs.models.grounding_dino import GroundingDinoGrounder
from zsavs.models.native import grounding_dino as native

CLOSE = 1e-4
SMALL = "groundingdino"


def write(folder: Path, name: str = SMALL, *, words: bool = True, **changed: torch.Tensor | None) -> Path:
    """IDEA's form of a model's file, some weights of it changed or (None) taken out."""
    weights: dict[str, Any] = golden_weights(name) | changed
    weights["label_enc.weight"] = torch.ones(3, 256)  # of its training, and in the published files
    held = {f"module.{name}": tensor for name, tensor in weights.items() if tensor is not None}
    path = folder / "groundingdino_small.pth"
    torch.save({"model": held}, path)
    if words:
        wordpiece_vocabulary(folder, true_places=True)
    return path


@pytest.mark.parametrize("name", [SMALL, *(pytest.param(name, marks=pytest.mark.full) for name in PUBLISHED)])
def test_candidates_are_those_of_ideas_package(name: str, tmp_path: Path) -> None:
    answers = golden(name)
    grounder = GroundingDinoGrounder.load(write(tmp_path, name), device="cpu")
    text = grounder.tokenizer([PROMPT], return_tensors="pt", return_token_type_ids=True)
    scale = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[:, :, None, None]
    pixels = (torch.from_numpy(image(*answers["size_hw"])).permute(2, 0, 1) / 255 - scale[0]) / scale[1]
    with torch.no_grad():
        found = grounder.model(pixel_values=pixels[None], **text)
    scores = found.logits.sigmoid()[0, :, : text["input_ids"].shape[1]]
    got = np.concatenate([scores.numpy(), found.pred_boxes[0].numpy()], axis=1)
    wanted = np.concatenate([answers["scores"], answers["boxes"]], axis=1)
    np.testing.assert_allclose(got, wanted, atol=CLOSE)
    assert np.ptp(wanted[:, 2:4], axis=0).max() > 0.1, "candidates that are all alike would prove nothing"
    assert np.ptp(wanted[:, -4:], axis=0).max() > 0.1


def test_images_are_scaled_as_in_its_demo(tmp_path: Path) -> None:
    grounder = GroundingDinoGrounder.load(write(tmp_path), device="cpu")
    assert dict(grounder.image_processor.size) == {"shortest_edge": 800, "longest_edge": 1333}
    np.testing.assert_allclose(grounder.image_processor.image_mean, [0.485, 0.456, 0.406])
    np.testing.assert_allclose(grounder.image_processor.image_std, [0.229, 0.224, 0.225])


def test_a_part_is_named_by_the_path_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path)
    grounder = build_parts(["grounder"], "nano", "cpu", parts={"grounder": f"grounding_dino:{path}"})["grounder"]
    assert grounder.card.source == str(path)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_weight_of_a_published_file_finds_its_place(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = empty_weights(name) | {"label_enc.weight": torch.zeros(2001, 256)}
    monkeypatch.setattr(native, "read_weights", lambda path: weights)
    monkeypatch.setattr(native, "load_words", lambda path, words: None)
    config = native.read(tmp_path / f"{name}.pth", torch.float32)[0].config
    swin = config.backbone_config
    sizes = (swin.embed_dim, list(swin.depths), list(swin.num_heads), swin.window_size, swin.image_size)
    assert (
        sizes
        == {
            "groundingdino_swint_ogc": (96, [2, 2, 6, 2], [3, 6, 12, 24], 7, 224),
            "groundingdino_swinb_cogcoor": (128, [2, 2, 18, 2], [4, 8, 16, 32], 12, 384),
        }[name]
    )
    assert (config.encoder_n_points, config.decoder_n_points, config.num_feature_levels) == (4, 4, 4)
    assert (config.text_config.num_attention_heads, config.decoder_bbox_embed_share) == (12, True)


def test_layers_with_heads_of_their_own_keep_them(tmp_path: Path) -> None:
    name = "bbox_embed.1.layers.2.bias"
    own = {key: torch.full((4,), 0.5) for key in (name, f"transformer.decoder.{name}")}
    grounder = GroundingDinoGrounder.load(write(tmp_path, **own), device="cpu")
    assert not grounder.model.config.decoder_bbox_embed_share
    assert grounder.model.bbox_embed[1].layers[2].bias.tolist() == [0.5] * 4
    assert grounder.model.bbox_embed[0].layers[2].bias.tolist() != [0.5] * 4


# ------------------------------------------------------------------------------------- words
def test_without_words_it_is_said_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    said = (
        r"Copy tokenizer\.json or vocab\.txt of google-bert/bert-base-uncased \(0\.23 MB\) into .*, or run: zsavs "
        r"download IDEA-Research/grounding-dino-tiny"
    )
    with pytest.raises(MissingWeights, match=said) as raised:
        GroundingDinoGrounder.load(write(tmp_path, words=False), device="cpu")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("source", ["IDEA-Research/grounding-dino-base", "google-bert/bert-base-uncased"])
def test_words_are_found_in_the_hub_cache(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    shutil.copytree(write(tmp_path).parent, tmp_path / "repository", ignore=lambda *_: ["repository", "hub"])
    into_hub_cache(tmp_path / "repository", source, tmp_path / "hub")
    (tmp_path / "vocab.txt").unlink()
    grounder = GroundingDinoGrounder.load(tmp_path / "groundingdino_small.pth", device="cpu")
    assert len(grounder.tokenizer(PROMPT)["input_ids"]) > 5


def test_words_of_another_model_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ndog\n")
    with pytest.raises(WeightsError, match="the tokenizer is not the model's"):
        GroundingDinoGrounder.load(path, device="cpu")


# ------------------------------------------------------------------------------- other files
def test_the_first_weight_that_does_not_fit_is_named(tmp_path: Path) -> None:
    extra = {"transformer.decoder.query_scale.layers.0.weight": torch.ones(2, 2)}
    with pytest.raises(WeightsError, match=r"decoder\.query_scale\.layers\.0\.weight has no place in Grounding DINO"):
        GroundingDinoGrounder.load(write(tmp_path, **extra), device="cpu")
    other = {"feat_map.weight": torch.ones(256, 127)}
    with pytest.raises(WeightsError, match=r"feat_map\.weight is \(256, 127\), where Grounding DINO .* \(256, 128\)"):
        GroundingDinoGrounder.load(write(tmp_path, **other), device="cpu")
    with pytest.raises(WeightsError, match=r"the shapes of its weights make no model \(IndexError: "):
        GroundingDinoGrounder.load(write(tmp_path, **{"transformer.level_embed": torch.ones(4)}), device="cpu")
    with pytest.raises(WeightsError, match=r"transformer\.level_embed is missing in the file"):
        GroundingDinoGrounder.load(write(tmp_path, **{"transformer.level_embed": None}), device="cpu")
    with pytest.raises(WeightsError, match=r"1 weights of Grounding DINO are missing in the file \(.*enc_output\.bias"):
        GroundingDinoGrounder.load(write(tmp_path, **{"transformer.enc_output.bias": None}), device="cpu")
