"""Files of open_clip's weights alone: told by what lies beside them, by their name or by their shapes, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from adapter_helpers import noise_images
from open_clip_folders import PHRASES
from safetensors.torch import load_file, save_file

from zsavs.build.parts import build_parts
from zsavs.errors import MissingWeights, UnknownName, WeightsError
from zsavs.models.open_clip import OpenClipEncoder
from zsavs.models.open_clip_architecture import published_as

WEIGHTS = "open_clip_model.safetensors"


@pytest.fixture
def weights(toy_tag: Path) -> dict[str, torch.Tensor]:
    """The weights of the architecture Toy-8, which has tags of two activations."""
    return dict(load_file(toy_tag / WEIGHTS))


def trained(weights: dict[str, torch.Tensor], path: Path) -> Path:
    """The file of a training run, as open_clip writes it."""
    held = {f"module.{name}": tensor for name, tensor in weights.items()}
    torch.save({"epoch": 32, "name": "run", "state_dict": held, "optimizer": {"lr": np.float64(5e-4)}}, path)
    return path


def embeddings(checkpoint: str | Path) -> np.ndarray[Any, Any]:
    encoder = OpenClipEncoder.load(checkpoint, device="cpu")
    return np.concatenate([encoder.encode_text(PHRASES), encoder.encode_image(noise_images((32, 50), (40, 40)))])


def test_what_lies_beside_a_file_says_what_it_is(clip_folder: Path, tmp_path: Path) -> None:
    want = embeddings(clip_folder)
    np.testing.assert_array_equal(embeddings(clip_folder / WEIGHTS), want)
    path = trained(dict(load_file(clip_folder / WEIGHTS)), tmp_path / "epoch_32.pt")
    (tmp_path / "open_clip_config.json").write_bytes((clip_folder / "open_clip_config.json").read_bytes())
    np.testing.assert_array_equal(embeddings(path), want)
    part = build_parts(["image_text"], "nano", "cpu", parts={"image_text": f"open_clip:{path}"})["image_text"]
    assert (part.card.source, part.card.revision) == (str(path), "local file")


def test_the_name_of_a_published_file_says_what_it_is(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(weights, tmp_path / "special.bin")
    np.testing.assert_array_equal(embeddings(tmp_path / "special.bin"), embeddings("Toy-8/toy2b"))
    assert published_as(Path("w.pt"), open_clip) == ("Toy-8", "elsewhere")


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("vit_b_32-quickgelu-laion400m_e32-46683a32.pt", ("ViT-B-32", "laion400m_e32")),
        ("vit_l_14-laion400m_e31-69988bb6.pt", ("ViT-L-14", "laion400m_e31")),
        ("h14_v1.2_altogether.pt", ("ViT-H-14", "metaclip_altogether")),
    ],
)
def test_names_of_files_that_people_have(name: str, published: tuple[str, str]) -> None:
    assert published_as(Path(name), open_clip) == published


@pytest.mark.filterwarnings("ignore::FutureWarning")  # torch.jit is going
def test_openais_own_file_is_a_program_and_others_have_its_name(
    weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "ViT-B-32.pt"
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 3)), path)
    said = r"is a program .* zsavs download timm/vit_base_patch32_clip_224\.openai  and name .*:ViT-B-32/openai'"
    with pytest.raises(WeightsError, match=said):
        OpenClipEncoder.load(path, device="cpu")
    with pytest.raises(WeightsError, match=r"one of Toy-8/toy2b, "):
        OpenClipEncoder.load(trained(weights, path), device="cpu")


def test_shapes_tell_where_all_that_have_them_agree(
    weights: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file(weights, tmp_path / WEIGHTS)
    tags = open_clip.pretrained._PRETRAINED["Toy-8"]
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "Toy-8", {"again": tags["toy2b"], "toy2b": tags["toy2b"]})
    np.testing.assert_array_equal(embeddings(tmp_path / WEIGHTS), embeddings("Toy-8/toy2b"))


@pytest.mark.parametrize(
    ("architecture", "tag"),
    [("ViT-g-14", "laion2b_s12b_b42k"), ("ViT-B-16-plus-240", "laion400m_e31"), ("ViT-B-32-256", "datacomp_s34b_b86k")],
)
def test_shapes_of_published_models(
    architecture: str, tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.device("meta"):
        shapes = open_clip.CLIP(**open_clip.get_model_config(architecture)).state_dict()
    monkeypatch.setattr("zsavs.models.open_clip_architecture.read_weights", lambda path: shapes)
    assert published_as(tmp_path / "open_clip_pytorch_model.bin", open_clip) == (architecture, tag)


def test_shapes_of_models_with_several_activations_are_refused(
    weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = trained(weights, tmp_path / "open_clip_pytorch_model.bin")
    said = r"one of Toy-8/toy2b, Toy-8/toy2b_gelu, .*name what it is .* image_text='open_clip:Toy-8/toy2b@/.*\.bin'"
    with pytest.raises(WeightsError, match=said) as raised:
        OpenClipEncoder.load(path, device="cpu")
    assert "\n" not in str(raised.value)
    for tag in ("toy2b", "toy2b_gelu"):
        np.testing.assert_array_equal(embeddings(f"Toy-8/{tag}@{path}"), embeddings(f"Toy-8/{tag}"))
    part = build_parts(["image_text"], "nano", "cpu", parts={"image_text": f"open_clip:Toy-8@{path}"})["image_text"]
    assert part.card.source == str(path)


def test_what_is_named_in_front_of_a_file_has_to_be_there(tmp_path: Path, toy_tag: Path) -> None:
    with pytest.raises(MissingWeights, match=r"gone\.bin: no such file"):
        OpenClipEncoder.load(f"Toy-8@{tmp_path / 'gone.bin'}", device="cpu")
    (tmp_path / "w.bin").write_bytes(b"w")
    with pytest.raises(UnknownName, match="pretrained tag of Toy-8"):
        OpenClipEncoder.load(f"Toy-8/toy3b@{tmp_path / 'w.bin'}", device="cpu")


def test_other_shapes_are_refused(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    del weights["visual.proj"]
    with pytest.raises(WeightsError, match=r"an architecture that zsavs cannot tell by the shapes .*:ViT-B-32@/"):
        OpenClipEncoder.load(trained(weights, tmp_path / "odd.pt"), device="cpu")
    torch.save({"image_encoder.trunk.blocks.0.norm1.weight": torch.ones(2)}, tmp_path / "sam.pt")
    with pytest.raises(WeightsError, match=r"no open_clip but a file of SAM 2; name it segmenter='sam2:/"):
        OpenClipEncoder.load(tmp_path / "sam.pt", device="cpu")


def test_positions_are_not_stretched_without_a_word(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """open_clip does so, and takes a model of larger images for one of smaller."""
    weights["visual.positional_embedding"] = torch.ones(26, 16)
    path = trained(weights, tmp_path / "larger.pt")
    with pytest.raises(
        WeightsError, match=r"visual\.positional_embedding is \(26, 16\), where the model has \(17, 16\)"
    ):
        OpenClipEncoder.load(f"Toy-8@{path}", device="cpu")
