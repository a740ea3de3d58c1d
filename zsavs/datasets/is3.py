"""IS3: images of two objects, each an item of its own with its own audio and mask.

The files are found under the names of the release note (``IS3/images``, ``audio_waw``, ``gt_segmentation``) and of the
metadata of kaistmm/SSLalignment at e7ae3c5 (``synthetic3241/visual_frames``, ``audio_wav``, ``gt_masks``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from zsavs.datasets.base import Counts
from zsavs.datasets.image_audio_pairs import PairReader
from zsavs.datasets.layout import folder_content
from zsavs.errors import InputError
from zsavs.storage.files import is_there

__all__ = ["IS3", "is3_folders"]

#: Folders of images, audio files and masks by either spelling; "audio_waw" is the release note's own.
_FOLDERS = (("visual_frames", "images"), ("audio_wav", "audio_waw"), ("gt_masks", "gt_segmentation"))
_PLACES = ("", "synthetic3241", "IS3")


class IS3(PairReader):
    """IS3: 3240 generated images of two objects, 6480 items; the two of an image are a group, for IIoU.

    Args:
        root: the folder with images, audio files and masks in it, or the one above it.
        split: "test".
        target_size: side of the square that masks are resized to, 224 by the published protocol; None for the
            image's size.

    Target: the mask at ``target_size``; category, what the file name ends in after its last "_"; group, what comes
    before. An id is the file name without its extension.

    Raises:
        UnknownName: no such split.
        InputError: a folder is missing, or an image has no audio file or no mask.
    """

    name = "is3"
    suite = "ssl"
    published: ClassVar[Mapping[str, Counts]] = {"test": Counts(6480, 3240, 0)}

    def __init__(self, root: str | os.PathLike[str], *, split: str = "test", target_size: int | None = 224) -> None:
        super().__init__(root, split, is3_folders(Path(root).expanduser()), target_size)

    def group_count(self) -> int:
        """Number of images, the two items of one counted once."""
        return len({_parts(item)[0] for item in self._items})

    def _facts(self, item: str) -> dict[str, Any]:
        group, category = _parts(item)
        return {"category": category, "sources": (category,), "video_id": group, "group": group}


def is3_folders(root: Path) -> list[Path]:
    """The folders of images, audio files and masks below ``root``, whatever their spelling; the first place wins.

    Raises:
        InputError: there are no images at any place.
    """
    for place in _PLACES:
        base = root / place
        if any(is_there(base / name, folder=True) for name in _FOLDERS[0]):
            return [base / next((n for n in names if is_there(base / n, folder=True)), names[0]) for names in _FOLDERS]
    raise InputError(
        f"{root}: expected visual_frames/ or images/ in it, in synthetic3241/ or in IS3/; found {folder_content(root)}."
    )


def _parts(item: str) -> tuple[str, str]:
    """Group and category of a name; only its last "_" separates, as names of groups hold others."""
    group, _, category = item.rpartition("_")
    return group, category
