"""AVSBench-semantic: 70 classes and the background, the videos of S4 (v1s) and MS3 (v1m) and 10-second ones (v2).

Layout, palette and resizing: avs_scripts/avss/color_dataloader.py in OpenNLPLab/AVSBench at f7414af. Frame i (from 0)
comes with the audio of [i, i + 1).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from zsavs.datasets.base import Counts, Target
from zsavs.datasets.layout import find_folder, folder_content, folder_names
from zsavs.datasets.masks import check_size, crop_square, read_colours, read_ids, read_image, square_hw
from zsavs.datasets.metadata import load_json, read_table, relative_path
from zsavs.datasets.video_frames import FrameFiles, FrameReader, Video
from zsavs.errors import InputError, UnknownName
from zsavs.language.label_sets import avss_classes, avss_palette, v3_unseen
from zsavs.storage.files import is_there, read_text

__all__ = ["AVSS", "AVSSV1M", "AVSSV1S", "AVSSV2", "AVSS_PLACES", "AVSSOpenVocabulary", "AVSSUnseen"]

log = logging.getLogger(__name__)

_PARTS: tuple[str, ...] = ("v1s", "v1m", "v2")
#: Where AVSBench-semantic may be, from a folder that holds several data sets.
AVSS_PLACES = ("", "avsbench_semantic", "AVSBench-semantic", "AVSS")
_COLUMNS = ("uid", "a_obj", "split", "label")
#: Words in the column a_obj that stand for "nothing in view".
_NO_SOURCE = ("background", "off-the-screen")
#: The mask folders, "labels_rgb" with colours of the palette and "labels_semantic" with class ids.
Encoding = Literal["auto", "labels_rgb", "labels_semantic"]


class AVSS(FrameReader):
    """AVSBench-semantic, with a class for every pixel.

    Only annotated frames are items: 10 of a v2 video, 5 of the others, and in "train" the first of a v1s video. The
    black frames that the published loader appends to 5-second videos are none; ``Target.padding`` counts them, one
    with each frame, for the suite "avss_compat".

    Args:
        root: the folder with ``metadata.csv``, ``label2idx.json`` and ``v1s/``, ``v1m/``, ``v2/``, or the one above it.
        split: "train", "val" or "test".
        context_s: seconds of audio that a frame comes with: 1 is exactly its own second, ``math.inf`` the whole clip.
        image_size: side of the square that images are resized to; None for the native size.
        target_size: the same for the labels. With both at the same size, "train" keeps the proportions and cuts the
            middle out, as published.
        encoding: which of the two mask folders to read: "labels_rgb", "labels_semantic", or "auto" for the first of
            them that exists.
        videos: a list that replaces the split: a folder with a sub-folder for each video, a CSV with a
            column ``uid``, or a text file with one a line.
        named_only: make labels of classes that ``a_obj`` does not name background, as OV-AVSS does.

    Target: labels over the 71 classes of ``label2idx.json``, whose order counts; sources, the classes that ``a_obj``
    names, none for a source off the screen. An id is ``part/uid/i``, i from 0.

    Raises:
        UnknownName: no such split or encoding.
        InputError: lists are missing or disagree, or sizes that cannot be.
    """

    name = "avss"
    suite = "avss"
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")
    #: Parts of the benchmark that are read.
    parts: ClassVar[tuple[str, ...]] = _PARTS
    published: ClassVar[Mapping[str, Counts]] = {
        "train": Counts(52432, 8498),
        "val": Counts(9020, 1304),
        "test": Counts(11520, 1554),
    }

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        split: str = "test",
        context_s: float = 1.0,
        image_size: int | None = 224,
        target_size: int | None = 224,
        encoding: Encoding = "auto",
        videos: str | os.PathLike[str] | None = None,
        named_only: bool = False,
    ) -> None:
        super().__init__(root, split, context_s)
        if encoding not in ("auto", "labels_rgb", "labels_semantic"):
            raise UnknownName("encoding of masks", encoding, ("auto", "labels_rgb", "labels_semantic"))
        self._image_hw, self._target_hw = square_hw(image_size), square_hw(target_size)
        if self._crops and image_size != target_size:
            raise InputError("frames of the split 'train' are cropped: give image_size and target_size the same value.")
        self._base = find_folder(self.root, AVSS_PLACES, "metadata.csv")
        self.annotations = (self._base / "metadata.csv", self._base / "label2idx.json")
        self.annotations += () if videos is None else (Path(videos).expanduser(),)
        self.classes = _classes(self._base / "label2idx.json")
        self._ids = {name: k for k, name in enumerate(self.classes)}
        self._table = np.where(np.arange(256) < len(self.classes), np.arange(256), -1).astype(np.int16)
        self._named_only = named_only
        self._read_metadata(None if videos is None else _uids(Path(videos).expanduser()))
        self._masks = self._encoding() if encoding == "auto" else encoding

    def _read_metadata(self, wanted: set[str] | None) -> None:
        """Fill the list of videos from metadata.csv."""
        table, found = self._base / "metadata.csv", set()
        for uid, a_obj, split, part in read_table(table, _COLUMNS):
            named = _sources(a_obj)
            if part not in _PARTS:
                raise InputError(f"{table}: {uid} is of the part {part!r}; expected one of {', '.join(_PARTS)}.")
            if wanted is None and not self._takes(part, split, named):
                continue
            if wanted is not None and (uid not in wanted or part not in self.parts):
                continue
            found.add(uid)
            key = relative_path(f"{part}/{uid}", table)
            if not self._ids.keys() >= set(named):
                log.warning("%s: %s names %s, not all of which are classes.", table, key, ", ".join(named))
            self._add(key, Video(uid, part, "_".join(named), named, _frames(part, split)), table)
        if wanted is not None and wanted - found:
            first = min(wanted - found)
            raise InputError(f"{table}: {len(wanted - found)} videos of the list are not in it, first {first!r}.")
        if not self._videos:
            raise InputError(f"{table}: no video of the split {self.split!r} in {', '.join(self.parts)} is listed.")

    def _takes(self, part: str, split: str, sources: tuple[str, ...]) -> bool:
        """Whether a video belongs to this data set."""
        return part in self.parts and split == self.split

    def _encoding(self) -> str:
        video = self._base / next(iter(self._videos))
        for folder in ("labels_rgb", "labels_semantic"):
            if is_there(video / folder, folder=True):
                return folder
        raise InputError(f"{video}: expected labels_rgb or labels_semantic in it; found {folder_content(video)}.")

    @property
    def _crops(self) -> bool:
        return self.split == "train" and (self._image_hw is not None or self._target_hw is not None)

    def _files(self, video: Video, number: int) -> FrameFiles:
        folder = self._base / video.part / video.name
        return FrameFiles(
            folder / "frames" / f"{number}.jpg", folder / "audio.wav", folder / self._masks / f"{number}.png"
        )

    def _read(self, files: FrameFiles, video: Video, **facts: Any) -> tuple[Any, Target]:
        if self._crops and self._image_hw is not None:
            side = self._image_hw[0]
            image = crop_square(read_image(files.image), side, labels=False)
            labels = crop_square(self._labels(files.mask, None), side, labels=True)
        else:
            image = read_image(files.image, self._image_hw)
            labels = self._labels(files.mask, self._target_hw)
            if self._image_hw is None and self._target_hw is None:
                check_size(labels, image, files.mask, "extract both again, or give a target_size")
        if self._named_only:
            named = [self._ids[name] for name in video.sources if name in self._ids]
            labels = np.where(np.isin(labels, named), labels, 0).astype(np.uint8)
        padding = 0 if video.part == "v2" else 1
        return image, Target.from_labels(labels, self.classes, padding=padding, **facts)

    def _labels(self, path: Path, size_hw: tuple[int, int] | None) -> NDArray[np.uint8]:
        if self._masks == "labels_rgb":
            return read_colours(path, avss_palette()[: len(self.classes)], size_hw)
        return read_ids(path, self._table, size_hw)


class AVSSV1S(AVSS):
    """The S4 videos of AVSBench-semantic; see :class:`AVSS`. TAViS scores S4 against their ``Target.mask``."""

    name = "avss_v1s"
    parts = ("v1s",)
    published: ClassVar[Mapping[str, Counts]] = {
        "train": Counts(3452, 3452),
        "val": Counts(3700, 740),
        "test": Counts(3700, 740),
    }


class AVSSV1M(AVSS):
    """The MS3 videos of AVSBench-semantic; see :class:`AVSS`. TAViS scores MS3 against their ``Target.mask``."""

    name = "avss_v1m"
    parts = ("v1m",)
    published: ClassVar[Mapping[str, Counts]] = {
        "train": Counts(1480, 296),
        "val": Counts(320, 64),
        "test": Counts(320, 64),
    }


class AVSSV2(AVSS):
    """The ten-second videos of AVSBench-semantic; see :class:`AVSS`."""

    name = "avss_v2"
    parts = ("v2",)
    published: ClassVar[Mapping[str, Counts]] = {
        "train": Counts(47500, 4750),
        "val": Counts(5000, 500),
        "test": Counts(7500, 750),
    }


class AVSSOpenVocabulary(AVSS):
    """AVSBench-OV: AVSBench-semantic scored over 40 base and 30 novel classes, labels that are not named removed.

    The published test list is the content of a folder that does not come with AVSBench-semantic,
    ``AVSBench-openvoc/test/JPEGImages``. It is used if it is below ``root``; without it every test video is.

    Args:
        root, split, options: see :class:`AVSS`; ``videos`` names another list, and ``named_only`` is on.

    Definition: demo_video/avsbench_dataloader.py in ruohaoguo/ovavss at baa883c.
    """

    name = "avss_ov"
    suite = "open_vocabulary"
    splits = ("test",)
    published: ClassVar[Mapping[str, Counts]] = {}

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        split: str = "test",
        videos: str | os.PathLike[str] | None = None,
        named_only: bool = True,
        **options: Any,
    ) -> None:
        if videos is None:
            listed = Path(root).expanduser() / "AVSBench-openvoc" / "test" / "JPEGImages"
            videos = listed if is_there(listed, folder=True) else None
            if videos is None:
                log.warning("%s: no such folder; scoring every test video instead of AVSBench-OV's list.", listed)
        super().__init__(root, split=split, videos=videos, named_only=named_only, **options)


class AVSSUnseen(AVSS):
    """AVS-V3: the v1m and v2 videos whose sources are all of classes that GAVS keeps out of training; binary masks.

    Videos are taken from all official splits. Without ``videos`` (GAVS' ``meta_v3_unseen.csv``) they are those whose
    ``a_obj`` names only the 14 unseen classes.

    Args:
        root, split, options: see :class:`AVSS`; sizes are native.

    Definition: GAVS/segment_anything/dataset/v3 and avs_bench_zsfs.py in
    GeWu-Lab/Generalizable-Audio-Visual-Segmentation at 0013686.
    """

    name = "avss_v3_unseen"
    suite = "avsbench"
    splits = ("test",)
    parts = ("v1m", "v2")
    published: ClassVar[Mapping[str, Counts]] = {"test": Counts(None, 758)}

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        split: str = "test",
        image_size: int | None = None,
        target_size: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(root, split=split, image_size=image_size, target_size=target_size, **options)

    def _takes(self, part: str, split: str, sources: tuple[str, ...]) -> bool:
        return part in self.parts and bool(sources) and v3_unseen().issuperset(sources)


def _classes(path: Path) -> tuple[str, ...]:
    """The class names of label2idx.json by id; the file that comes with the data is what counts.

    Raises:
        InputError: it is missing, or its ids are not 0, 1, 2, ... with background as 0.
    """
    ids = load_json(path)
    if not isinstance(ids, dict) or sorted(ids.values(), key=str) != sorted(range(len(ids)), key=str):
        raise InputError(f"{path}: expected class names with the ids 0, 1, 2, ...; extract the file again.")
    names = tuple(sorted(ids, key=lambda name: int(ids[name])))
    if not 1 < len(names) <= len(avss_palette()) or names[0] != "background":
        raise InputError(f"{path}: expected 71 classes, the first of them background; found {len(names)}.")
    if names != avss_classes():
        log.warning("%s: the classes are not the published ones; class ids follow the file.", path)
    return names


def _sources(a_obj: str) -> tuple[str, ...]:
    """The classes that ``a_obj`` names. They are joined by "_", as names hold "-" only; blanks in a name are typos."""
    names = ("".join(word.split()) for word in a_obj.split("_"))
    return tuple(name for name in names if name and name not in _NO_SOURCE)


def _frames(part: str, split: str) -> range:
    """The annotated frames of a video."""
    if part == "v1s" and split == "train":
        return range(1)
    return range(10 if part == "v2" else 5)


def _uids(path: Path) -> set[str]:
    """The videos of a list: folder names, a CSV's column ``uid``, or lines.

    Raises:
        InputError: there is no such list, or it is empty.
    """
    if is_there(path, folder=True):
        names = folder_names(path)
    elif path.suffix.lower() == ".csv":
        names = {uid for (uid,) in read_table(path, ("uid",))}
    else:
        try:
            names = set(read_text(path).split())
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: no list of videos can be read from it ({error}).") from error
    if not names:
        raise InputError(f"{path}: the list of videos is empty.")
    return names
