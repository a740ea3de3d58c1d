"""A flat folder of pictures, recordings and masks, matched by file name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.media import load_image
from zsavs.types import AVSample

__all__ = ["Folder"]

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_SOUNDS = (".wav", ".flac", ".ogg", ".mp3")


class Folder:
    """``ROOT/img/NAME.jpg``, ``ROOT/wav/NAME.wav``, ``ROOT/gt_seg/NAME.png``; the layout of BAaV's evaluation.

    ``image`` is read as ``img``. Items are sorted by name. A mask pixel of 128 or more is foreground, as masks may be
    JPEG; a mask of another size is stretched to the picture's by nearest neighbour.

    Args:
        root: the folder.

    Raises:
        InputError: a folder is missing, there are no pictures, or a picture has no sound or no mask; says which.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        base = Path(root)
        if not base.is_dir():
            raise InputError(f"{base}: no such folder; expected one with img/, wav/ and gt_seg/ in it.")
        image_folder = base / "image" if (base / "image").is_dir() and not (base / "img").is_dir() else base / "img"
        pictures, sounds, masks = (
            _by_stem(folder, suffixes)
            for folder, suffixes in (
                (image_folder, _PICTURES),
                (base / "wav", _SOUNDS),
                (base / "gt_seg", _PICTURES),
            )
        )
        for what, others in (("wav", sounds), ("gt_seg", masks)):
            lost = sorted(set(pictures) - set(others))
            if lost:
                raise InputError(
                    f"{base / what}: nothing for {len(lost)} of {len(pictures)} pictures, first {lost[0]!r}."
                )
        self.names = sorted(pictures)
        self._files = {name: (pictures[name], sounds[name], masks[name]) for name in self.names}

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        """Names of the items, in order; :meth:`load` reads one."""
        return iter(self.names)

    def load(self, name: str) -> tuple[AVSample, NDArray[np.bool_]]:
        """Read one item: the sample, and its (H, W) target.

        Raises:
            InputError: a file of it cannot be read.
        """
        picture, sound, mask = self._files[name]
        sample = AVSample.from_files(picture, sound)
        target = load_image(mask)[..., 0] >= 128
        rows, columns = (
            np.minimum(((np.arange(want) + 0.5) * have / want).astype(np.int64), have - 1)
            for want, have in zip(sample.size_hw, target.shape, strict=True)
        )
        return sample, target[rows][:, columns]


def _by_stem(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Files of a folder by stem; of several with the same stem the first suffix listed wins.

    Raises:
        InputError: no such folder, or no such files in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected img/, wav/ and gt_seg/ side by side.")
    found = [path for path in folder.iterdir() if path.suffix.lower() in suffixes and not path.name.startswith(".")]
    if not found:
        raise InputError(f"{folder}: no files in it that end in {', '.join(suffixes)}.")
    found.sort(key=lambda path: (suffixes.index(path.suffix.lower()), path.name), reverse=True)
    return {path.stem: path for path in found}
