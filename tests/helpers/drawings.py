"""Scenes and audio clips to draw, and pixels to count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsavs.draw import palette
from zsavs.draw.labels import Label, place_labels
from zsavs.media.regions import tight_box
from zsavs.types import AudioClip


def ellipse(height: int, width: int, cx: float, cy: float, rx: float, ry: float) -> NDArray[np.bool_]:
    y, x = np.mgrid[:height, :width]
    return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1


def scene(height: int, width: int, count: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    spots = [
        ellipse(height, width, *rng.uniform(0, 1, 2) * (width, height), *rng.uniform(0.05, 0.2, 2) * (width, height))
        for _ in range(count)
    ]
    return image, np.array(spots, np.bool_).reshape(count, height, width)


def clip(seconds: float = 1.0, rate: int = 16_000, hz: float = 440.0, level: float = 0.5) -> AudioClip:
    t = np.arange(max(1, round(seconds * rate))) / rate
    return AudioClip((level * np.sin(2 * np.pi * hz * t)).astype(np.float32)[None], rate)


def silence(seconds: float = 1.0, rate: int = 16_000) -> AudioClip:
    return AudioClip(np.zeros((1, max(1, round(seconds * rate))), np.float32), rate)


def placed(masks: NDArray[np.bool_], phrases: list[str], scores: list[float]) -> list[Label]:
    return place_labels(masks, [tight_box(mask) for mask in masks], phrases, scores, palette(len(masks)))


def pixels_of(image: Image.Image, colour: tuple[int, int, int]) -> int:
    red, green, blue = np.moveaxis(np.asarray(image), -1, 0)
    return int(((red == colour[0]) & (green == colour[1]) & (blue == colour[2])).sum())
