"""Benchmarks of image-audio pairs: a folder each of images, audio files and masks, paired by file name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zsavs.datasets.audio import AudioFiles
from zsavs.datasets.base import Item, Reader, Target
from zsavs.datasets.layout import files_by_stem, need_folder
from zsavs.datasets.masks import read_image, read_mask, square_hw
from zsavs.errors import InputError
from zsavs.types import AVSample

__all__ = ["PairReader"]

_IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_AUDIO = (".wav", ".flac", ".ogg", ".mp3")


class PairReader(Reader):
    """A benchmark of images, each with one whole audio file and one mask of the same name, sorted by name.

    Of several files with one name the kind listed first wins: JPEG before PNG, WAV before the others.

    Args:
        root, split: see :class:`Reader`.
        folders: of images, of audio files and of masks.
        target_size: side of the square that masks are resized to; None for the image's size.

    Raises:
        UnknownName: no such split.
        InputError: a folder is missing or empty, or an image has no audio file or no mask; says which.
    """

    def __init__(
        self, root: str | os.PathLike[str], split: str, folders: Sequence[Path], target_size: int | None
    ) -> None:
        super().__init__(root, split)
        self._size = square_hw(target_size)
        self._folders = [need_folder(folder) for folder in folders]
        images, audio, masks = (
            files_by_stem(folder, kinds)
            for folder, kinds in zip(self._folders, (_IMAGES, _AUDIO, _IMAGES), strict=True)
        )
        for folder, others in zip(self._folders[1:], (audio, masks), strict=True):
            lost = sorted(images.keys() - others.keys())
            if lost:
                raise InputError(f"{folder}: nothing for {len(lost)} of {len(images)} images, first {lost[0]!r}.")
        self._items = {stem: (images[stem], audio[stem], masks[stem]) for stem in sorted(images)}
        self._audio_files = AudioFiles(1)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def group_count(self) -> int:
        """Number of images."""
        return len(self._items)

    def files(self, item: str) -> tuple[Path, ...]:
        """Image, audio file and mask of an item; see :meth:`Reader.files`."""
        if item not in self._items:
            raise self.unknown(item)
        return tuple(folder / name for folder, name in zip(self._folders, self._items[item], strict=True))

    def load(self, item: str) -> Item:
        """Read one image with its audio; see :meth:`Reader.load`."""
        image_file, audio_file, mask_file = self.files(item)
        image = read_image(image_file)
        mask = read_mask(mask_file, self._size or image.shape[:2])
        sample = AVSample(image, self._audio_files(audio_file), self.sample_name(item))
        return Item(sample, Target(mask, **self._facts(item)))

    def _facts(self, item: str) -> dict[str, Any]:
        """The fields of the target beside the mask."""
        return {"video_id": item, "group": item}
