"""YouTube-VIS: one JSON file, an annotation for each object of a video, with a mask or None for each frame.

Source: https://youtube-vos.org/dataset/vis/, "Annotation format". Masks are COCO's run lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zsavs.errors import InputError
from zsavs.formats.coco import segmentation, write_json
from zsavs.formats.items import Item, VideoItem, category_ids

__all__ = ["videos_of", "write"]


def videos_of(
    items: Sequence[Item], *, compressed: bool = False, categories: Sequence[str] | None = None
) -> dict[str, Any]:
    """Videos as a YouTube-VIS file; a frame in which an object does not sound has None for its mask.

    Args:
        items: the videos.
        compressed, categories: as of :func:`zsavs.formats.coco.to_coco`.

    Returns:
        "info", "videos" (with ``file_names`` ``NAME/00000.jpg`` and so on, and ``times_s``, when each is shown),
        "categories" and "annotations", of which each has its ``track_id``, and a ``score``, the highest of its frames.

    Raises:
        InputError: one is an image, or a label is not in ``categories``.
        MissingExtra: pycocotools, which compresses, is not installed.
    """
    ids = category_ids(items, categories)
    videos: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, item in enumerate(items, start=1):
        if not isinstance(item, VideoItem):
            raise InputError(f"{item.name}: this is the result of an image, and YouTube-VIS has videos; export coco.")
        height, width = item.size_hw
        size = {"height": height, "width": width, "length": len(item.frames_s)}
        names = [f"{image.name}.jpg" for image in item.images()]
        videos.append({"id": number, **size, "file_names": names, "times_s": list(item.frames_s)})
        if item.source:
            videos[-1]["source"] = item.source
        for track in item.tracks:
            places = [track.at(at, time_s) for at, time_s in enumerate(item.frames_s)]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "video_id": number,
                    "category_id": ids[track.phrase],
                    **size,
                    "segmentations": [one and segmentation(one, compressed) for one in places],
                    "bboxes": [one and one.box_xywh for one in places],
                    "areas": [one and one.area for one in places],
                    "score": max((one.score for one in places if one is not None), default=0.0),
                    "track_id": track.id,
                    "iscrowd": 0,
                }
            )
    return {
        "info": {"description": "masks by zsavs"},
        "videos": videos,
        "categories": [{"id": number, "name": phrase} for phrase, number in ids.items()],
        "annotations": annotations,
    }


def write(
    items: Sequence[Item], out: Path, *, compressed: bool = False, categories: Sequence[str] | None = None
) -> list[Path]:
    """Write ``instances.json``.

    Raises:
        InputError, MissingExtra: as :func:`videos_of`.
        OutputError: it cannot be written.
    """
    return [write_json(out / "instances.json", videos_of(items, compressed=compressed, categories=categories))]
