"""Colours for masks that stay apart for colour-blind readers too, and the ramp of the spectrogram.

Distances are Euclidean in Oklab (B. Ottosson, "A perceptual color space for image processing", 2020), seen with
normal vision and with full protanopia, deuteranopia and tritanopia as simulated by Machado, Oliveira and Fernandes,
"A physiologically-based model for simulation of color vision deficiency", 2009, table 1.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsavs.errors import ContractError

__all__ = ["GREY", "INK", "PAPER", "QUIET", "TRACK", "Rgb", "blend", "ink_on", "palette", "spectrogram_ramp"]

Rgb = tuple[int, int, int]

PAPER: Rgb = (255, 255, 255)
INK: Rgb = (24, 28, 38)
#: Secondary text; 5 : 1 against paper.
QUIET: Rgb = (100, 108, 122)
#: Heard and not found in the image. No mask has a colour this dull.
GREY: Rgb = (158, 164, 174)
#: The empty part of a bar.
TRACK: Rgb = (236, 238, 242)

#: Pink, azure, amber, indigo, mint, brick, periwinkle, ochre: at least 0.11 apart for every kind of vision, ordered
#: so that the first ones are rare in photographs and far apart.
_FIRST: tuple[Rgb, ...] = (
    (0xF0, 0x32, 0x8A),
    (0x00, 0xBB, 0xFF),
    (0xFF, 0xB0, 0x00),
    (0x55, 0x11, 0xDD),
    (0xB8, 0xF0, 0xA0),
    (0x99, 0x22, 0x22),
    (0x66, 0x77, 0xFF),
    (0xAA, 0x66, 0x00),
)

_TO_LMS = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
_TO_LAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]]
)  # fmt: skip
#: Linear RGB as seen with normal vision, protanopia, deuteranopia and tritanopia.
_VISIONS = np.array(
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
)


def _linear(colours: ArrayLike) -> NDArray[np.float64]:
    """(..., 3) sRGB in 0..255 to linear light in [0, 1]."""
    c = np.asarray(colours, np.float64) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def _oklab(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 3) linear light in [0, 1] to Oklab."""
    lab: NDArray[np.float64] = np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T
    return lab


def _seen(colours: ArrayLike) -> NDArray[np.float64]:
    """(K, 3) sRGB to (4, K, 3) Oklab, one layer for each kind of vision."""
    linear = _linear(colours)
    return _oklab(np.clip(linear @ _VISIONS.transpose(0, 2, 1), 0, 1))


@cache
def _candidates() -> NDArray[np.int64]:
    """(K, 3) sRGB colours that are neither dull, nor so dark or pale that a photograph swallows them."""
    grid = np.stack(np.meshgrid(*[np.arange(0, 256, 17)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = _oklab(_linear(grid))
    return grid[(lab[:, 0] > 0.45) & (lab[:, 0] < 0.9) & (np.hypot(lab[:, 1], lab[:, 2]) > 0.1)]


def palette(n: int) -> list[Rgb]:
    """Colours for ``n`` masks, in an order that never changes: ``palette(k)`` is the start of ``palette(n)``.

    After the eight colours chosen by hand, each further one is the candidate farthest from all before it for the
    reader who tells them apart least; from about 2600 on colours repeat.

    Args:
        n: how many, at least 0.

    Returns:
        ``n`` triples of sRGB values in 0..255.

    Raises:
        ContractError: ``n`` is negative.
    """
    if n < 0:
        raise ContractError(f"palette: the number of colours must be at least 0, got {n}.")
    return list(_FIRST[:n] if n <= len(_FIRST) else _more(n))


@lru_cache(maxsize=16)
def _more(n: int) -> tuple[Rgb, ...]:
    """The first ``n`` colours, the ones after ``_FIRST`` by farthest-point selection."""
    chosen = list(_FIRST)
    candidates = _candidates()
    seen = _seen(candidates)
    nearest = np.full(len(candidates), np.inf)
    for i in range(n):
        if i == len(chosen):
            if not nearest.any():
                return tuple(chosen[k % i] for k in range(n))
            red, green, blue = candidates[nearest.argmax()].tolist()
            chosen.append((red, green, blue))
        nearest = np.minimum(nearest, np.linalg.norm(seen - _seen([chosen[i]]), axis=-1).min(axis=0))
    return tuple(chosen)


def ink_on(colour: Rgb) -> Rgb:
    """Dark or white text, whichever has more contrast on ``colour`` (relative luminance, WCAG 2.2)."""
    luminance, dark = (float(_linear(c) @ (0.2126, 0.7152, 0.0722)) for c in (colour, INK))
    return PAPER if 1.05 / (luminance + 0.05) > (luminance + 0.05) / (dark + 0.05) else INK


@cache
def spectrogram_ramp() -> NDArray[np.uint8]:
    """(256, 3) sRGB from near white (silence) over blue to near black (loud), even steps of lightness in Oklab."""
    level = np.linspace(0, 1, 256)
    lightness = 0.975 - 0.775 * level
    chroma = 0.004 + 0.115 * np.sin(np.pi * level**0.9)
    hue = np.deg2rad(248 + 32 * level)
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
    linear = np.clip((lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_LMS).T, 0, 1)
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    ramp: NDArray[np.uint8] = np.rint(srgb * 255).astype(np.uint8)
    return ramp


def blend(canvas: NDArray[np.uint8], where: object, colour: ArrayLike, alpha: ArrayLike) -> None:
    """Lay ``colour`` over part of ``canvas``, in place (Porter and Duff's "over", alpha not premultiplied).

    Args:
        canvas: (..., 3) opaque or (..., 4) with alpha, uint8.
        where: any numpy index of the leading axes; picks the P pixels to change.
        colour: (P, 3) or (3,), in 0..255.
        alpha: (P,) or one number, in [0, 1]; where it is 0 the pixel keeps its value.
    """
    index: tuple[object, ...] = where if isinstance(where, tuple) else (where,)
    under = canvas[index].astype(np.float32)  # type: ignore[index]
    over = np.asarray(alpha, np.float32)[..., None]
    kept = (1 - over) * (under[..., 3:] / 255 if canvas.shape[-1] == 4 else np.float32(1))
    total = np.maximum(over + kept, 1e-6)
    under[..., :3] = (np.asarray(colour, np.float32) * over + under[..., :3] * kept) / total
    under[..., 3:] = 255 * total
    canvas[index] = np.rint(under).astype(np.uint8)  # type: ignore[index]
