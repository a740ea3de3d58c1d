"""COCO instances: one JSON file, whose masks are run lengths, never polygons, and so exact.

Source: https://cocodataset.org/#format-data and the code of pycocotools. FiftyOne reads the same file with its COCO
importer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from zsavs.errors import MissingExtra
from zsavs.formats.items import ImageItem, Instance, Item, category_ids, file_names, images_of, items_of
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
    images, annotations, rest = _sections(items, compressed, categories)
    return {"info": rest["info"], "images": [*images], "categories": rest["categories"], "annotations": [*annotations]}


def _sections(
    items: Sequence[Item], compressed: bool, categories: Sequence[str] | None
) -> tuple[Iterator[dict[str, Any]], Iterator[dict[str, Any]], dict[str, Any]]:
    """The images and the annotations of a file, one at a time, and all else that is in it."""
    ids = category_ids(items, categories)
    images = list(images_of(items))
    names, root = file_names(images)
    rest = {
        "info": {"description": "masks by zsavs", "image_folder": root},
        "categories": [{"id": number, "name": phrase} for phrase, number in ids.items()],
    }
    return _images(images, names), _annotations(images, ids, compressed), rest


def _images(images: Sequence[ImageItem], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    for number, (image, name) in enumerate(zip(images, names, strict=True), start=1):
        row = {"id": number, "file_name": name, "height": image.size_hw[0], "width": image.size_hw[1]}
        told = {"audio": image.audio or None, "time_s": image.time_s}
        yield row | {key: value for key, value in told.items() if value is not None}


def _annotations(images: Sequence[ImageItem], ids: Mapping[str, int], compressed: bool) -> Iterator[dict[str, Any]]:
    found = ((number, one) for number, image in enumerate(images, start=1) for one in image.instances)
    for own, (number, one) in enumerate(found, start=1):
        yield {
            "id": own,
            "image_id": number,
            "category_id": ids[one.phrase],
            "bbox": one.box_xywh,
            "area": one.area,
            "segmentation": segmentation(one, compressed),
            "score": one.score,
            "iscrowd": 0,
            **({} if one.track is None else {"track_id": one.track}),
        }


def segmentation(instance: Instance, compressed: bool) -> dict[str, Any]:
    """The mask as COCO's run lengths, in a list or a string.

    Raises:
        MissingExtra: pycocotools, which compresses, is not installed.
    """
    runs = {"size": list(instance.runs["size"]), "counts": instance.runs["counts"].tolist()}
    if not compressed:
        return runs
    try:
        from pycocotools import mask
    except ImportError as error:
        raise MissingExtra('masks are compressed by pycocotools; run: pip install "zsavs[coco]"') from error
    packed = mask.frPyObjects(runs, *runs["size"])
    return {"size": runs["size"], "counts": packed["counts"].decode("ascii")}


def write(
    items: Sequence[Item], out: Path, *, compressed: bool = False, categories: Sequence[str] | None = None
) -> list[Path]:
    """Write ``annotations.json``, an image and an annotation at a time.

    Raises:
        InputError, MissingExtra: as :func:`to_coco`.
        OutputError: it cannot be written.
    """
    images, annotations, rest = _sections(items, compressed, categories)

    def put(file: BinaryIO) -> None:
        for name, rows in (("images", images), ("annotations", annotations)):
            file.write(f'{"{" if name == "images" else ", "}"{name}": ['.encode())
            for place, row in enumerate(rows):
                file.write((b", " if place else b"") + _json(row))
            file.write(b"]")
        file.write(b", " + _json(rest)[1:])

    write_atomically(path := out / "annotations.json", put)
    return [path]


def write_json(path: Path, value: Mapping[str, Any] | Sequence[Any]) -> Path:
    """Write a JSON file, there complete or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomically(path, lambda file: file.write(_json(value)))
    return path


def _json(value: Any) -> bytes:
    # A file name that is no UTF-8 reaches us with lone surrogates, which stand as \\udcXX then.
    return json.dumps(value, ensure_ascii=True).encode()
