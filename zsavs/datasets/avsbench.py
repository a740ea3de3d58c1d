"""AVSBench-object: S4 (one source, one kind of sound) and MS3 (several sources), with binary masks.

Layout and lists: avs_scripts/avs_s4 and avs_scripts/avs_ms3, dataloader.py, in OpenNLPLab/AVSBench at f7414af. Frame k
(from 1) was taken at the end of second k, and comes with the audio of [k - 1, k).
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from zsavs.datasets.base import Counts, Target
from zsavs.datasets.layout import find_folder
from zsavs.datasets.masks import check_size, read_image, read_mask
from zsavs.datasets.metadata import read_table
from zsavs.datasets.video_frames import FrameFiles, FrameReader, Video
from zsavs.errors import InputError
from zsavs.language.label_sets import s4_sources

__all__ = ["MS3", "S4"]


class _AVSBenchObject(FrameReader):
    """What S4 and MS3 share: frames and masks of one size, numbered from 1, nothing resized."""

    suite = "avsbench"
    splits = ("train", "val", "test")
    first_frame = 1
    #: The part's folder in AVSBench-object, and in it the list of its videos and the folder of its files.
    part: ClassVar[str]
    table: ClassVar[str]
    data: ClassVar[str]

    def __init__(self, root: str | os.PathLike[str], *, split: str = "test", context_s: float = 1.0) -> None:
        super().__init__(root, split, context_s)
        base = find_folder(self.root, ("", self.part, f"avsbench_data/{self.part}"), self.table)
        self._data, table = base / self.data, base / self.table
        self.annotations = (table,)
        for key, video in self._listed(table):
            self._add(key, video, table)
        if not self._videos:
            raise InputError(f"{table}: no video of the split {split!r} is listed.")

    @abstractmethod
    def _listed(self, table: Path) -> Iterator[tuple[str, Video]]:
        """The videos of the split, each with the start of its frames' ids."""

    def _read(self, files: FrameFiles, video: Video, **facts: Any) -> tuple[Any, Target]:
        image = read_image(files.image)
        mask = read_mask(files.mask, any_value=True)
        check_size(mask, image, files.mask)
        return image, Target(mask, **facts)


class S4(_AVSBenchObject):
    """AVSBench-S4: five-second videos of one of 23 categories; in "train" only the first frame has a mask.

    Args:
        root: the folder with ``s4_meta_data.csv`` and ``s4_data/``, or one with ``Single-source/`` or
            ``avsbench_data/Single-source/`` in it.
        split: "train", "val" or "test".
        context_s: seconds of audio that a frame comes with: 1 is exactly its own second, ``math.inf`` the whole clip.

    Target: mask of the frame's size (224 x 224); category; sources, the one class of AVSBench-semantic that the
    category stands for. An id is ``category/name/k``, k from 1.

    Raises:
        UnknownName: no such split.
        InputError: the list is not there, or has no video of this split.
    """

    name = "s4"
    part, table, data = "Single-source", "s4_meta_data.csv", "s4_data"
    published: ClassVar[Mapping[str, Counts]] = {
        "train": Counts(3452, 3452),
        "val": Counts(3700, 740),
        "test": Counts(3700, 740, 6),
    }

    def _listed(self, table: Path) -> Iterator[tuple[str, Video]]:
        frames, classes = range(1, 2) if self.split == "train" else range(1, 6), s4_sources()
        # What the header calls the first three columns is documented nowhere: they are read by position.
        for name, category, split in read_table(table, (0, 2, "split")):
            if split == self.split:
                sources = (classes[category],) if category in classes else ()
                yield f"{category}/{name}", Video(name, category, category, sources, frames)

    def _files(self, video: Video, number: int) -> FrameFiles:
        folder = f"{self.split}/{video.part}/{video.name}"
        return FrameFiles(
            self._data / "visual_frames" / folder / f"{video.name}_{number}.png",
            self._data / "audio_wav" / f"{folder}.wav",
            self._data / "gt_masks" / folder / f"{video.name}_{number}.png",
        )


class MS3(_AVSBenchObject):
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
    part, table, data = "Multi-sources", "ms3_meta_data.csv", "ms3_data"
    published: ClassVar[Mapping[str, Counts]] = {
        "train": Counts(1480, 296),
        "val": Counts(320, 64),
        "test": Counts(320, 64, 29),
    }

    def _listed(self, table: Path) -> Iterator[tuple[str, Video]]:
        for name, split in read_table(table, (0, "split")):
            if split == self.split:
                yield name, Video(name, "", "", (), range(1, 6))

    def _files(self, video: Video, number: int) -> FrameFiles:
        return FrameFiles(
            # The frames have no folder for the split, and the video's extension in their names.
            self._data / "visual_frames" / video.name / f"{video.name}.mp4_{number}.png",
            self._data / "audio_wav" / self.split / f"{video.name}.wav",
            self._data / "gt_masks" / self.split / video.name / f"{video.name}_{number}.png",
        )
