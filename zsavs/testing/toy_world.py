"""The toy world itself: its colours and their pitches, its scenes, and what ears and eyes make of them.

Ears and eyes give rows of eight: one coordinate for each colour, one for "no colour", one for words that name none.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs.media.arrays import frozen
from zsavs.types import AudioClip, AVSample

__all__ = ["COLOURS", "DIM", "NAMES", "NEAR", "PITCHES_HZ", "colour_of", "discs", "distance", "hear", "picture_bank"]
__all__ += ["rooted", "scene", "see", "seen", "shares_of_power", "sound_bank", "tone"]

#: The colours of the toy world, RGB.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 40, 40),
    "yellow": (230, 200, 40),
    "green": (40, 170, 70),
    "blue": (40, 90, 220),
    "purple": (140, 50, 180),
    "orange": (240, 130, 30),
}
#: What each colour sounds like; no pitch is a multiple of another one.
PITCHES_HZ: dict[str, float] = dict(zip(COLOURS, (300.0, 410.0, 560.0, 770.0, 1050.0, 1440.0), strict=True))

NAMES = tuple(COLOURS)
_RGB = np.array([COLOURS[name] for name in NAMES], np.float32)
#: Dimensions of the shared space: one for each colour, one for "no colour", one for words that name none.
DIM = len(NAMES) + 2
#: A pixel this near to a colour, in the channel that differs most, is of that colour.
NEAR = 40
#: Power of what counts as silence, full scale squared: -50 dB.
_FLOOR = 1e-5


def tone(*colours: str, seconds: float = 2.0, sample_rate_hz: int = 16_000, level: float = 0.3) -> AudioClip:
    """The hum of one or several colours together, mono; no colours give silence."""
    time = np.arange(int(seconds * sample_rate_hz)) / sample_rate_hz
    wave = sum((level * np.sin(2 * np.pi * PITCHES_HZ[colour] * time) for colour in colours), np.zeros_like(time))
    return AudioClip(wave[None].astype(np.float32), sample_rate_hz)


def scene(
    visible: Sequence[str], sounding: Sequence[str], *, size_hw: tuple[int, int] = (120, 160), seed: int = 0
) -> tuple[AVSample, NDArray[np.bool_]]:
    """A grey, grainy image with a disc of each visible colour, and the hum of the sounding ones.

    Args:
        visible: colours to draw, from left to right.
        sounding: colours to hear; one that is not visible is an off-screen source.
        size_hw: height and width in pixels.
        seed: of the grain and the sizes.

    Returns:
        The sample, and its (H, W) target: the pixels of what is visible and sounds.
    """
    rng = np.random.default_rng(seed)
    height, width = size_hw
    canvas = rng.normal(128, 3, (height, width, 1)).repeat(3, axis=2)
    target = np.zeros(size_hw, np.bool_)
    down, right = np.mgrid[0:height, 0:width]
    for place, colour in enumerate(visible):
        radius = rng.uniform(0.25, 0.4) * min(height, width / max(len(visible), 1))
        middle = height * rng.uniform(0.4, 0.6), (place + 0.5) * width / len(visible)
        disc = (down - middle[0]) ** 2 + (right - middle[1]) ** 2 < radius**2
        canvas[disc] = np.array(COLOURS[colour]) + rng.normal(0, 3, (int(disc.sum()), 1))
        target |= disc & (colour in sounding)
    image = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
    return AVSample(image, tone(*sounding), name=f"toy scene {seed}"), target


def hear(clip: AudioClip) -> NDArray[np.float32]:
    """(8,) unit row: the square root of each pitch's share of a clip's power; the rest is "no colour"."""
    wave = clip.mono().astype(np.float64)
    wave -= wave.mean()  # a constant offset is a fault of the recorder, and inaudible
    window, bands = _ear(len(wave), clip.sample_rate_hz)
    power = np.abs(np.fft.rfft(wave * window)) ** 2 / (window**2).sum() / len(wave) * 2
    heard = np.array([power[band].sum() for band in bands])
    share = heard / (power.sum() + _FLOOR)
    return np.sqrt([*share, max(0.0, 1 - share.sum()), 0.0]).astype(np.float32)


@functools.lru_cache(maxsize=16)
def _ear(samples: int, sample_rate_hz: int) -> tuple[NDArray[np.float64], list[NDArray[np.intp]]]:
    """The window of a clip, and for each colour the places in its spectrum that are near the colour's pitch."""
    window = np.hanning(samples) if samples > 2 else np.ones(samples)
    frequency = np.fft.rfftfreq(samples, 1 / sample_rate_hz)
    return window, [np.flatnonzero(np.abs(frequency / pitch - 1) < 0.06) for pitch in PITCHES_HZ.values()]


def shares_of_power(clip: AudioClip) -> NDArray[np.float64]:
    """(6,) each pitch's share of the power, in [0, 1]."""
    return np.square(hear(clip)[: len(NAMES)], dtype=np.float64)


@functools.cache
def sound_bank() -> NDArray[np.float32]:
    """What is heard in silence, in noise of many levels, and in the hum of each colour: (B, 8), unit rows."""
    rng, rate = np.random.default_rng(0), 16_000
    noises = [10 ** (level / 20) * rng.standard_normal((1, rate)) for level in range(-60, 0, 1)]
    clips = [tone(), *(tone(name) for name in NAMES), *(AudioClip(n.astype(np.float32), rate) for n in noises)]
    return frozen(np.stack([hear(clip) for clip in clips]))


@functools.cache
def picture_bank() -> NDArray[np.float32]:
    """What is seen in grain of many shades, and in a disc of each colour: (B, 8), unit rows."""
    views = [scene((), (), seed=seed)[0].image for seed in range(30)]
    views += [scene((name,), (), seed=seed)[0].image for seed, name in enumerate(NAMES)]
    return frozen(np.stack([see(view) for view in views]))


def see(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(8,) unit row: the square root of each colour's share of an image; the rest is "no colour"."""
    return seen(colour_of(image))


def seen(colours: NDArray[np.int64]) -> NDArray[np.float32]:
    """As :func:`see`, from the number of each pixel's colour, -1 for none."""
    share = np.bincount(colours.ravel() + 1, minlength=len(NAMES) + 1)[1:] / colours.size
    return np.sqrt([*share, max(0.0, 1 - share.sum()), 0.0]).astype(np.float32)


def rooted(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 8) shares to unit rows, as the ears and eyes root them."""
    rows: NDArray[np.float32] = np.sqrt(np.maximum(shares, 0), dtype=np.float32)
    unit: NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-12))
    return unit


def colour_of(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(H, W) index of each pixel's colour, -1 where it is none of them."""
    distances = np.stack([distance(image, index) for index in range(len(NAMES))])
    return np.where(distances.min(axis=0) < NEAR, distances.argmin(axis=0), -1)


def discs(there: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """The box of each disc in a map (H, W), x0, y0, x1, y1: cut along empty columns and rows, and without specks."""
    found = _parts(there, 0, 0)
    sizes = [int(there[y0:y1, x0:x1].sum()) for x0, y0, x1, y1 in found]
    return [box for box, size in zip(found, sizes, strict=True) if size > max(sizes) / 20]


def _parts(there: NDArray[np.bool_], x: int, y: int) -> list[tuple[int, int, int, int]]:
    """The boxes of what no empty column or row parts, in a map whose first pixel is at x, y."""
    found = []
    for left, right in _spans(np.any(there, axis=0)):
        for top, bottom in _spans(np.any(there[:, left:right], axis=1)):
            part = there[top:bottom, left:right]
            whole = part.shape == there.shape
            box = (x + left, y + top, x + right, y + bottom)
            found += [box] if whole else _parts(part, x + left, y + top)
    return found


def _spans(there: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """From and to, of each stretch of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def distance(image: NDArray[np.uint8], index: int) -> NDArray[np.float32]:
    """(H, W) largest difference of each pixel's channels from a colour, 0 to 255."""
    # Channel by channel, as numpy is slow at the maximum over an axis of three.
    red, green, blue = (np.abs(image[..., channel] - _RGB[index, channel]) for channel in range(3))
    farthest: NDArray[np.float32] = np.maximum(np.maximum(red, green), blue)
    return farthest
