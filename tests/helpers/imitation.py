"""The imitated checkpoints of ``golden/imitation``, and whole presets of them, laid out as the hub has repositories.

``python -m tools.imitation tests/golden/imitation`` writes what is stored. open_clip's and ImageBind's are made here,
as their vocabulary alone has 49,408 rows.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import open_clip
import pytest
import timm
import torch

from tools.imitation.filling import fill, numbers
from tools.imitation.omdet import SMALL, SWIN
from zsavs.build.availability import preset_cards
from zsavs.models.imagebind import CARDS as IMAGEBIND_CARDS
from zsavs.models.imagebind import DEFAULT as IMAGEBIND
from zsavs.models.imagebind import ImageBind, ImageBindConfig
from zsavs.storage.weights import is_address

__all__ = ["GOLDEN", "IMAGEBIND_SIZES", "SOURCES", "answers_to", "checkpoint", "lay_out_preset", "shrink_architectures"]

GOLDEN = Path(__file__).parents[1] / "golden" / "imitation"

#: The repositories whose files are stored.
SOURCES = sorted(f"{path.parent.name}/{path.name}" for path in (GOLDEN / "checkpoints").glob("*/*"))

#: By repository: architecture, tag, name of its weights. CLIP's have an image side of 224 and patches of 32 and 14.
_OPEN_CLIP = {
    "laion/CLIP-ViT-B-32-laion2B-s34B-b79K": ("ViT-B-32", "laion2b_s34b_b79k", "open_clip_pytorch_model.safetensors"),
    "laion/CLIP-ViT-L-14-laion2B-s32B-b82K": ("ViT-L-14", "laion2b_s32b_b82k", "open_clip_pytorch_model.bin"),
    "timm/PE-Core-B-16": ("PE-Core-B-16", "meta", "open_clip_model.safetensors"),
}
_SMALL_CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 64, "layers": 1, "width": 16, "head_width": 8, "patch_size": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
}

#: As published, but for widths and depths; those of the image tower, timm's, are made small where timm makes it.
_SMALL_PE_CORE = json.loads(json.dumps(open_clip.get_model_config("PE-Core-B-16")))
_SMALL_PE_CORE |= {"embed_dim": 16}
_SMALL_PE_CORE["text_cfg"] |= {"width": 8, "heads": 2, "layers": 1}
_PE_CORE_TOWER = _SMALL_PE_CORE["vision_cfg"]["timm_model_name"]
_SMALL_TOWERS = {SWIN: SMALL, _PE_CORE_TOWER: {"depth": 1, "embed_dim": 48, "num_heads": 4}}

#: What the official constructor would be given; the other three modalities' weights are one block each.
IMAGEBIND_SIZES: dict[str, Any] = {"out_embed_dim": 16, "vision_embed_dim": 16, "text_embed_dim": 8}
IMAGEBIND_SIZES |= {"audio_embed_dim": 16, "vision_num_heads": 2, "text_num_heads": 2, "audio_num_heads": 2}
IMAGEBIND_SIZES |= {"vision_num_blocks": 1, "text_num_blocks": 1, "audio_num_blocks": 1}


def checkpoint(source: str) -> Path:
    """The stored folder of a repository."""
    return GOLDEN / "checkpoints" / source


def answers_to(source: str) -> dict[str, np.ndarray]:
    """What the release that wrote a checkpoint made of it."""
    with np.load(GOLDEN / "answers" / f"{source.rpartition('/')[2]}.npz") as file:
        return dict(file)


def shrink_architectures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let open_clip and timm make the published architectures as small as the imitated weights are."""
    for architecture, _, _ in _OPEN_CLIP.values():
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, architecture, _small(architecture))
    monkeypatch.setattr(timm, "create_model", _make_small)


def _small(architecture: str) -> dict[str, Any]:
    """open_clip's description of an architecture, of towers a few channels wide."""
    return _SMALL_PE_CORE if architecture.startswith("PE-Core") else _SMALL_CLIP


def _make_small(name: str, make: Callable[..., Any] = timm.create_model, **settings: Any) -> Any:
    """``timm.create_model`` of towers a few channels wide, where the imitated weights are of these."""
    return make(name, **settings, **_SMALL_TOWERS.get(name, {}))


def lay_out_preset(preset: str, root: Path) -> dict[str, Path]:
    """Write every checkpoint that a preset fetches: ``root/ORG/NAME/FILES``, and ``root/FILE`` for a single file.

    Beside ImageBind's file lies ``config.json`` with its sizes, which belongs into the folder that the file is fetched
    to; and open_clip's names load after :func:`shrink_architectures` alone.

    Args:
        preset: "base", "large", "imagebind", "pe" or "sam3".
        root: a folder, made where it is not there.

    Returns:
        By the source on its card, the folder or the file of each.
    """
    made: dict[str, Path] = {}
    for card in preset_cards(preset).values():
        if is_address(card.source):
            made[card.source] = write_imagebind(root / IMAGEBIND)
        elif card.source in _OPEN_CLIP:
            made[card.source] = write_open_clip(card.source, root / card.source)
        else:
            made[card.source] = Path(shutil.copytree(checkpoint(card.source), root / card.source, dirs_exist_ok=True))
    return made


def write_open_clip(source: str, folder: Path) -> Path:
    """Write an open_clip repository, by open_clip itself."""
    architecture, tag, name = _OPEN_CLIP[source]
    folder.mkdir(parents=True, exist_ok=True)
    published = open_clip.get_pretrained_cfg(architecture, tag)
    preprocessing = {key: published.get(key, "shortest") for key in ("mean", "std", "interpolation", "resize_mode")}
    sizes = json.loads(json.dumps(_small(architecture)))
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": sizes, "preprocess_cfg": preprocessing}, indent=2)
    )
    kind = open_clip.CustomTextCLIP if sizes.pop("custom_text", False) else open_clip.CLIP
    with torch.random.fork_rng(devices=[]), mock.patch.object(timm, "create_model", _make_small):
        weights = fill(kind(**sizes)).state_dict()
    if name.endswith(".bin"):
        torch.save(weights, folder / name)
    else:
        from safetensors.torch import save_file

        save_file(weights, folder / name, {"format": "pt"})
    return folder


def write_imagebind(path: Path) -> Path:
    """Write ``imagebind_huge.pth`` with the weights of all six modalities, and its sizes in ``config.json`` beside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        weights = ImageBind(ImageBindConfig(**IMAGEBIND_SIZES)).state_dict()
    for name, value in weights.items():
        if value.ndim and not name.endswith(".mask"):
            weights[name] = torch.from_numpy(numbers(name, tuple(value.shape)))
    weights |= {name: torch.from_numpy(numbers(name, shape)) for name, shape in other_modalities().items()}
    torch.save(weights, path)
    path.with_name("config.json").write_text(json.dumps(IMAGEBIND_SIZES))
    return path


def other_modalities(width: int = 16, out: int = 16) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights of depth, thermal and imu in the published file, with one block each."""
    shapes: dict[str, tuple[int, ...]] = {}
    tokens = {"depth": 14 * 14, "thermal": 14 * 14, "imu": 250}
    stems = {"depth": "depth_stem", "thermal": "rgbt_stem", "imu": "imu_stem"}
    for kind, count in tokens.items():
        entry, trunk = f"modality_preprocessors.{kind}", f"modality_trunks.{kind}.blocks.0"
        stem, patch = f"{entry}.{stems[kind]}", (48,) if kind == "imu" else (1, 16, 16)
        shapes |= {f"{entry}.cls_token": (1, 1, width), f"{stem}.proj.weight": (width, *patch)}
        norm = f"{stem}.norm_layer"
        positions = f"{entry}.pos_embed" if kind == "imu" else f"{entry}.pos_embedding_helper.pos_embed"
        shapes |= {f"{norm}.weight": (width,), f"{norm}.bias": (width,), positions: (1, count + 1, width)}
        shapes |= {f"{trunk}.attn.in_proj_weight": (3 * width, width), f"{trunk}.attn.in_proj_bias": (3 * width,)}
        shapes |= {f"{trunk}.attn.bias_k": (1, 1, width), f"{trunk}.attn.bias_v": (1, 1, width)}
        for layer, (rows, columns) in {
            "attn.out_proj": (width, width),
            "mlp.fc1": (4 * width, width),
            "mlp.fc2": (width, 4 * width),
        }.items():
            shapes |= {f"{trunk}.{layer}.weight": (rows, columns), f"{trunk}.{layer}.bias": (rows,)}
        for norm in (f"{trunk}.norm_1", f"{trunk}.norm_2", f"modality_heads.{kind}.0"):
            shapes |= {f"{norm}.weight": (width,), f"{norm}.bias": (width,)}
        shapes[f"modality_heads.{kind}.{3 if kind == 'imu' else 2}.weight"] = (out, width)
        shapes[f"modality_postprocessors.{kind}.1.log_logit_scale"] = ()
    return shapes


def small_imagebind_card(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Let ImageBind's card state the size of the imitated file, as a download is compared with it."""
    card = IMAGEBIND_CARDS[IMAGEBIND]
    monkeypatch.setitem(IMAGEBIND_CARDS, IMAGEBIND, dataclasses.replace(card, size_mb=path.stat().st_size / 1e6))
