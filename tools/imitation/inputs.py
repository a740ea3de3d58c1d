"""What the imitated checkpoints are asked: made out of formulas, the same on every machine. numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["BOXES", "POINTS", "PROMPT", "TEXTS", "audio", "image"]

TEXTS = ("a dog barking", "rain", "someone plays a piano in the street")

#: Asked of Grounding DINO; its phrases end with full stops.
PROMPT = "a dog. rain. piano."

#: x0, y0, x1, y1 in pixels, and x, y, for an image of 96 x 128.
BOXES = ((8.0, 6.0, 70.0, 60.0), (20.0, 30.0, 120.0, 90.0))
POINTS = ((40.0, 30.0), (100.0, 70.0))


def audio(sample_rate_hz: int, seconds: float) -> NDArray[np.float32]:
    """A rising tone with a hum and a regular tick under it: (L,) float32 in [-1, 1]."""
    t = np.arange(round(sample_rate_hz * seconds)) / sample_rate_hz
    rising = np.sin(2 * np.pi * (200 * t + 400 * t**2))
    hum = np.sin(2 * np.pi * 110 * t)
    tick = np.exp(-40 * (t * 4 % 1)) * np.sin(2 * np.pi * 1500 * t)
    return (0.3 * rising + 0.2 * hum + 0.3 * tick).astype(np.float32)


def image(height: int = 96, width: int = 128) -> NDArray[np.uint8]:
    """A disc and a bar on a slanted ground: (H, W, 3) uint8 RGB."""
    y, x = np.mgrid[:height, :width] / np.array([height, width], float)[:, None, None]
    pixels = np.stack([160 * x + 60 * y, 200 * y, 220 - 120 * x], axis=2)
    pixels[(y - 0.35) ** 2 + (x - 0.3) ** 2 < 0.05] = (230, 180, 40)
    pixels[(np.abs(y - 0.7) < 0.1) & (np.abs(x - 0.65) < 0.25)] = (20, 90, 30)
    return pixels.round().astype(np.uint8)
