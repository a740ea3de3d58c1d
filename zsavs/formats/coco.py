"""COCO instances: one JSON file, whose masks are run lengths, never polygons, and so exact.

Source: https://cocodataset.org/#format-data and the code of pycocotools. FiftyOne reads the same file with its COCO
importer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsavs.errors import MissingExtra
from zsavs.formats.items import Instance, Item, category_ids, file_names, images_of, items_of
from zsavs.storage.files import write_atomically

if TYPE_CHECKING:
    from zsavs.formats.items import Results

__all__ = ["coco_of", "segmentation", "to_coco", "write", "write_json"]


def to_coco(results: Results, *, compressed: bool = False, categories: Sequence[str] | None = None) -> dict[str, Any]:
    """Results as a whole COCO file: ``pycocotools.coco.COCO`` loads it, and finds the same masks.

    Args:
        results: one result, or several; each frame of a video is an image, with what sounds then.
        compressed: the masks as COCO's compressed strings, a fraction of the size, in place of lists of run lengths.
        categories: all labels, in the order of their ``category_id`` from 1; the labels that occur, in the alphabet's,
            if left out.

    Returns:
        "info" (``image_folder``, which the file names go on from), "images", "categories" and "annotations", each with
        ids of its own from 1. Annotations have a ``score`` and, of a video's frame, a ``track_id``. An image says its
        audio file, and a frame its time, where that is known.

    Raises:
        InputError: something in it is no result, or a label is not in ``categories``.
        MissingExtra: pycocotools, which compresses, is not installed.
    """
    return coco_of(items_of(results), compressed=compressed, categories=categories)


def coco_of(
    items: Sequence[Item], *, compressed: bool = False, categories: Sequence[str] | None = None
) -> dict[str, Any]:
    """The items as a COCO file; see :func:`to_coco`."""
    ids = category_ids(items, categories)
    images = list(images_of(items))
    names, root = file_names(images)
    rows: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (image, name) in enumerate(zip(images, names, strict=True), start=1):
        row = {"id": number, "file_name": name, "height": image.size_hw[0], "width": image.size_hw[1]}
        told = {"audio": image.audio or None, "time_s": image.time_s}
        rows.append(row | {key: value for key, value in told.items() if value is not None})
        for one in image.instances:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": ids[one.phrase],
                    "bbox": one.box_xywh,
                    "area": one.area,
                    "segmentation": segmentation(one, compressed),
                    "score": one.score,
                    "iscrowd": 0,
                    **({} if one.track is None else {"track_id": one.track}),
                }
            )
    return {
        "info": {"description": "masks by zsavs", "image_folder": root},
        "images": rows,
        "categories": [{"id": number, "name": phrase} for phrase, number in ids.items()],
        "annotations": annotations,
    }


def segmentation(instance: Instance, compressed: bool) -> dict[str, Any]:
    """The mask as COCO's run lengths, in a list or a string.

    Raises:
        MissingExtra: pycocotools, which compresses, is not installed.
    """
    runs = dict(instance.runs)
    if not compressed:
        return runs
    try:
        from pycocotools import mask
    except ImportError as error:
        raise MissingExtra('masks are compressed by pycocotools; run: pip install "zsavs[coco]"') from error
    packed = mask.frPyObjects(runs, *runs["size"])
    return {"size": list(runs["size"]), "counts": packed["counts"].decode("ascii")}


def write(
    items: Sequence[Item], out: Path, *, compressed: bool = False, categories: Sequence[str] | None = None
) -> list[Path]:
    """Write ``annotations.json``.

    Raises:
        InputError, MissingExtra: as :func:`to_coco`.
        OutputError: it cannot be written.
    """
    return [write_json(out / "annotations.json", coco_of(items, compressed=compressed, categories=categories))]


def write_json(path: Path, value: Mapping[str, Any] | Sequence[Any]) -> Path:
    """Write a JSON file, there complete or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    # A file name that is no UTF-8 reaches us with lone surrogates, which stand as \\udcXX then.
    text = json.dumps(value, ensure_ascii=True)
    write_atomically(path, lambda file: file.write(text.encode()))
    return path
