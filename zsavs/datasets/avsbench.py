"""AVSBench-object: S4 (one source, one kind of sound) and MS3 (several sources), with binary masks.

Layout and lists: avs_scripts/avs_s4 and avs_scripts/avs_ms3, dataloader.py, in OpenNLPLab/AVSBench at f7414af. Frame k
(from 1) was taken at the end of second k, and comes with the sound of [k - 1, k).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any, ClassVar

from zsavs.datasets.base import Counts, Target
from zsavs.datasets.frames import FrameFiles, FrameReader, Video
from zsavs.datasets.masks import read_image, read_mask
from zsavs.datasets.trees import find_folder, read_table, within
from zsavs.errors import InputError
from zsavs.language.label_sets import s4_sources

__all__ = ["MS3", "S4"]

log = logging.getLogger(__name__)


class _Object(FrameReader):
    """What S4 and MS3 share: images and masks of one size, numbered from 1, nothing resized."""

    suite = "avsbench"
    splits = ("train", "val", "test")
    first_frame = 1

    def _look(self, files: FrameFiles, video: Video, **facts: Any) -> tuple[Any, Target]:
        image = read_image(files.image)
        mask = read_mask(files.truth, any_value=True)
        if mask.shape != image.shape[:2]:
            raise InputError(
                f"{files.truth}: the mask is {mask.shape[1]}x{mask.shape[0]} and its frame "
                f"{image.shape[1]}x{image.shape[0]} pixels; extract both again."
            )
        return image, Target(mask, **facts)

    def _add(self, key: str, video: Video) -> None:
        within(key, self.root)
        if key in self._videos:
            log.warning("%s: %s is listed twice; using it once.", self.name, key)
        self._videos[key] = video


class S4(_Object):
    """AVSBench-S4: five-second videos of one of 23 categories; in "train" only the first frame has a mask.

    Args:
        root: the folder with ``s4_meta_data.csv`` and ``s4_data/``, or one with ``Single-source/`` or
            ``avsbench_data/Single-source/`` in it.
        split: "train", "val" or "test".
        context_s: seconds of sound that a frame comes with: 1 is exactly its own second, ``math.inf`` the whole clip.

    Target: mask of the frame's size (224 x 224); category; sources, the one class of AVSBench-semantic that the
    category stands for. An id is ``category/name/k``, k from 1.

    Raises:
        UnknownName: no such split.
        InputError: the list is not there, or has no video of this split.
    """

    name = "s4"
    published: ClassVar[Mapping[str, Counts]] = {
        "train": Counts(3452, 3452),
        "val": Counts(3700, 740),
        "test": Counts(3700, 740, 6),
    }

    def __init__(self, root: str | os.PathLike[str], *, split: str = "test", context_s: float = 1.0) -> None:
        super().__init__(root, split, context_s)
        places = ("", "Single-source", "avsbench_data/Single-source")
        base = find_folder(self.root, places, "s4_meta_data.csv")
        self._data = base / "s4_data"
        frames, classes = range(1, 2) if split == "train" else range(1, 6), s4_sources()
        # What the header calls the first three columns is documented nowhere: they are read by position.
        for name, category, where in read_table(base / "s4_meta_data.csv", (0, 2, "split")):
            if where == split:
                sources = (classes[category],) if category in classes else ()
                self._add(f"{category}/{name}", Video(name, category, category, sources, frames))
        if not self._videos:
            raise InputError(f"{base / 's4_meta_data.csv'}: no video of the split {split!r} is listed.")

    def _files(self, video: Video, number: int) -> FrameFiles:
        within = f"{self.split}/{video.part}/{video.name}"
        return FrameFiles(
            self._data / "visual_frames" / within / f"{video.name}_{number}.png",
            self._data / "audio_wav" / f"{within}.wav",
            self._data / "gt_masks" / within / f"{video.name}_{number}.png",
        )


class MS3(_Object):
    """AVSBench-MS3: five-second videos of several sources, all five frames with a mask, some of them empty.

    Args:
        root: the folder with ``ms3_meta_data.csv`` and ``ms3_data/``, or one with ``Multi-sources/`` or
            ``avsbench_data/Multi-sources/`` in it.
        split: "train", "val" or "test".
        context_s: as for :class:`S4`.

    Target: mask of the frame's size (224 x 224), any value but 0 (any palette index but 0) being foreground; the
    published list names no classes. An id is ``video/k``, k from 1.

    Raises:
        UnknownName: no such split.
        InputError: the list is not there, or has no video of this split.
    """

    name = "ms3"
    published: ClassVar[Mapping[str, Counts]] = {
        "train": Counts(1480, 296),
        "val": Counts(320, 64),
        "test": Counts(320, 64, 29),
    }

    def __init__(self, root: str | os.PathLike[str], *, split: str = "test", context_s: float = 1.0) -> None:
        super().__init__(root, split, context_s)
        places = ("", "Multi-sources", "avsbench_data/Multi-sources")
        base = find_folder(self.root, places, "ms3_meta_data.csv")
        self._data = base / "ms3_data"
        for name, where in read_table(base / "ms3_meta_data.csv", (0, "split")):
            if where == split:
                self._add(name, Video(name, "", "", (), range(1, 6)))
        if not self._videos:
            raise InputError(f"{base / 'ms3_meta_data.csv'}: no video of the split {split!r} is listed.")

    def _files(self, video: Video, number: int) -> FrameFiles:
        return FrameFiles(
            # The frames have no folder for the split, and the video's extension in their names.
            self._data / "visual_frames" / video.name / f"{video.name}.mp4_{number}.png",
            self._data / "audio_wav" / self.split / f"{video.name}.wav",
            self._data / "gt_masks" / self.split / video.name / f"{video.name}_{number}.png",
        )
