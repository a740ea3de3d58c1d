"""YOLO's segmentation data sets: a text file for each image, a polygon for each object, and ``data.yaml``.

Source: https://docs.ultralytics.com/datasets/segment/, "Ultralytics YOLO format". A line is the label's number from 0
and the polygon's corners, x and y, as shares of the image's width and height.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import first_line
from zsavs.formats.items import Item, category_ids, images_of
from zsavs.storage.files import open_regular, write_atomically

__all__ = ["polygon", "write"]

_log = logging.getLogger(__name__)


def write(items: Sequence[Item], out: Path, *, categories: Sequence[str] | None = None) -> list[Path]:
    """Write ``data.yaml``, ``labels/train/NAME.txt``, and each image as it is, ``images/train/NAME.jpg``.

    YOLO finds labels by the names of the images, and so images are copied, byte for byte, under names that are never
    alike. One of which there is no file is left out with a warning; its labels are written all the same.

    Returns:
        ``data.yaml``, and the files.

    Raises:
        InputError: a label is not in ``categories``.
        OutputError: one cannot be written.
    """
    ids = category_ids(items, categories)
    files: list[Path] = []
    lacking: list[str] = []
    for image in images_of(items):
        rows = [(ids[one.phrase] - 1, polygon(one.mask())) for one in image.instances]
        lines = [f"{number} {_shares(points, image.size_hw)}\n" for number, points in rows if len(points)]
        files.append(out / "labels" / "train" / f"{image.name}.txt")
        _write_text(files[-1], "".join(lines))
        if not image.image:
            lacking.append(f"that of {files[-1].name}, whose file is not known")
            continue
        try:
            with open_regular(Path(image.image)) as source:
                files.append(out / "images" / "train" / f"{image.name}{Path(image.image).suffix}")
                write_atomically(files[-1], partial(shutil.copyfileobj, source))
        except OSError as error:
            lacking.append(first_line(error))
    if lacking:
        _log.warning("%d images are lacking beside their labels: %s", len(lacking), lacking[0])
    # A JSON text is YAML, however odd a label is; but YAML does not join the halves of an escaped character.
    names = "".join(f"  {number - 1}: {json.dumps(phrase, ensure_ascii=False)}\n" for phrase, number in ids.items())
    path = out / "data.yaml"
    place = json.dumps(str(out.absolute()), ensure_ascii=False)
    _write_text(path, f"path: {place}\ntrain: images/train\nval: images/train\nnames:\n{names or '  {}'}\n")
    return [path, *files]


def polygon(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A mask as one closed line: exactly its pixels have their centres within.

    Parts and holes are joined by lines that go there and back between the pixels, as one polygon is all that a line of
    a file has. By the even-odd rule such lines enclose nothing.

    Args:
        mask: (H, W) bool.

    Returns:
        (P, 2) x and y in pixels, 0 at the left and upper edge of the image; P is 0 for an empty mask.
    """
    from contourpy import contour_generator

    padded = np.pad(mask, 1).astype(np.float64)
    # Halfway between the centres of a pixel within and one without; 0 is the centre of the padding, half a pixel out.
    rings = [_corners_of(np.asarray(ring) - 0.5) for ring in contour_generator(z=padded).lines(0.5)]
    if not rings:
        return np.zeros((0, 2))
    line = [rings[0]]
    for ring in rings[1:]:
        bridge = _between_pixels(rings[0][0], ring[0])
        line += [bridge, ring, bridge[::-1], rings[0][:1]]
    return np.concatenate(line)


def _corners_of(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """A closed line without the points at which it goes straight on."""
    steps = np.diff(ring, axis=0)
    turns = (steps[1:] != steps[:-1]).any(axis=1)
    return np.concatenate([ring[:1], ring[1:-1][turns], ring[-1:]])


def _between_pixels(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corners on a way along the edges of pixels, where it meets the centre of none."""
    # A point of an outline is in the middle of a pixel's edge; the edge begins at the whole numbers below.
    (x0, y0), (x1, y1) = np.floor(start), np.floor(end)
    return np.array([(x0, y0), (x0, y1), (x1, y1)])


def _shares(points: NDArray[np.float64], size_hw: tuple[int, int]) -> str:
    height, width = size_hw
    return " ".join(f"{value:.8g}" for value in (points / (width, height)).clip(0, 1).ravel())


def _write_text(path: Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode("utf-8", "backslashreplace")))
