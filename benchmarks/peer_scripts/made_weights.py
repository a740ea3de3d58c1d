"""Random weights at full size for every script here, in folders as the published ones are, where they are not yet."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def write_segmenters(weights: Path, native: Path, *, environment: dict[str, str]) -> None:
    """What the scripts from phrases to masks read: a detector and a segmenter.

    Args:
        weights: gets ``grounding_dino`` and ``sam2``, and what :mod:`native_weights` writes.
        native: python of the environment of the packages; what they build is what they read.
        environment: variables that it is run with.
    """
    from full_size import build_grounding_dino

    _once(weights / "grounding_dino", lambda folder: write_detector(folder, build_grounding_dino("base")))
    _write_sam2(weights)
    done = weights / "native"
    if not done.exists():
        subprocess.run([native, HERE / "native_weights.py", weights], check=True, env=environment)
        done.touch()


def write_detector(folder: Path, grounder: Any) -> None:
    """A Grounding DINO as the published folder is: what one class of transformers reads, image and text."""
    from transformers import GroundingDinoProcessor

    save(folder, grounder, "model", "image_processor", "tokenizer")
    GroundingDinoProcessor(grounder.image_processor, grounder.tokenizer).save_pretrained(folder)


def write_for_taco(weights: Path) -> None:
    """CLAP, CLIP's ConvNeXt-L, and SAM 2 for zsavs."""
    from peer_scripts.sound import ARCHITECTURE

    _write_sam2(weights)
    _write_clap(weights)
    _once(weights / "convnext", lambda folder: _save_clip(folder, ARCHITECTURE))


def write_for_baav(weights: Path) -> None:
    """CLAP, BLIP and CLIPSeg; and a detector, a CLIP and SAM 2 for zsavs."""
    from full_size import SIZES, build_blip, build_omdet

    _write_sam2(weights)
    _write_clap(weights)
    _once(weights / "blip", lambda folder: save(folder, build_blip("base"), "model", "processor"))
    _once(weights / "omdet", lambda folder: save(folder, build_omdet("base"), "model", "image_processor", "tokenizer"))
    _once(weights / "clip", lambda folder: _save_clip(folder, SIZES["base"]["clip"]))
    _once(weights / "clipseg", _save_clipseg)


def _write_sam2(weights: Path) -> None:
    from full_size import build_sam2

    _once(weights / "sam2", lambda folder: save(folder, build_sam2("base"), "model", "image_processor"))


def _write_clap(weights: Path) -> None:
    from full_size import build_clap

    _once(weights / "clap", lambda folder: save(folder, build_clap("base"), "model", "feature_extractor", "tokenizer"))


def _once(folder: Path, write: Callable[[Path], None]) -> None:
    """Have a folder written, unless it is whole."""
    if folder.exists():
        return
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    write(part)
    part.rename(folder)


def save(folder: Path, adapter: Any, *parts: str) -> None:
    """Have some parts of an adapter written into a folder."""
    for part in parts:
        getattr(adapter, part).save_pretrained(folder)


def _save_clip(folder: Path, architecture: str) -> None:
    import open_clip
    from peer_scripts.sound import clip_file
    from safetensors.torch import save_file

    save_file(open_clip.create_model(architecture).state_dict(), clip_file(folder), metadata={"format": "pt"})


def _save_clipseg(folder: Path) -> None:
    """CLIPSeg with a ViT-B/16 that sees 416 pixels, and a tokenizer of CLIP's size."""
    import transformers
    from full_size import whole

    from zsavs.testing.tiny.tokenizers import clip_tokenizer

    vision = {"image_size": 416, "patch_size": 16}
    model = transformers.CLIPSegForImageSegmentation(transformers.CLIPSegConfig(vision_config=vision))
    sizes = {"size": {"height": 416, "width": 416}}
    tokenizer = whole(clip_tokenizer(77), model.config.text_config.vocab_size)
    for part in (model, transformers.CLIPSegProcessor(transformers.ViTImageProcessor(**sizes), tokenizer)):
        part.save_pretrained(folder)
