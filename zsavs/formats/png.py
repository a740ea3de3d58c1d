"""PNG files: one for each object, exact even where objects overlap, or one for each image, as DAVIS has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zsavs.errors import OutputError
from zsavs.formats.coco import write_json
from zsavs.formats.items import ImageItem, Item, file_names, images_of
from zsavs.storage.files import write_png

__all__ = ["write_davis", "write_objects"]

#: What an 8-bit image has beside the background.
_MOST = 255


def write_objects(items: Sequence[Item], out: Path) -> list[Path]:
    """Write ``NAME/000.png`` and so on, 8-bit, 0 and 255, one for each object, and ``objects.json``.

    Returns:
        ``objects.json``, which says the image, label and score of each file, and the files.

    Raises:
        OutputError: one cannot be written.
    """
    from PIL import Image

    files: list[Path] = []
    rows: list[dict[str, Any]] = []
    for image, row in _described(items):
        for number, (one, told) in enumerate(zip(image.instances, row["objects"], strict=True)):
            files.append(out / image.name / f"{number:03d}.png")
            write_png(files[-1], Image.fromarray(one.mask().astype(np.uint8) * np.uint8(255)))
            told["file"] = files[-1].relative_to(out).as_posix()
        rows.append(row)
    return [write_json(out / "objects.json", rows), *files]


def write_davis(items: Sequence[Item], out: Path) -> list[Path]:
    """Write ``Annotations/NAME.png``, 8-bit with a palette: 0 is the background, the n-th object n; and objects.json.

    In a video an object has the number of its track in every frame, and files are ``Annotations/NAME/00000.png``, as
    in DAVIS (https://davischallenge.org). Where objects overlap, the surest one is seen.

    Returns:
        ``objects.json``, which says the label and score of each number, and the files.

    Raises:
        OutputError: one cannot be written, or an image has more than 255 objects.
    """
    from zsavs.draw import label_image

    files: list[Path] = []
    rows: list[dict[str, Any]] = []
    for image, row in _described(items):
        numbers = [at if one.track is None else one.track for at, one in enumerate(image.instances, start=1)]
        if max(numbers, default=0) > _MOST or min(numbers, default=1) < 1:
            raise OutputError(
                f"{image.name}: objects are numbered up to {max(numbers)}, an indexed PNG has 255; use png."
            )
        index = np.zeros(image.size_hw, np.uint8)
        for number, one in reversed(list(zip(numbers, image.instances, strict=True))):
            index[one.mask()] = number  # the surest last, over the others
        files.append(out / "Annotations" / f"{image.name}.png")
        write_png(files[-1], label_image(index))
        for number, told in zip(numbers, row["objects"], strict=True):
            told["number"] = number
        rows.append({**row, "file": files[-1].relative_to(out).as_posix()})
    return [write_json(out / "objects.json", rows), *files]


def _described(items: Sequence[Item]) -> list[tuple[ImageItem, dict[str, Any]]]:
    """Each image, and what ``objects.json`` says of it."""
    images = list(images_of(items))
    names, _ = file_names(images)
    return [
        (image, {"image": name, "objects": [{"label": one.phrase, "score": one.score} for one in image.instances]})
        for image, name in zip(images, names, strict=True)
    ]
