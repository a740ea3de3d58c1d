"""AVISeg: videos of about a minute with every sounding instance outlined once a second, in 26 classes.

The benchmark of audio-visual instance segmentation (ruohaoguo/avis). Layout and annotation: README.md,
tools/preprocess/common.py, h2s/data/datasets/avis.py and h2s/data/aviseval/datasets/avis.py in leiyeliu/H2S at 4ad2368,
and models/data/datasets/avis.py in jinbae-s/ACVIS at 676303a, which both read the official download. The k-th frame
that the list names, from 0, comes with the audio of [k, k + 1).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.datasets.base import Target
from zsavs.datasets.layout import find_folder
from zsavs.datasets.masks import read_image
from zsavs.datasets.metadata import load_json, relative_path
from zsavs.datasets.video_frames import FrameFiles, FrameReader, Video
from zsavs.errors import InputError, MissingExtra
from zsavs.media.image_file import MAX_PIXELS
from zsavs.storage import rle

__all__ = ["AVISeg", "Instance"]

log = logging.getLogger(__name__)

#: The longest outline that is drawn, and the farthest that a point of it may lie, in pixels: more than any image has.
_MAX_OUTLINE, _MAX_COORDINATE = 10_000_000, 100_000

#: A mask as the list has it: polygons of x0, y0, x1, y1, ..., or run lengths; None where the instance does not sound.
_Outline = list[NDArray[np.float64]] | dict[str, Any] | None


class Instance(NamedTuple):
    """An instance that sounds in a frame.

    Args:
        track: its number, the same in every frame of the video.
        label: its class.
        mask: (H, W) bool, its pixels; instances may overlap.
    """

    track: int
    label: str
    mask: NDArray[np.bool_]


class _Track(NamedTuple):
    """An instance in all frames of its video."""

    track: int
    label: str
    outlines: tuple[_Outline, ...]


class _Clip(NamedTuple):
    """What the list says of a video: its frames below JPEGImages/, their size, and its instances."""

    frames: tuple[str, ...]
    size_hw: tuple[int, int]
    tracks: list[_Track]


class AVISeg(FrameReader):
    """AVISeg, one frame a second, with a class for every pixel of what sounds.

    Args:
        root: the folder with ``train.json``, ``val.json``, ``test.json`` and for each of them a folder with
            ``JPEGImages/VIDEO/*.jpg`` and ``WAVAudios/VIDEO.wav``, or the folder above it, if it is called "datasets".
        split: "train", "val" or "test".
        context_s: seconds of audio that a frame comes with: 1 is exactly its own second, ``math.inf`` the whole clip.

    Target: native size; mask, all instances that sound together; labels over the classes of the list, a smaller
    instance on top of a larger one; sources, one class for each instance, so a class may occur twice; category, the
    classes of the whole video. :meth:`instances` tells them apart. Frames in which nothing sounds are items like the
    others. An id is ``video/k``, k from 0 in the order of the list.

    Masks are polygons, which pycocotools fills as in the published evaluation (extra ``zsavs[coco]``), or run lengths
    that are not compressed, which need no extra.

    Raises:
        UnknownName: no such split.
        InputError: the list is missing, or something in it cannot be.
        MissingExtra: there are polygons, and pycocotools is not installed.
    """

    name = "aviseg"
    suite = "avsbench"
    splits = ("train", "val", "test")

    def __init__(self, root: str | os.PathLike[str], *, split: str = "test", context_s: float = 1.0) -> None:
        super().__init__(root, split, context_s)
        base = find_folder(self.root, ("", "datasets"), f"{split}.json")
        self._list, self._data = base / f"{split}.json", base / split
        self.annotations = (self._list,)
        content = load_json(self._list)
        for key in ("videos", "categories", "annotations"):
            if not isinstance(content, dict) or not isinstance(content.get(key), list):
                raise InputError(f"{self._list}: expected a list of {key!r} in it; download it again.")
        names = self._read_categories(content["categories"])
        self.classes = ("background", *names.values())
        self._clips: dict[str, _Clip] = {}
        videos = self._read_videos(content["videos"])
        self._read_annotations(content["annotations"], videos, names)
        if any(isinstance(shape, list) for clip in self._clips.values() for t in clip.tracks for shape in t.outlines):
            _polygon_api(self._list)
        for key, clip in self._clips.items():
            heard = {track.label for track in clip.tracks}
            sources = tuple(name for name in self.classes if name in heard)
            self._add(key, Video(key, "", ", ".join(sources), sources, range(len(clip.frames))), self._list)

    def instances(self, item: str) -> tuple[Instance, ...]:
        """The instances that sound in a frame, in the order of the list; those without a pixel are left out.

        Raises:
            InputError: there is no such item.
        """
        video, number = self.find(item)
        clip, found = self._clips[video.name], []
        for track, label, outlines in clip.tracks:
            outline = outlines[number]
            if outline is not None and (mask := _filled(outline, clip.size_hw, self._list)).any():
                found.append(Instance(track, label, mask))
        return tuple(found)

    def _files(self, video: Video, number: int) -> FrameFiles:
        image = self._data / "JPEGImages" / self._clips[video.name].frames[number]
        return FrameFiles(image, self._data / "WAVAudios" / f"{video.name}.wav", self._list)

    def _read(self, files: FrameFiles, video: Video, **facts: Any) -> tuple[Any, Target]:
        image = read_image(files.image)
        height, width = self._clips[video.name].size_hw
        if image.shape[:2] != (height, width):
            raise InputError(
                f"{files.image}: {image.shape[1]}x{image.shape[0]} pixels, while {self._list} has {width}x{height} for "
                f"this video; extract both again."
            )
        found = self.instances(f"{video.name}/{facts['frame']}")
        labels = np.zeros((height, width), np.uint8)
        for instance in sorted(found, key=lambda instance: -int(instance.mask.sum())):
            labels[instance.mask] = self.classes.index(instance.label)
        facts["sources"] = tuple(instance.label for instance in found)
        return image, Target.from_labels(labels, self.classes, **facts)

    def _read_categories(self, rows: list[Any]) -> dict[int, str]:
        """The names of the classes by the number that the list gives them, in the order of the numbers."""
        try:
            named = {_whole(row["id"]): row["name"] for row in rows}
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{self._list}: expected categories with id and name, found {rows!r:.200}.") from error
        names = {number: named[number] for number in sorted(named)}
        if not all(isinstance(name, str) and name for name in names.values()):
            raise InputError(f"{self._list}: expected categories with names, found {rows!r:.200}.")
        if not 0 < len(names) < 255 or len({*names.values(), "background"}) != len(rows) + 1:
            raise InputError(f"{self._list}: expected 1 to 254 categories, each with its own id and name.")
        return names

    def _read_videos(self, rows: list[Any]) -> dict[int, _Clip]:
        """The videos by the number that the list gives them."""
        found: dict[int, _Clip] = {}
        for place, row in enumerate(rows):
            try:
                number, size = _whole(row["id"]), (_whole(row["height"]), _whole(row["width"]))
                frames = tuple(relative_path(name, self._list) for name in row["file_names"])
                folders = {name.partition("/")[0] for name in frames}
                if len(folders) != 1 or not all("/" in name for name in frames):
                    raise ValueError("its frames are not in one folder")
                if len(frames) != _whole(row["length"]):
                    raise ValueError(f"it has {len(frames)} frames, and a length of {row['length']}")
                if min(size) < 1 or size[0] * size[1] > MAX_PIXELS:
                    raise ValueError(f"its frames are {size[1]}x{size[0]} pixels")
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise InputError(
                    f"{self._list}, video {place}: expected id, length, height, width and file_names ({error}), found "
                    f"{row!r:.200}; download it again."
                ) from error
            (key,) = folders
            if key in self._clips or number in found:
                raise InputError(f"{self._list}, video {place}: {key!r}, or its id {number}, is listed twice.")
            found[number] = self._clips[key] = _Clip(frames, size, [])
        if not found:
            raise InputError(f"{self._list}: no videos are listed; download it again.")
        return found

    def _read_annotations(self, rows: list[Any], videos: Mapping[int, _Clip], names: Mapping[int, str]) -> None:
        """Add the instances to their videos; those of other videos are left out, as in the published loader."""
        stray = 0
        for place, row in enumerate(rows):
            try:
                clip, label = videos.get(_whole(row["video_id"])), names[_whole(row["category_id"])]
                if clip is None:
                    stray += 1
                    continue
                shapes = row["segmentations"]
                if not isinstance(shapes, list) or len(shapes) != len(clip.frames):
                    raise ValueError(f"not one segmentation for each of {len(clip.frames)} frames")
                outlines = tuple(_outline(shape, clip.size_hw) for shape in shapes)
                clip.tracks.append(_Track(_whole(row["id"]), label, outlines))
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise InputError(
                    f"{self._list}, annotation {place}: expected id, video_id, category_id of a category, and "
                    f"segmentations ({error}), found {row!r:.200}; download it again."
                ) from error
        if stray:
            log.warning("%s: %d annotations are of no video that is listed; left out.", self._list, stray)


def _whole(value: Any) -> int:
    """A whole number.

    Raises:
        ValueError: it is none.
    """
    if type(value) is not int:
        raise ValueError(f"{value!r:.50} is no whole number")
    return value


def _outline(shape: Any, size_hw: tuple[int, int]) -> _Outline:
    """A segmentation, checked; polygons of fewer than three points are left out, as in the published loader.

    Raises:
        TypeError, ValueError, KeyError: it is none.
    """
    if not shape:
        return None
    if isinstance(shape, dict):
        if not isinstance(shape["counts"], list) or list(shape["size"]) != list(size_hw):
            raise ValueError(f"run lengths are numbers, for {size_hw[0]} rows of {size_hw[1]} pixels")
        return {"size": list(size_hw), "counts": rle.check(shape)}
    if not isinstance(shape, list):
        raise TypeError(f"{shape!r:.50} is no list of polygons")
    polygons = [np.asarray(polygon, np.float64) for polygon in shape]
    for polygon in polygons:
        if polygon.ndim != 1 or not (np.abs(polygon) <= _MAX_COORDINATE).all():
            raise ValueError(f"{shape!r:.50} is no list of polygons x0, y0, x1, y1, ... in pixels")
    polygons = [polygon for polygon in polygons if len(polygon) >= 6 and len(polygon) % 2 == 0]
    if sum(float(np.abs(p[2:] - p[:-2]).sum()) for p in polygons) > _MAX_OUTLINE:
        raise ValueError(f"an outline of more than {_MAX_OUTLINE} pixels")
    return polygons or None


def _filled(outline: list[NDArray[np.float64]] | dict[str, Any], size_hw: tuple[int, int], path: Path) -> Any:
    """The mask (H, W) bool inside an outline."""
    if isinstance(outline, dict):
        return rle.decode(outline)
    api = _polygon_api(path)
    return np.ascontiguousarray(api.decode(api.frPyObjects(outline, *size_hw)).any(axis=2))


def _polygon_api(path: Path) -> Any:
    """The functions of pycocotools for masks; ``path`` is the list that needs them.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        from pycocotools import mask
    except ImportError as error:
        raise MissingExtra(f'{path}: polygons are filled by pycocotools; run: pip install "zsavs[coco]"') from error
    return mask
