"""Label Studio: tasks with predictions as brush masks, to be imported, and the labelling configuration they need.

Source: https://labelstud.io/guide/predictions, "Import brush segmentation pre-annotations in RLE format". Its run
lengths are those of rle-pack (https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack): the bits of an image
with four channels, each of which is 255 within the mask.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from zsavs.formats.coco import write_json
from zsavs.formats.cvat import xml_text
from zsavs.formats.items import ImageItem, Instance, Item, category_ids, file_names, images_of
from zsavs.storage import rle
from zsavs.storage.files import write_atomically

__all__ = ["packed", "write"]

#: How many bits say how long a run is; the shortest that will do is taken.
_SIZES = (3, 4, 8, 16)
_CHANNELS = 4


def write(items: Sequence[Item], out: Path, *, categories: Sequence[str] | None = None) -> list[Path]:
    """Write ``tasks.json``, and ``labels.xml``, the labelling configuration.

    Images are named as Label Studio's local storage has them, from its LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT, which
    has to be the folder that holds them all.

    Raises:
        InputError: a label is not in ``categories``.
        OutputError: one cannot be written.
    """
    ids = category_ids(items, categories)
    images = list(images_of(items))
    names, _ = file_names(images)
    tasks = [_task(image, name) for image, name in zip(images, names, strict=True)]
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", {"name": "image", "value": "$image"})
    labels = ElementTree.SubElement(view, "BrushLabels", {"name": "label", "toName": "image"})
    for phrase in ids:
        ElementTree.SubElement(labels, "Label", {"value": xml_text(phrase)})
    text: bytes = ElementTree.tostring(view, encoding="utf-8")
    write_atomically(out / "labels.xml", lambda file: file.write(text))
    return [write_json(out / "tasks.json", tasks), out / "labels.xml"]


def _task(image: ImageItem, name: str) -> dict[str, Any]:
    score = max((one.score for one in image.instances), default=0.0)
    regions = [_region(number, one) for number, one in enumerate(image.instances)]
    return {
        "data": {"image": f"/data/local-files/?d={quote(os.fsencode(name))}"},
        "predictions": [{"model_version": "zsavs", "score": score, "result": regions}],
    }


def _region(number: int, one: Instance) -> dict[str, Any]:
    height, width = one.runs["size"]
    return {
        "id": f"object-{number}",
        "type": "brushlabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "score": one.score,
        "value": {"format": "rle", "rle": packed(one), "brushlabels": [xml_text(one.phrase)]},
    }


def packed(instance: Instance) -> list[int]:
    """The mask as Label Studio's run lengths: bytes, as numbers.

    The bits are: 32 for the number of values, 5 for the bits of a value less one, 4 for each of four sizes less one;
    then for each run a 1, 2 for which size its length has, the length less one, and 8 for the value.
    """
    height, width = instance.runs["size"]
    bits = [f"{height * width * _CHANNELS:032b}", f"{8 - 1:05b}", *(f"{size - 1:04b}" for size in _SIZES)]
    for number, count in enumerate(rle.encode(instance.mask().T)["counts"]):  # row by row
        value, left = f"{255 * (number % 2):08b}", count * _CHANNELS
        while left:
            length = min(left, 1 << _SIZES[-1])
            place = next(place for place, size in enumerate(_SIZES) if length <= 1 << size)
            bits.append(f"1{place:02b}{length - 1:0{_SIZES[place]}b}{value}")
            left -= length
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))
