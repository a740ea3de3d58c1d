"""Scenes of the toy world in the layout of the orchestra: the preset "toy" can find their sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

from zsavs.testing import toy

#: What is in the image and what is in the audio, by group; the k-th scene of a group rotates the colours by k.
GROUPS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "single": ((0, 1), (0,)),
    "two": ((0, 1, 2), (0, 2)),
    "two_instances": ((0, 0, 1), (0,)),
    "silence": ((0, 1), ()),
    "noise": ((0, 1), ()),
    "off_screen": ((0, 1), (3,)),
}
SIZE_HW = (96, 128)


def write_scenes(folder: Path, each: int = 2) -> dict[str, Any]:
    """Write ``each`` scenes of every group and return what stands in ``scenes.json``."""
    for name in ("images", "masks", "audio"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    scenes = [_write(folder, group, number) for group in GROUPS for number in range(each)]
    listing = {"version": 1, "seed": 0, "groups": {group: f"all about {group}" for group in GROUPS}, "scenes": scenes}
    (folder / "scenes.json").write_text(json.dumps(listing))
    return listing


def _write(folder: Path, group: str, number: int) -> dict[str, Any]:
    colours = tuple(toy.COLOURS)
    visible, heard = ([colours[(i + number) % len(colours)] for i in places] for places in GROUPS[group])
    name, seed = f"{group}_{number:03d}", number + 10 * list(GROUPS).index(group)
    sample, _ = toy.scene(visible, heard, size_hw=SIZE_HW, seed=seed)
    Image.fromarray(sample.image).save(folder / "images" / f"{name}.jpg", quality=95, subsampling=0)
    index = Image.fromarray(_index(visible, seed)).convert("P")
    index.putpalette([0, 0, 0, 230, 60, 60, 60, 160, 230, 240, 200, 60])
    index.save(folder / "masks" / f"{name}.png")
    wave = sample.audio.waveform[0]
    if group == "noise":
        wave = np.random.default_rng(seed).uniform(-0.5, 0.5, len(wave)).astype(np.float32)
    soundfile.write(folder / "audio" / f"{name}.ogg", wave, sample.audio.sample_rate_hz)
    things = [{"label": colour, "sounding": colour in heard} for colour in visible]
    return {"name": name, "group": group, "heard": heard, "things": things}


def _index(visible: list[str], seed: int) -> NDArray[np.uint8]:
    """1 and up for the pixels of each disc, which lies in a column of its own."""
    index = np.zeros(SIZE_HW, np.uint8)
    for place, colour in enumerate(visible):
        _, disc = toy.scene(visible, (colour,), size_hw=SIZE_HW, seed=seed)
        column = slice(place * SIZE_HW[1] // len(visible), (place + 1) * SIZE_HW[1] // len(visible))
        index[:, column][disc[:, column]] = place + 1
    return index
