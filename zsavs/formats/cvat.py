"""CVAT for images 1.1: one XML file, whose masks are run lengths within their boxes, and so exact.

Source: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/ and the description of the XML there. Runs go
row by row through the box and begin with the background.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from zsavs.formats.items import Instance, Item, category_ids, file_names, images_of
from zsavs.storage import rle
from zsavs.storage.files import write_atomically

__all__ = ["write", "xml_text"]


def write(items: Sequence[Item], out: Path, *, categories: Sequence[str] | None = None) -> list[Path]:
    """Write ``annotations.xml``; frames of a video are images, as CVAT has no tracks of masks.

    An empty mask is left out, as it has no box.

    Raises:
        InputError: a label is not in ``categories``.
        OutputError: it cannot be written.
    """
    ids = category_ids(items, categories)
    images = list(images_of(items))
    names, _ = file_names(images)
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
    ElementTree.SubElement(task, "size").text = str(len(images))
    ElementTree.SubElement(task, "mode").text = "annotation"
    labels = ElementTree.SubElement(task, "labels")
    for phrase in ids:
        label = ElementTree.SubElement(labels, "label")
        ElementTree.SubElement(label, "name").text = xml_text(phrase)
        ElementTree.SubElement(label, "type").text = "mask"
    for number, (image, name) in enumerate(zip(images, names, strict=True)):
        height, width = image.size_hw
        about = {"id": str(number), "name": xml_text(name), "width": str(width), "height": str(height)}
        row = ElementTree.SubElement(root, "image", about)
        for order, one in enumerate(reversed(image.instances)):  # the surest in front
            if one.area:
                ElementTree.SubElement(row, "mask", _mask(one, order))
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    path = out / "annotations.xml"
    write_atomically(path, lambda file: file.write(text))
    return [path]


def _mask(one: Instance, order: int) -> dict[str, str]:
    mask = one.mask()
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    inside: NDArray[np.bool_] = mask[top : rows[-1] + 1, left : columns[-1] + 1]
    return {
        "label": xml_text(one.phrase),
        "source": "auto",
        "occluded": "0",
        "rle": ", ".join(map(str, rle.encode(inside.T)["counts"])),
        "left": str(left),
        "top": str(top),
        "width": str(inside.shape[1]),
        "height": str(inside.shape[0]),
        "z_order": str(order),
    }


def xml_text(text: str) -> str:
    """The text with _ for each character that XML has no way to write."""
    return re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "_", text)
