"""The lists of SSLalignment: IS3, S4, MS3 and VPO for sound source localisation, with masks or boxes as targets.

Definition: metadata/, datasets.py and test.py in kaistmm/SSLalignment at e7ae3c5. Paths in the lists are absolute on
the authors' machine; only their last parts are used.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from zsavs.datasets.audio import AudioFiles
from zsavs.datasets.base import Counts, Item, Reader, Target
from zsavs.datasets.is3 import is3_folders
from zsavs.datasets.layout import find_folder, need_folder
from zsavs.datasets.masks import read_image, read_mask, square_hw
from zsavs.datasets.metadata import load_json, relative_path
from zsavs.errors import InputError, UnknownName
from zsavs.language.label_sets import s4_sources
from zsavs.types import AVSample

__all__ = [
    "Localisation",
    "LocalisationIS3",
    "LocalisationMS3",
    "LocalisationS4",
    "LocalisationVPOMS",
    "LocalisationVPOSS",
]

#: Side of the square that boxes are given on.
_BOX_SIDE = 224
Box = tuple[int, int, int, int]


class _Entry(NamedTuple):
    """A row of a list: the last parts of its paths; in place of the mask there may be a box."""

    image: str
    audio: str
    target: str | Box


class Localisation(Reader):
    """One list, each item an image with a whole audio clip; the classes below name one each.

    Args:
        root: the folder that holds ``metadata/`` and the data set's own folders.
        split: "test".
        truth: "mask" for the masks; "box" for boxes filled on 224 x 224 as the published tables have it, without
            their last row and column (which cuts S4 and MS3 short, whose boxes name the last pixel inside).
        target_size: side of the square that masks are resized to, 224 by the protocol; None for the image's size.

    Target: mask; group, for IIoU: the image (IS3, VPO) or the video (S4, MS3). An id is the last part of the
    image's path without the extension, as the published code has it.

    Raises:
        UnknownName: no such split or truth.
        InputError: a list or a folder is missing, or a list is not one.
    """

    suite = "ssl"
    #: The lists of masks and of boxes, below metadata/.
    lists: ClassVar[tuple[str, str]]
    #: How many last parts of a path are used: of images, of audio files, of masks.
    parts: ClassVar[tuple[int, int, int]] = (1, 1, 1)
    #: Whether a mask pixel of any value but 0 is foreground; else it takes 128, as masks are JPEG.
    any_value: ClassVar[bool] = False

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        split: str = "test",
        truth: Literal["mask", "box"] = "mask",
        target_size: int | None = _BOX_SIDE,
    ) -> None:
        super().__init__(root, split)
        if truth not in ("mask", "box"):
            raise UnknownName("truth", truth, ("mask", "box"))
        if truth == "box" and target_size != _BOX_SIDE:
            raise InputError(f"boxes are given on {_BOX_SIDE} x {_BOX_SIDE} pixels; leave target_size at {_BOX_SIDE}.")
        self._size = square_hw(target_size)
        name = self.lists[truth == "box"]
        self._list = find_folder(self.root, ("metadata", ""), name) / name
        self.annotations = (self._list,)
        self._folders = [need_folder(folder) for folder in self._find_folders()]
        self._entries = {self._id(entry): entry for entry in self._read()}
        self._audio_files = AudioFiles()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def group_count(self) -> int:
        """Number of images or videos."""
        return len({self._group(item) for item in self._entries})

    def files(self, item: str) -> tuple[Path, ...]:
        """Image, audio file and, unless boxes are asked for, mask of an item; see :meth:`Reader.files`."""
        entry = self._find(item)
        images, audio, masks = self._folders
        mask = (masks / entry.target,) if isinstance(entry.target, str) else ()
        return (images / entry.image, audio / entry.audio, *mask)

    def load(self, item: str) -> Item:
        """Read one image with its audio; see :meth:`Reader.load`."""
        target = self._find(item).target
        files = self.files(item)
        image = read_image(files[0])
        if isinstance(target, str):
            mask = read_mask(files[2], self._size or image.shape[:2], any_value=self.any_value)
        else:
            x0, y0, x1, y1 = target
            mask = np.zeros((_BOX_SIDE, _BOX_SIDE), np.bool_)
            mask[y0:y1, x0:x1] = True
        sample = AVSample(image, self._audio_files(files[1]), self.sample_name(item))
        group = self._group(item)
        return Item(sample, Target(mask, group=group, **self._facts(item, group.rpartition("/")[2])))

    @abstractmethod
    def _find_folders(self) -> list[Path]:
        """The folders of images, audio files and masks that the last parts of the paths continue."""

    def _facts(self, item: str, name: str) -> dict[str, Any]:
        """The fields of the target beside the mask."""
        return {"video_id": name}

    def _find(self, item: str) -> _Entry:
        if item not in self._entries:
            raise self.unknown(item)
        return self._entries[item]

    @staticmethod
    def _id(entry: _Entry) -> str:
        return str(PurePosixPath(entry.image).with_suffix(""))

    @staticmethod
    def _group(item: str) -> str:
        return item.rpartition("_")[0]

    def _read(self) -> Iterator[_Entry]:
        rows = load_json(self._list)
        if not isinstance(rows, list) or not rows:
            raise InputError(f"{self._list}: expected a list of entries; download it again.")
        for place, row in enumerate(rows):
            try:
                image, audio = (
                    relative_path(_tail(row[key], count), self._list)
                    for key, count in zip(("image", "audio"), self.parts, strict=False)
                )
                target = row["gt_box"]
                is_mask = isinstance(target, str)
                target = relative_path(_tail(target, self.parts[2]), self._list) if is_mask else _box(target)
                yield _Entry(image, audio, target)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise InputError(
                    f"{self._list}, entry {place}: expected image, audio and gt_box, found {row!r:.200}."
                ) from error


class LocalisationIS3(Localisation):
    """IS3 by SSLalignment's lists. See :class:`Localisation`; :class:`zsavs.datasets.is3.IS3` needs no list."""

    name = "ssl_is3"
    lists = ("synthetic3240_seg.json", "synthetic3240_bbox.json")
    published: ClassVar[Mapping[str, Counts]] = {"test": Counts(6480, 3240, 0)}

    def _find_folders(self) -> list[Path]:
        return is3_folders(self.root)

    def _facts(self, item: str, name: str) -> dict[str, Any]:
        category = item.rpartition("_")[2]
        return {"video_id": name, "category": category, "sources": (category,)}


class LocalisationS4(Localisation):
    """The test frames of AVSBench-S4 by SSLalignment's lists, each with the whole audio of its video.

    See :class:`Localisation`.
    """

    name = "ssl_s4"
    lists = ("s4_seg.json", "s4_box.json")
    parts = (3, 2, 3)
    any_value = True
    published: ClassVar[Mapping[str, Counts]] = {"test": Counts(3700, 740, 6)}

    def _find_folders(self) -> list[Path]:
        places = ("avsbench_data/Single-source", "Single-source", "")
        data = find_folder(self.root, places, "s4_data") / "s4_data"
        return [data / kind / "test" for kind in ("visual_frames", "audio_wav", "gt_masks")]

    def _facts(self, item: str, name: str) -> dict[str, Any]:
        category, classes = item.partition("/")[0], s4_sources()
        sources = (classes[category],) if category in classes else ()
        return {"video_id": name, "frame": _frame(item), "category": category, "sources": sources}


class LocalisationMS3(Localisation):
    """The test frames of AVSBench-MS3 by SSLalignment's lists, each with the whole audio of its video.

    See :class:`Localisation`.
    """

    name = "ssl_ms3"
    lists = ("ms3_seg.json", "ms3_box.json")
    parts = (2, 1, 2)
    any_value = True
    published: ClassVar[Mapping[str, Counts]] = {"test": Counts(320, 64, 29)}

    def _find_folders(self) -> list[Path]:
        places = ("avsbench_data/Multi-sources", "Multi-sources", "")
        data = find_folder(self.root, places, "ms3_data") / "ms3_data"
        return [data / "visual_frames", data / "audio_wav" / "test", data / "gt_masks" / "test"]

    def _facts(self, item: str, name: str) -> dict[str, Any]:
        return {"video_id": name.removesuffix(".mp4"), "frame": _frame(item)}


class _Flat(Localisation):
    """VPO as SSLalignment has flattened it: one item for each object and its clip."""

    tree: ClassVar[str]

    def _find_folders(self) -> list[Path]:
        data = find_folder(self.root, (self.tree, ""), "gray_masks")
        return [data / kind for kind in ("visual_frames", "audio_wav", "gray_masks")]


class LocalisationVPOSS(_Flat):
    """VPO-SS as SSLalignment has flattened it, in ``COCO_AV/``. See :class:`Localisation`."""

    name = "ssl_vpo_ss"
    lists = ("vpo_ss_seg.json", "vpo_ss_bbox.json")
    tree = "COCO_AV"
    published: ClassVar[Mapping[str, Counts]] = {"test": Counts(890)}


class LocalisationVPOMS(_Flat):
    """VPO-MS as SSLalignment has flattened it, in ``COCO_AV_MS/``, one item an object. See :class:`Localisation`."""

    name = "ssl_vpo_ms"
    lists = ("vpo_ms_seg.json", "vpo_ms_bbox.json")
    tree = "COCO_AV_MS"
    published: ClassVar[Mapping[str, Counts]] = {"test": Counts(2157, 1432, 2)}


def _tail(path: str, count: int) -> str:
    """The last parts of a path.

    Raises:
        ValueError: it has fewer.
    """
    parts = path.split("/")[-count:]
    if len(parts) < count or not all(parts):
        raise ValueError(path)
    return "/".join(parts)


def _box(values: Any) -> Box:
    """Corners, cut to whole pixels as the published code does."""
    x0, y0, x1, y1 = (int(value) for value in values)
    return x0, y0, x1, y1


def _frame(item: str) -> int:
    """The second that a frame belongs to, from 0; files count from 1."""
    return int(item.rpartition("_")[2]) - 1
