"""Draw scenes as files.

    python -m tools.orchestra --out DIR [--seed N] [--each M] [--group NAME ...]

Every scene depends on the seed, its group and its number alone, so asking for more of them leaves the first ones as
they are; scenes of a group are added to a folder that holds other groups of the same seed. ``scenes.json`` says what is
in each scene; ``tools/orchestra/README.md`` describes the layout.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from tools.orchestra.audio import RATE_HZ, Band
from tools.orchestra.scenes import GROUPS, Scene, make_scene

__all__ = ["write_scenes"]

_FOR_SCENES = 0x5CE  # first word of the seeds, so that no training item shares the numbers of a scene


def write_scenes(folder: Path, seed: int, each: int, groups: Sequence[str] = tuple(GROUPS)) -> None:
    """Write ``each`` scenes of every group: images, masks, audio files and ``scenes.json``.

    Scenes of other groups that the folder holds stay there, and in the list.

    Raises:
        ValueError: the folder's scenes are of another seed.
    """
    kept = _kept(folder / "scenes.json", seed, groups)
    for name in ("images", "masks", "audio"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    listed = []
    for place, group in enumerate(GROUPS):
        listed += [scene for scene in kept["scenes"] if scene["group"] == group]
        if group not in groups:
            continue
        for number in range(each):
            with Band() as band:  # a new one each, so that no scene depends on those before it
                scene = make_scene(group, np.random.default_rng((_FOR_SCENES, seed, place, number)), band)
            listed.append(_write(folder, f"{group}_{number:03d}", scene))
    described = {name: kept["groups"].get(name, text) for name, text in GROUPS.items()}
    present = {scene["group"] for scene in listed}
    listing = {
        "version": 1,
        "seed": seed,
        "groups": {name: text for name, text in described.items() if name in present},
        "scenes": listed,
    }
    (folder / "scenes.json").write_text(json.dumps(listing, indent=1) + "\n")


def _kept(path: Path, seed: int, groups: Sequence[str]) -> dict[str, Any]:
    """What a list says of groups that are not written now."""
    if not path.exists():
        return {"groups": {}, "scenes": []}
    listing = json.loads(path.read_text())
    if listing["seed"] != seed:
        raise ValueError(f"{path}: holds scenes of seed {listing['seed']}; give that one, or another folder.")
    return {
        "groups": {name: text for name, text in listing["groups"].items() if name not in groups},
        "scenes": [scene for scene in listing["scenes"] if scene["group"] not in groups],
    }


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
        **_times(scene),
    }


def _times(scene: Scene) -> dict[str, Any]:
    """The entry on when the sources sound, where they do not throughout."""
    times = {label: [[round(on, 2), round(off, 2)] for on, off in spans] for label, spans in scene.times.items()}
    return {"times": times} if times else {}


def main(argv: list[str] | None = None) -> None:
    """Read the arguments and write the scenes."""
    parser = argparse.ArgumentParser(prog="python -m tools.orchestra", description="draw scenes of the orchestra")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=20, help="scenes of each group")
    parser.add_argument("--group", action="append", choices=GROUPS, help="several times for several; all if left out")
    options = parser.parse_args(argv)
    write_scenes(options.out, options.seed, options.each, options.group or tuple(GROUPS))


if __name__ == "__main__":
    main()
