"""Draw scenes as files.

    python -m tools.orchestra --out DIR [--seed N] [--each M]

Every scene depends on the seed, its group and its number alone, so asking for more of them leaves the first ones as
they are. ``scenes.json`` says what is in each scene; ``tools/orchestra/README.md`` describes the layout.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from tools.orchestra.audio import RATE_HZ, Band
from tools.orchestra.scenes import GROUPS, Scene, make_scene

__all__ = ["write_scenes"]

_FOR_SCENES = 0x5CE  # first word of the seeds, so that no training item shares the numbers of a scene


def write_scenes(folder: Path, seed: int, each: int) -> None:
    """Write ``each`` scenes of every group: images, masks, audio files and ``scenes.json``."""
    for name in ("images", "masks", "audio"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    listed = []
    for place, group in enumerate(GROUPS):
        for number in range(each):
            with Band() as band:  # a new one each, so that no scene depends on those before it
                scene = make_scene(group, np.random.default_rng((_FOR_SCENES, seed, place, number)), band)
            listed.append(_write(folder, f"{group}_{number:03d}", scene))
    listing = {"version": 1, "seed": seed, "groups": GROUPS, "scenes": listed}
    (folder / "scenes.json").write_text(json.dumps(listing, indent=1) + "\n")


def _write(folder: Path, name: str, scene: Scene) -> dict[str, Any]:
    Image.fromarray(scene.image).save(folder / "images" / f"{name}.jpg", quality=92)
    mask = Image.fromarray(scene.index, "P")
    mask.putpalette([0, 0, 0, 230, 60, 60, 60, 160, 230, 240, 200, 60, 120, 200, 90, 180, 100, 210])
    mask.save(folder / "masks" / f"{name}.png", optimize=True)
    soundfile.write(folder / "audio" / f"{name}.ogg", scene.wave, RATE_HZ, format="OGG", subtype="VORBIS")
    return {
        "name": name,
        "group": scene.group,
        "heard": list(scene.heard),
        "things": [
            {"label": label, "sounding": sounding} for label, sounding in zip(scene.labels, scene.sounding, strict=True)
        ],
    }


def main(argv: list[str] | None = None) -> None:
    """Read the arguments and write the scenes."""
    parser = argparse.ArgumentParser(prog="python -m tools.orchestra", description="draw scenes of the orchestra")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=20, help="scenes of each group")
    options = parser.parse_args(argv)
    write_scenes(options.out, options.seed, options.each)


if __name__ == "__main__":
    main()
