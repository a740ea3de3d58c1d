"""Clips of the toy world in the layout of the orchestra in motion: discs that cross, and hums that start and stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

from zsavs.testing import toy

__all__ = ["FPS", "SECONDS", "SIZE_HW", "write_clips"]

FPS, SECONDS, SIZE_HW = 4, 3, (64, 96)
_RATE_HZ = 16_000

#: By group: colours with their times, and those off screen. The first disc passes in front of the last.
GROUPS: dict[str, tuple[dict[str, list[list[float]]], dict[str, list[list[float]]]]] = {
    "moving": ({"green": [], "red": [[0.5, 2.0]]}, {}),
    "crossing": ({"red": [[0.0, 3.0]], "blue": [[1.0, 2.0]]}, {}),
    "off_screen": ({"red": []}, {"yellow": [[0.0, 1.0], [2.0, 3.0]]}),
    "silent": ({"purple": [], "blue": []}, {}),
}


def write_clips(folder: Path, each: int = 2) -> dict[str, Any]:
    """Write ``each`` clips of every group and return what stands in ``clips.json``."""
    for name in ("frames", "masks", "audio"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    clips = [_write(folder, group, number) for group in GROUPS for number in range(each)]
    listing = {"version": 1, "seed": 0, "groups": {group: f"all about {group}" for group in GROUPS}, "clips": clips}
    (folder / "clips.json").write_text(json.dumps(listing))
    return listing


def _write(folder: Path, group: str, number: int) -> dict[str, Any]:
    things, off_screen = GROUPS[group]
    name, count = f"{group}_{number:03d}", FPS * SECONDS
    rng = np.random.default_rng(number)
    frames = rng.normal(128, 3, (count, *SIZE_HW, 1)).repeat(3, axis=3)
    index = np.zeros((count, *SIZE_HW), np.uint8)
    down, right = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    for place, colour in reversed(list(enumerate(things, 1))):
        for t in range(count):
            along = t / (count - 1) if place == 1 else 1 - t / (count - 1)
            x, y = 14 + along * (SIZE_HW[1] - 28), SIZE_HW[0] * (0.35 if place == 1 else 0.6) + number
            disc = (down - y) ** 2 + (right - x) ** 2 < 12**2
            frames[t][disc], index[t][disc] = toy.COLOURS[colour], place
    image = Image.fromarray(_sheet(np.clip(np.rint(frames), 0, 255).astype(np.uint8)))
    image.save(folder / "frames" / f"{name}.webp", lossless=True)
    mask = Image.fromarray(_sheet(index)).convert("P")
    mask.putpalette([0, 0, 0, 230, 60, 60, 60, 160, 230])
    mask.save(folder / "masks" / f"{name}.png")
    wave = np.zeros(SECONDS * _RATE_HZ, np.float32)
    for colour, spans in (*things.items(), *off_screen.items()):
        for on, off in spans:
            hum = toy.tone(colour, seconds=off - on, sample_rate_hz=_RATE_HZ).waveform[0]
            wave[round(on * _RATE_HZ) :][: len(hum)] += hum
    noise = group == "silent" and number % 2 == 0
    if noise:
        wave = rng.uniform(-0.5, 0.5, len(wave)).astype(np.float32)
    soundfile.write(folder / "audio" / f"{name}.ogg", wave, _RATE_HZ)
    return {
        "name": name,
        "group": group,
        "fps": FPS,
        "frames": count,
        "things": [{"label": colour, "times": spans} for colour, spans in things.items()],
        "off_screen": off_screen,
        "noise": noise,
    }


def _sheet(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Frames side by side, a row for each second."""
    rows = [np.concatenate(list(frames[k * FPS : (k + 1) * FPS]), axis=1) for k in range(SECONDS)]
    return np.ascontiguousarray(np.concatenate(rows))
