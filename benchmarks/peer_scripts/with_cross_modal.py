"""An image and its sound to masks with zsavs: strategy cross_modal of preset base, with BAaV's captioner and CLAP."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sound import WAVE, clip_file
from stopwatch import BEST, PHRASES, measure

import zsavs
from zsavs.media.image_file import load_image
from zsavs.models.omdet import OmDetGrounder

#: Random weights agree on nothing and write no nouns: thresholds that let something through, and nouns that are given.
_LOWERED = {"min_z": -1e3, "max_gap": 1e6, "nouns": lambda _: list(PHRASES)}


def load(weights: Path) -> Any:
    parts: Any = {
        "captioner": f"blip:{weights / 'blip'}",
        "audio_text": f"clap:{weights / 'clap'}",
        "image_text": f"open_clip:ViT-B-32@{clip_file(weights / 'clip')}",
        "grounder": OmDetGrounder.load(weights / "omdet", threshold=0.0, max_boxes=BEST),
        "segmenter": f"sam2:{weights / 'sam2'}",
    }
    return zsavs.build_pipeline("cross_modal", "base", "cpu", **parts, **_LOWERED)


def answer(models: Any, images: Sequence[str], phrases: Sequence[str]) -> list[Any]:
    sound = zsavs.AudioClip(WAVE[None], 48_000)
    return [result.masks for result in models.map(zsavs.AVSample(load_image(path), sound) for path in images)]


if __name__ == "__main__":
    measure(sys.modules[__name__])
