"""What the flat benchmarks share: a folder each of images, recordings and masks, matched by file name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zsavs.datasets.audio import Recordings
from zsavs.datasets.base import Item, Reader, Target
from zsavs.datasets.masks import read_image, read_mask
from zsavs.datasets.trees import need_folder, stems
from zsavs.errors import InputError
from zsavs.types import AVSample

__all__ = ["MatchedReader", "square"]

_IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_SOUNDS = (".wav", ".flac", ".ogg", ".mp3")


class MatchedReader(Reader):
    """A benchmark of images, each with one whole recording and one mask of the same name, sorted by name.

    Of several files with one name the kind listed first wins: JPEG before PNG, WAV before the others.

    Args:
        root, split: see :class:`Reader`.
        folders: of images, of recordings and of masks.
        target_size: side of the square that masks are stretched to; None for the image's size.

    Raises:
        UnknownName: no such split.
        InputError: a folder is missing or empty, or an image has no recording or no mask; says which.
    """

    def __init__(
        self, root: str | os.PathLike[str], split: str, folders: Sequence[Path], target_size: int | None
    ) -> None:
        super().__init__(root, split)
        self._size = square(target_size)
        self._folders = [need_folder(folder) for folder in folders]
        images, sounds, masks = (
            stems(folder, kinds) for folder, kinds in zip(self._folders, (_IMAGES, _SOUNDS, _IMAGES), strict=True)
        )
        for folder, others in zip(self._folders[1:], (sounds, masks), strict=True):
            lost = sorted(images.keys() - others.keys())
            if lost:
                raise InputError(f"{folder}: nothing for {len(lost)} of {len(images)} images, first {lost[0]!r}.")
        self._items = {stem: (images[stem], sounds[stem], masks[stem]) for stem in sorted(images)}
        self._recordings = Recordings(1)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def group_count(self) -> int:
        """Number of images."""
        return len(self._items)

    def files(self, item: str) -> tuple[Path, ...]:
        """Image, recording and mask of an item; see :meth:`Reader.files`."""
        if item not in self._items:
            raise self.unknown(item)
        return tuple(folder / name for folder, name in zip(self._folders, self._items[item], strict=True))

    def load(self, item: str) -> Item:
        """Read one image with its recording; see :meth:`Reader.load`."""
        image_file, sound, truth = self.files(item)
        image = read_image(image_file)
        mask = read_mask(truth, self._size or image.shape[:2])
        sample = AVSample(image, self._recordings(sound), self.sample_name(item))
        return Item(sample, Target(mask, **self._facts(item)))

    def _facts(self, item: str) -> dict[str, Any]:
        """What the target says beside the mask."""
        return {"video_id": item, "group": item}


def square(side: int | None) -> tuple[int, int] | None:
    """Height and width of a square target, None for the image's own.

    Raises:
        InputError: less than a pixel.
    """
    if side is not None and side < 1:
        raise InputError(f"the size must be at least 1 pixel, or None for the image's own; got {side}.")
    return None if side is None else (side, side)
