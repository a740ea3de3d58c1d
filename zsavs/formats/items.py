"""What all formats write: images and videos with their instances, without models, score maps or settings.

It knows results by what they have, so that results can offer formats of themselves (``result.to_coco()``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.storage import rle

if TYPE_CHECKING:
    from zsavs.result import AVSResult
    from zsavs.temporal.video_result import VideoResult

    Results: TypeAlias = AVSResult | VideoResult | Iterable[AVSResult | VideoResult]

__all__ = [
    "ImageItem",
    "Instance",
    "Item",
    "TrackItem",
    "VideoItem",
    "category_ids",
    "file_names",
    "images_of",
    "items_of",
    "unique_names",
]


@dataclass(frozen=True, eq=False)
class Instance:
    """One object in one image.

    Args:
        phrase: its label.
        score: in [0, 1].
        box_xyxy: its tight box in pixels, x1 and y1 exclusive.
        runs: its mask as run lengths (:mod:`zsavs.storage.rle`), "size" and "counts", which become an int32 array.
        track: its number in the video; None in an image.
    """

    phrase: str
    score: float
    box_xyxy: tuple[float, float, float, float]
    runs: Mapping[str, Any]
    track: int | None = None

    def __post_init__(self) -> None:
        # A data set holds millions of them, and a list of numbers takes nine times as much.
        held = {"size": tuple(self.runs["size"]), "counts": np.asarray(self.runs["counts"], np.int32)}
        object.__setattr__(self, "runs", held)

    @property
    def area(self) -> int:
        """The number of its pixels."""
        return int(self.runs["counts"][1::2].sum())

    @property
    def box_xywh(self) -> list[float]:
        """Left, top, width and height in pixels, as COCO has it."""
        x0, y0, x1, y1 = self.box_xyxy
        return [x0, y0, x1 - x0, y1 - y0]

    def mask(self) -> NDArray[np.bool_]:
        """(H, W) bool."""
        return rle.decode(dict(self.runs))


@dataclass(frozen=True, eq=False)
class ImageItem:
    """An image, or a frame of a video, and what sounds in it.

    Args:
        name: what files about it are called; folders in it are parted by "/".
        size_hw: height and width in pixels.
        instances: surest first.
        image: the image file; "" where it is not known.
        audio: the audio file; "" where it is not known.
        time_s: of a frame, when it is shown.
    """

    name: str
    size_hw: tuple[int, int]
    instances: tuple[Instance, ...]
    image: str = ""
    audio: str = ""
    time_s: float | None = None


@dataclass(frozen=True, eq=False)
class TrackItem:
    """An object of a video.

    Args:
        id: its number in the video.
        phrase: its label.
        times: when it sounds, on and off in seconds.
        places: its instance in each frame where its mask is known, by the frame's number.
    """

    id: int
    phrase: str
    times: tuple[tuple[float, float], ...]
    places: Mapping[int, Instance]

    def at(self, number: int, time_s: float) -> Instance | None:
        """Its instance in a frame; None where it does not sound then, or its mask is not known."""
        return self.places.get(number) if any(on <= time_s < off for on, off in self.times) else None


@dataclass(frozen=True, eq=False)
class VideoItem:
    """A video and what sounds in it.

    Args:
        name: as of :class:`ImageItem`.
        size_hw: height and width in pixels.
        frames_s: when each frame that was looked at is shown, in seconds.
        tracks: its objects.
        source: the video file; "" where it is not known.
    """

    name: str
    size_hw: tuple[int, int]
    frames_s: tuple[float, ...]
    tracks: tuple[TrackItem, ...]
    source: str = ""

    def images(self) -> Iterator[ImageItem]:
        """Each frame with what sounds then, called ``NAME/00000`` and so on."""
        for number, time_s in enumerate(self.frames_s):
            found = [one for track in self.tracks if (one := track.at(number, time_s)) is not None]
            found.sort(key=lambda one: -one.score)
            yield ImageItem(f"{self.name}/{number:05d}", self.size_hw, tuple(found), time_s=time_s)


Item: TypeAlias = ImageItem | VideoItem


def items_of(results: Results) -> list[Item]:
    """Results as items, called after their images; where two are called the same, later ones get a number.

    Args:
        results: one result, or several, of images or videos.

    Raises:
        InputError: something in it is no result.
    """
    single = hasattr(results, "score_map") or hasattr(results, "tracks")
    try:
        rows: list[Any] = [results] if single else list(results)  # type: ignore[arg-type]
    except TypeError as error:
        raise InputError(f"expected results to export, got {type(results).__name__}.") from error
    for row in rows:
        if not (hasattr(row, "score_map") or hasattr(row, "tracks")):
            raise InputError(
                f"expected results of images or videos, found {type(row).__name__}; of zsavs.compare give the list "
                "of one strategy."
            )
    names = unique_names([PurePath(_image_of(row)).stem or f"{at:06d}" for at, row in enumerate(rows)])
    pairs = zip(rows, names, strict=True)
    return [_video(row, name) if hasattr(row, "tracks") else _image(row, name) for row, name in pairs]


def _image_of(result: Any) -> str:
    """The file, or the sample's name, that a result is to; "" where it names none."""
    told = getattr(result, "source", "") or result.meta.get("image") or result.meta.get("sample")
    return told if isinstance(told, str) else ""


def _image(result: AVSResult, name: str) -> ImageItem:
    tracks = result.meta.get("tracks") or [None] * len(result)
    rows = zip(result.phrases, result.scores, result.boxes_xyxy, result.masks, tracks, strict=True)
    instances = [
        Instance(phrase, float(score), tuple(map(float, box)), rle.encode(mask), track)  # type: ignore[arg-type]
        for phrase, score, box, mask, track in rows
    ]
    audio = result.meta.get("audio")
    height, width = result.score_map.shape
    return ImageItem(
        name, (height, width), tuple(instances), _image_of(result), audio if isinstance(audio, str) else ""
    )


def _video(result: VideoResult, name: str) -> VideoItem:
    tracks = []
    for track in result.tracks:
        rows = zip(track.frames.tolist(), track.scores, track.boxes_xyxy, track.runs, strict=True)
        places = {
            frame: Instance(track.phrase, float(score), tuple(map(float, box)), runs, track.id)  # type: ignore[arg-type]
            for frame, score, box, runs in rows
        }
        tracks.append(TrackItem(track.id, track.phrase, track.times, places))
    return VideoItem(name, result.size_hw, tuple(result.frames.tolist()), tuple(tracks), result.source)


def unique_names(names: Iterable[str]) -> list[str]:
    """Names for files, none like another whatever its case.

    What some file system does not take is replaced, and a number put behind a name that is taken.
    """
    taken: set[str] = set()
    given = []
    for name in names:
        clean = re.sub(r'[\x00-\x1f/\\:*?"<>|\ud800-\udfff]', "_", name).lstrip(".")[:150] or "_"
        free, number = clean, 1
        while free.casefold() in taken:
            number += 1
            free = f"{clean}-{number}"
        taken.add(free.casefold())
        given.append(free)
    return given


def images_of(items: Iterable[Item]) -> Iterator[ImageItem]:
    """The images, and the frames of the videos."""
    for item in items:
        if isinstance(item, VideoItem):
            yield from item.images()
        else:
            yield item


def file_names(images: Sequence[ImageItem]) -> tuple[list[str], str]:
    """How a data set calls its images: by their paths from the folder that holds them all.

    A frame of a video is ``NAME/00000.jpg``, as there is no file of it, and so is an image of no known file.

    Returns:
        The names, and that folder; "" where files were given by relative paths, which stay as they are.
    """
    known = [image.image for image in images if image.image]
    root = ""
    if known and all(map(os.path.isabs, known)):
        root = os.path.commonpath([Path(path).parent for path in known])
    names = [
        Path(os.path.relpath(image.image, root) if root else image.image).as_posix()
        if image.image
        else f"{image.name}.jpg"
        for image in images
    ]
    return names, root


def category_ids(items: Iterable[Item], categories: Sequence[str] | None) -> dict[str, int]:
    """The number of each label, from 1: in the order given, or the alphabet's.

    Args:
        items: what is exported.
        categories: all labels in the order of their numbers, so that several exports number alike; None for those
            that occur.

    Raises:
        InputError: one is given twice, or a label that occurs is not given.
    """
    found = {one.phrase for item in items for one in (item.tracks if isinstance(item, VideoItem) else item.instances)}
    if categories is None:
        return {phrase: number for number, phrase in enumerate(sorted(found), start=1)}
    if isinstance(categories, str) or len(set(categories)) != len(categories):
        raise InputError(f"categories: expected a list of labels, each once, got {categories!r:.80}.")
    if lacking := sorted(found - set(categories)):
        raise InputError(f"categories: {lacking[0]!r} occurs in a result and is not among those given; add it.")
    return {phrase: number for number, phrase in enumerate(categories, start=1)}
