"""The training data of the nano models: a pool of images without audio, and a pool of audio without images.

    python -m tools.nano.pools --work DIR [--seed N]

Pools are drawn once and kept as memory-mapped arrays. Their seeds begin with words of their own, so that no scene of
any test split, whatever its seed, is drawn from the same random numbers.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.orchestra.audio import RATE_HZ, SECONDS, Band, background, mix
from tools.orchestra.catalogue import SILENT, SOUNDING, THINGS
from tools.orchestra.images import Placed, draw
from zsavs.media.regions import tight_box

__all__ = ["LABELS", "SIDE", "SOUNDING_LABELS", "ImagePool", "SoundPool", "arguments"]
__all__ += ["drawn", "known", "painted", "patch_owners", "patch_shares", "say", "tight_boxes"]

LABELS: tuple[str, ...] = tuple(THINGS)
SOUNDING_LABELS: tuple[str, ...] = tuple(thing.label for thing in SOUNDING)

#: Images are squeezed into a square of this side, as the models do with them.
SIDE = 256

_IMAGES, _SOUNDS = 20_000, 7200
_HELD_OUT = 400  # the last ones of each pool, a tenth of it at most, are not trained on

#: First words of the seeds.
_FOR_IMAGES, _FOR_SOUNDS = 0x91C, 0x50D


@dataclass(frozen=True)
class ImagePool:
    """Images with an index map and the names of what is in them.

    Args:
        images: (N, SIDE, SIDE, 3) uint8.
        index: (N, SIDE, SIDE) uint8, as :class:`tools.orchestra.images.Image`.
        labels: for each image the names of its things.
        train, held_out: rows to train on and rows to measure on, in order.
    """

    images: NDArray[np.uint8]
    index: NDArray[np.uint8]
    labels: list[list[str]]
    train: Sequence[int]
    held_out: Sequence[int]

    @classmethod
    def open(cls, work: Path) -> ImagePool:
        """The pool in a folder."""
        labels = json.loads((work / "images.json").read_text())
        count = len(labels)
        return cls(
            np.load(work / "images.npy", mmap_mode="r"),
            np.load(work / "index.npy", mmap_mode="r"),
            labels,
            *_parts(count),
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> ImagePool:
        """Itself: the average of a model that holds a pool needs no second one."""
        return self

    def without(self, names: Sequence[str]) -> Self:
        """The pool less the images in which any of these things is."""
        train, held_out = (_without(rows, self.labels, names) for rows in (self.train, self.held_out))
        return replace(self, train=train, held_out=held_out)

    def boxes(self, row: int) -> NDArray[np.float32]:
        """Tight boxes of the visible pixels of each thing: (things, 4) x0 y0 x1 y1 in pixels of the square."""
        return tight_boxes(self.index[row], len(self.labels[row]))


@dataclass(frozen=True)
class SoundPool:
    """Audio clips with the labels of their sources.

    Args:
        waves: (N, T) float16 at ``RATE_HZ``.
        labels: for each clip the labels of its sources; none for noise and near-silence.
        train, held_out: as for images.
    """

    waves: NDArray[np.float16]
    labels: list[list[str]]
    train: Sequence[int]
    held_out: Sequence[int]

    @classmethod
    def open(cls, work: Path) -> SoundPool:
        """The pool in a folder."""
        labels = json.loads((work / "sounds.json").read_text())
        count = len(labels)
        waves = np.load(work / "waves.npy", mmap_mode="r")
        return cls(waves, labels, *_parts(count))

    def __deepcopy__(self, memo: dict[int, Any]) -> SoundPool:
        """Itself: the average of a model that holds a pool needs no second one."""
        return self

    def without(self, names: Sequence[str]) -> Self:
        """The pool less the clips in which any of these things sounds."""
        train, held_out = (_without(rows, self.labels, names) for rows in (self.train, self.held_out))
        return replace(self, train=train, held_out=held_out)

    def features(self, kept: Path, of: Callable[[NDArray[np.float32], int], Any]) -> NDArray[np.float16]:
        """What a feature extractor makes of every clip, as float16; computed once and kept in a file.

        Args:
            kept: the file.
            of: takes a wave (T,) and its row, returns an array of the same shape for all.
        """
        if not kept.is_file():
            rows = []
            for row, wave in enumerate(self.waves):
                rows.append(np.asarray(of(wave.astype(np.float32), row)).astype(np.float16))
                say("features", row, len(self.waves))
            fresh = kept.with_suffix(".new.npy")
            np.save(fresh, np.stack(rows))
            fresh.replace(kept)
        return np.load(kept, mmap_mode="r")

    def truth(self, names: Sequence[str], absent: float) -> NDArray[np.float32]:
        """For each clip and each of K names 1 where it is a source and ``absent`` where it is not: (N, K). Of other
        sources nothing is said."""
        truth = np.full((len(self.labels), len(names)), absent, np.float32)
        for row, labels in enumerate(self.labels):
            truth[row, [names.index(label) for label in labels if label in names]] = 1
        return truth


def _parts(count: int) -> tuple[range, range]:
    """The rows of a pool to train on, and those to measure on."""
    first = count - min(_HELD_OUT, count // 10)
    return range(first), range(first, count)


def _without(rows: Sequence[int], labels: Sequence[Sequence[str]], names: Sequence[str]) -> list[int]:
    """The rows of which the labels hold none of the names."""
    return [row for row in rows if not set(names) & set(labels[row])]


def tight_boxes(index: NDArray[np.uint8], things: int) -> NDArray[np.float32]:
    """Tight boxes of the visible pixels of each thing in an index map: (things, 4) x0 y0 x1 y1 in its pixels."""
    boxes = [tight_box(index == number) for number in range(1, things + 1)]
    return np.array(boxes, np.float32).reshape(-1, 4)


def drawn(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8], list[str]]:
    """A new image, (H, W, 3), its index map, (H, W), and the names of its one to five things.

    It has been a JPEG file of some quality, as images have that people bring: what compression leaves around an
    outline is a point of intersection over union.
    """
    things = (*SOUNDING, *SILENT)
    hue = float(rng.random()) if rng.random() < 0.15 else None  # as among things of the same colours
    placed = [Placed(things[int(i)], hue) for i in rng.integers(0, len(things), int(rng.integers(1, 6)))]
    image = draw(placed, rng)
    file = io.BytesIO()
    Image.fromarray(image.image).save(file, "JPEG", quality=int(rng.integers(80, 97)))
    return np.array(Image.open(file)), image.index, [one.thing.label for one in placed]


def painted(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """An image, or a third of the time the same in shades of one random hue: colour does not say what a thing is."""
    if rng.random() < 2 / 3:
        return image
    hsv = np.array(Image.fromarray(image).convert("HSV"), np.float32)
    hsv[..., 0] = (rng.uniform(0, 256) + 0.25 * (hsv[..., 0] - np.median(hsv[..., 0]))) % 256
    hsv[..., 1] = (hsv[..., 1] * rng.uniform(0.6, 1.15)).clip(0, 255)
    return np.asarray(Image.fromarray(hsv.astype(np.uint8), "HSV").convert("RGB"))


def patch_shares(index: NDArray[np.uint8], patch: int, things: int) -> NDArray[np.float64]:
    """Which share of each square patch is ground, and which is each thing: (things + 1, patches), row by row.

    Args:
        index: (S, S), 0 the ground and i the pixels of thing i - 1.
        patch: side of a patch, which divides S.
    """
    count = len(index) // patch
    cells = index.reshape(count, patch, count, patch).transpose(0, 2, 1, 3).reshape(count * count, -1)
    return np.stack([(cells == number).mean(1) for number in range(things + 1)])


def patch_owners(index: NDArray[np.uint8], patch: int, things: int) -> NDArray[np.intp]:
    """What each patch shows, (patches,): 0 the ground, i thing i - 1.

    A fair part of a thing makes a patch that thing's.
    """
    shares = patch_shares(index, patch, things)
    shares[0] -= 0.3
    return shares.argmax(0)


def _draw_images(work: Path, seed: int, count: int) -> None:
    images = np.lib.format.open_memmap(work / "images.npy", "w+", np.uint8, (count, SIDE, SIDE, 3))
    index = np.lib.format.open_memmap(work / "index.npy", "w+", np.uint8, (count, SIDE, SIDE))
    labels = []
    for row in range(count):
        image, numbers, names = drawn(np.random.default_rng((_FOR_IMAGES, seed, row)))
        images[row] = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        index[row] = np.asarray(Image.fromarray(numbers).resize((SIDE, SIDE), Image.Resampling.NEAREST))
        labels.append(names)
        say("images", row, count)
    (work / "images.json").write_text(json.dumps(labels))


def _render_sounds(work: Path, seed: int, count: int) -> None:
    waves = np.lib.format.open_memmap(work / "waves.npy", "w+", np.float16, (count, int(SECONDS * RATE_HZ)))
    labels = []
    band = Band()
    for row in range(count):
        rng = np.random.default_rng((_FOR_SOUNDS, seed, row))
        sources = int(rng.choice(4, p=(0.08, 0.5, 0.27, 0.15)))
        chosen = [SOUNDING[int(i)] for i in rng.choice(len(SOUNDING), sources, replace=False)]
        if chosen:
            wave = mix([band.play(thing, rng) for thing in chosen], rng)
        else:
            noise = background(rng)
            wave = noise / np.abs(noise).max() * 10 ** (-rng.uniform(1, 80) / 20)
        waves[row] = wave
        labels.append([thing.label for thing in chosen])
        say("sounds", row, count)
    (work / "sounds.json").write_text(json.dumps(labels))


def known(without: Sequence[str]) -> tuple[str, ...]:
    """The names of all things but those that a model never reads.

    Raises:
        ValueError: there is no such thing.
    """
    if unknown := set(without) - set(LABELS):
        raise ValueError(f"{', '.join(sorted(unknown))}: no such thing; there are {', '.join(LABELS)}.")
    return tuple(label for label in LABELS if label not in without)


def say(what: str, row: int, count: int) -> None:
    """Print how far a long loop is, now and then."""
    if (row + 1) % 400 == 0:
        print(f"{what}: {row + 1} of {count}", flush=True)


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with what every recipe takes: where to work, and the seed."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--work", type=Path, default=Path("build/nano"), help="folder of pools and training states")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main(argv: list[str] | None = None) -> None:
    """Draw both pools."""
    parser = arguments("draw the pools that the nano models learn from")
    parser.add_argument("only", nargs="?", choices=("images", "sounds"))
    parser.add_argument("--images", type=int, default=_IMAGES, help="how many (default: %(default)d)")
    parser.add_argument("--sounds", type=int, default=_SOUNDS, help="how many (default: %(default)d)")
    options: Any = parser.parse_args(argv)
    options.work.mkdir(parents=True, exist_ok=True)
    if options.only != "sounds":
        _draw_images(options.work, options.seed, options.images)
    if options.only != "images":
        _render_sounds(options.work, options.seed, options.sounds)


if __name__ == "__main__":
    main()
