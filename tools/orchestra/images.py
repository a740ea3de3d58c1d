"""The images of scenes: emoji glyphs, rotated, coloured and lit, on textured backgrounds, with exact masks."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tools.orchestra.catalogue import Thing

__all__ = ["FONT", "SIZES_HW", "Costume", "Drawing", "Light", "Placed", "draw", "ground", "paste"]

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")

SIZES_HW = ((224, 224), (208, 256), (256, 208), (192, 256))

#: At least this share of a thing stays visible, and at least so many of its pixels.
_VISIBLE = 0.7


@dataclass(frozen=True)
class Placed:
    """A thing to draw.

    Args:
        thing: what.
        hue: in [0, 1): draw it in this hue; None leaves its own colours, slightly shifted.
    """

    thing: Thing
    hue: float | None = None


@dataclass(frozen=True)
class Drawing:
    """A drawn image.

    Args:
        image: (H, W, 3) uint8 RGB.
        index: (H, W) uint8: 0 the background, i the visible pixels of thing i - 1.
    """

    image: NDArray[np.uint8]
    index: NDArray[np.uint8]


def draw(placed: Sequence[Placed], rng: np.random.Generator) -> Drawing:
    """Draw some things at random places, none of them hidden by more than 30 %.

    Args:
        placed: what to draw, the last in front.
    """
    while True:
        size_hw = SIZES_HW[int(rng.integers(len(SIZES_HW)))]
        image = _attempt(placed, size_hw, rng)
        if image is not None:
            return image


def _attempt(placed: Sequence[Placed], size_hw: tuple[int, int], rng: np.random.Generator) -> Drawing | None:
    """Draw once; None where a thing is hidden too much."""
    height, width = size_hw
    canvas = Image.fromarray(ground(size_hw, rng))
    index = np.zeros(size_hw, np.uint8)
    areas = []
    largest = 0.62 if len(placed) < 3 else 0.5
    for number, one in enumerate(placed, 1):
        sprite = _sprite(one, rng.uniform(0.3, largest) * min(size_hw), rng)
        for _ in range(20):
            left = int(rng.integers(0, max(1, width - sprite.width)))
            top = int(rng.integers(0, max(1, height - sprite.height)))
            solid, under = _within(sprite, index, (left, top))
            if (under[solid] > 0).mean() < 0.15:
                break
        areas.append(paste(sprite, (left, top), canvas, index, number))
    visible = [(index == number).sum() for number in range(1, len(placed) + 1)]
    if any(seen < _VISIBLE * area for seen, area in zip(visible, areas, strict=True)):
        return None
    return Drawing(Light.drawn(rng)(np.asarray(canvas)), index)


def paste(
    sprite: Image.Image, left_top: tuple[int, int], canvas: Image.Image, index: NDArray[np.uint8], number: int
) -> int:
    """Draw a thing, RGBA, on the image and its number on the index, wherever it is solid.

    Args:
        left_top: its corner in pixels of the image, of which it may reach out on any side.

    Returns:
        How many pixels of the image it has.
    """
    canvas.paste(sprite, left_top, sprite)
    solid, under = _within(sprite, index, left_top)
    under[solid] = number
    return int(solid.sum())


def _within(
    sprite: Image.Image, index: NDArray[np.uint8], left_top: tuple[int, int]
) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """What is solid of the part of a thing that is within the image, and the index there."""
    left, top = left_top
    solid = np.asarray(sprite.getchannel("A"))[max(0, -top) :, max(0, -left) :] > 127
    under = index[max(0, top) : max(0, top + sprite.height), max(0, left) : max(0, left + sprite.width)]
    return solid[: under.shape[0], : under.shape[1]], under


@functools.cache
def _glyph(character: str) -> Image.Image:
    """The colour bitmap of an emoji, cut to what is not transparent."""
    font = ImageFont.truetype(str(FONT), 109)  # the one size that the font's bitmaps have
    sheet = Image.new("RGBA", (160, 160))
    ImageDraw.Draw(sheet).text((10, 10), character, font=font, embedded_color=True)
    return sheet.crop(sheet.getbbox())


def _sprite(one: Placed, longest: float, rng: np.random.Generator) -> Image.Image:
    """A glyph in a size, colour and position of its own, cut to what is not transparent."""
    costume = Costume.drawn(one, rng)
    return costume.posed(longest, rng.uniform(-35, 35))


@dataclass(frozen=True)
class Costume:
    """How a thing looks in all sizes and positions.

    Args:
        glyph: RGBA, in its colours.
        stretch: it is so much wider, and less high.
    """

    glyph: Image.Image
    stretch: float

    @classmethod
    def drawn(cls, one: Placed, rng: np.random.Generator) -> Self:
        """One of its glyphs at random, in random colours, mirrored or not."""
        glyph = _glyph(one.thing.glyphs[int(rng.integers(len(one.thing.glyphs)))])
        glyph = _tinted(glyph, one.hue, rng)
        if rng.random() < 0.5:
            glyph = glyph.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return cls(glyph, float(np.exp(rng.uniform(-0.1, 0.1))))

    def posed(self, longest: float, degrees: float) -> Image.Image:
        """The thing with a longest side in pixels before it is turned, RGBA, cut to what is not transparent."""
        scale = longest / max(self.glyph.size)
        size = (self.glyph.width * scale * self.stretch, self.glyph.height * scale / self.stretch)
        glyph = self.glyph.resize((max(8, round(size[0])), max(8, round(size[1]))), Image.Resampling.LANCZOS)
        glyph = glyph.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
        return glyph.crop(glyph.getchannel("A").point(lambda a: 255 * (a > 127)).getbbox())


def _tinted(glyph: Image.Image, hue: float | None, rng: np.random.Generator) -> Image.Image:
    """The glyph with its hue moved (a little, or to a given one), and saturation and brightness changed."""
    alpha = glyph.getchannel("A")
    hsv = np.array(glyph.convert("RGB").convert("HSV"), np.float32)
    if hue is None:
        hsv[..., 0] += rng.uniform(-0.06, 0.06) * 255
    else:
        hsv[..., 0] = hue * 255 + 0.25 * (hsv[..., 0] - np.median(hsv[..., 0][np.asarray(alpha) > 127]))
    hsv[..., 0] %= 256
    hsv[..., 1] *= rng.uniform(0.6, 1.15)
    hsv[..., 2] *= rng.uniform(0.7, 1.1)
    painted = Image.fromarray(np.clip(hsv, 0, 255).astype(np.uint8), "HSV").convert("RGB")
    painted.putalpha(alpha)
    return painted


def ground(size_hw: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A background, (H, W, 3) uint8, between two or three colours: a mixture of gradients, clouds, stripes and more."""
    height, width = size_hw
    down, right = np.mgrid[0:height, 0:width] / max(size_hw)
    maps = []
    for _ in range(2):
        kind, angle = int(rng.integers(5)), rng.uniform(0, np.pi)
        along = down * np.sin(angle) + right * np.cos(angle)
        across = right * np.sin(angle) - down * np.cos(angle)
        cycles = rng.uniform(2, 14)
        if kind == 0:
            one = along
        elif kind == 1:
            one = np.sin(2 * np.pi * cycles * along)
        elif kind == 2:
            one = np.sign(np.sin(2 * np.pi * cycles * along) * np.sin(2 * np.pi * cycles * across))
        elif kind == 3:
            one = _clouds(size_hw, rng)
        else:
            middle = rng.uniform(0, 1, 2)
            one = np.sin(2 * np.pi * cycles * 0.5 * np.hypot(down - middle[0], right - middle[1]))
        one = one - one.min()
        maps.append(one / max(1e-6, float(one.max())))
    colours = rng.uniform(40, 235, (3, 3))
    contrast = rng.uniform(0.15, 0.7)
    first, second = (contrast * one[..., None] for one in maps)
    texture = colours[0] + first * (colours[1] - colours[0]) + second * (colours[2] - colours[0]) * 0.6
    texture += rng.normal(0, rng.uniform(0, 8), (height, width, 1))
    return np.clip(texture, 0, 255).astype(np.uint8)


def _clouds(size_hw: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Smooth noise: a few scales of random values, stretched."""
    clouds = np.zeros(size_hw)
    for cells in (3, 6, 12, 24):
        small = Image.fromarray(rng.random((cells, cells), np.float32), "F")
        clouds += np.asarray(small.resize(size_hw[::-1], Image.Resampling.BICUBIC)) / cells
    return clouds


@dataclass(frozen=True)
class Light:
    """Light from one side, of a slight colour, and a lens that is not quite sharp.

    Args:
        angle: where from, in radians.
        strength: how much brighter it is there, from 0.
        colour: (3,) factors of red, green and blue.
        blur_px: of the lens.
    """

    angle: float
    strength: float
    colour: NDArray[np.float64]
    blur_px: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Self:
        """A light at random."""
        angle, strength, colour = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.25), rng.uniform(0.85, 1.1, 3)
        return cls(angle, strength, colour, rng.uniform(0.3, 0.8) if rng.random() < 0.3 else 0.0)

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The image (H, W, 3) in this light."""
        height, width = image.shape[:2]
        down, right = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
        ramp = down * np.sin(self.angle) + right * np.cos(self.angle)
        lit = np.clip(image * ((1 + self.strength * ramp)[..., None] * self.colour), 0, 255).astype(np.uint8)
        if self.blur_px:
            lit = np.asarray(Image.fromarray(lit).filter(ImageFilter.GaussianBlur(self.blur_px)))
        return lit
