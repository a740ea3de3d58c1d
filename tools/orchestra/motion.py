"""Things in motion: smooth paths, and the frames of a clip in which things follow them, with exact masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.orchestra.images import Costume, Light, ground, paste

__all__ = ["FPS", "Actor", "Film", "Path", "film", "visible"]

#: Frames a second. Things move by a sixth of themselves from frame to frame, at most by half, which a tracker can
#: follow; and eight seconds are no more than 64 frames, so that all frozen clips fit in 8 MB.
FPS = 8


@dataclass(frozen=True)
class Path:
    """A smooth path through some points: a cubic Hermite spline with the tangents of Catmull and Rom.

    It starts and ends at rest, so that nothing is jerked.

    Args:
        times: (K,) seconds, increasing, at which it is at the points; before and after them it rests.
        points: (K, 2) x and y, in pixels.
    """

    times: NDArray[np.float64]
    points: NDArray[np.float64]

    def at(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where it is at some times: (T, 2)."""
        times, points = self.times, self.points
        speed = np.zeros_like(points)
        speed[1:-1] = (points[2:] - points[:-2]) / (times[2:] - times[:-2])[:, None]
        seconds = np.clip(seconds, times[0], times[-1])
        i = np.clip(np.searchsorted(times, seconds, side="right") - 1, 0, len(times) - 2)
        step = (times[i + 1] - times[i])[:, None]
        u = (seconds - times[i])[:, None] / step
        return np.asarray(
            (2 * u**3 - 3 * u**2 + 1) * points[i]
            + (u**3 - 2 * u**2 + u) * step * speed[i]
            + (3 * u**2 - 2 * u**3) * points[i + 1]
            + (u**3 - u**2) * step * speed[i + 1]
        )


@dataclass(frozen=True)
class Actor:
    """A thing and how it moves.

    Args:
        costume: how it looks.
        path: of its centre.
        longest: its longest side in pixels, in the middle between near and far.
        degrees: how it is turned, in the middle.
        swing: by how many degrees it swings to either side.
        nearer: by which share of its size it grows and shrinks.
        period_s: of swinging and growing.
        phase: where in the period it begins, in [0, 1).
    """

    costume: Costume
    path: Path
    longest: float
    degrees: float
    swing: float
    nearer: float
    period_s: float
    phase: float

    def pose(self, seconds: float) -> tuple[Image.Image, tuple[int, int]]:
        """What it looks like at a time, RGBA, and the pixel of its left top corner."""
        turn = 2 * np.pi * (seconds / self.period_s + self.phase)
        sprite = self.costume.posed(
            self.longest * (1 + self.nearer * float(np.cos(turn))), self.degrees + self.swing * float(np.sin(turn))
        )
        x, y = self.path.at(np.array([seconds]))[0]
        return sprite, (round(x - sprite.width / 2), round(y - sprite.height / 2))


@dataclass(frozen=True)
class Film:
    """The frames of a clip.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        index: (T, H, W) uint8: 0 the background, i the visible pixels of actor i - 1.
    """

    frames: NDArray[np.uint8]
    index: NDArray[np.uint8]


def film(actors: Sequence[Actor], size_hw: tuple[int, int], seconds: float, rng: np.random.Generator) -> Film:
    """Film actors, the last in front, before a background at rest, in one light.

    Args:
        size_hw: height and width in pixels.
        seconds: a multiple of a frame.
        rng: draws background and light.
    """
    behind, light = Image.fromarray(ground(size_hw, rng)), Light.drawn(rng)
    index = np.zeros((round(seconds * FPS), *size_hw), np.uint8)
    frames = np.zeros((*index.shape, 3), np.uint8)
    for t in range(len(index)):
        canvas = behind.copy()
        for number, actor in enumerate(actors, 1):
            paste(*actor.pose(t / FPS), canvas, index[t], number)
        frames[t] = light(np.asarray(canvas))
    return Film(frames, index)


def visible(actors: Sequence[Actor], size_hw: tuple[int, int], seconds: float) -> NDArray[np.float64]:
    """The visible share (T, N) of each actor in each frame, hidden by others or out of the frame as it may be."""
    shares = np.zeros((round(seconds * FPS), len(actors)))
    blank = Image.new("RGB", size_hw[::-1])
    for t in range(len(shares)):
        index, whole = np.zeros(size_hw, np.uint8), []
        for number, actor in enumerate(actors, 1):
            sprite, left_top = actor.pose(t / FPS)
            paste(sprite, left_top, blank, index, number)
            whole.append((np.asarray(sprite.getchannel("A")) > 127).sum())
        shares[t] = np.bincount(index.ravel(), minlength=len(actors) + 1)[1:] / whole
    return shares
