"""An image and its sound to masks with zsavs: strategy cofactorization, with the encoders that TACO takes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sound import ARCHITECTURE, WAVE, clip_file
from stopwatch import measure

import zsavs
from zsavs.media.image_file import load_image

#: Random weights agree on nothing: thresholds that let something through, so that every stage has work.
_LOWERED = {"min_z": -1e3, "max_gap": 1e6, "min_seen": -1e3, "min_agreement": 0.0, "min_share": 0.0, "top_k": 1}


def load(weights: Path) -> Any:
    parts: Any = {
        "audio_text": f"clap:{weights / 'clap'}",
        "image_text": f"open_clip:{ARCHITECTURE}@{clip_file(weights / 'convnext')}",
        "segmenter": f"sam2:{weights / 'sam2'}",
    }
    return zsavs.build_pipeline("cofactorization", "base", "cpu", **parts, **_LOWERED)


def answer(models: Any, images: Sequence[str], phrases: Sequence[str]) -> list[Any]:
    sound = zsavs.AudioClip(WAVE[None], 48_000)
    return [result.masks for result in models.map(zsavs.AVSample(load_image(path), sound) for path in images)]


if __name__ == "__main__":
    measure(sys.modules[__name__])
