"""Your own images, audio files and masks in a flat folder."""

from __future__ import annotations

import os
from pathlib import Path

from zsavs.datasets.image_audio_pairs import PairReader
from zsavs.storage.files import is_there

__all__ = ["Folder"]


class Folder(PairReader):
    """``ROOT/img/NAME.jpg``, ``ROOT/wav/NAME.wav``, ``ROOT/gt_seg/NAME.png``; the layout of BAaV's evaluation.

    ``image`` is read as ``img``. A mask pixel of 128 or more is foreground, as masks may be JPEG; in a palette or
    one-bit mask every index but 0 is, and where alpha tells the mask what is not transparent
    (:func:`zsavs.datasets.masks.read_mask`).

    Args:
        root: the folder.
        split: "test"; a folder has no other.
        target_size: side of the square that masks are resized to, 224 in BAaV's protocol; None for the image's
            size.

    Target: the mask at that size. An id is the file name without its extension; items are sorted by it.

    Raises:
        UnknownName: no such split.
        InputError: a folder is missing, there are no images, or an image has no audio file or no mask; says which.
    """

    name = "folder"
    suite = "baav"

    def __init__(self, root: str | os.PathLike[str], *, split: str = "test", target_size: int | None = None) -> None:
        base = Path(root).expanduser()
        # BAaV's README says image/, its code reads img/.
        readme = is_there(base / "image", folder=True) and not is_there(base / "img", folder=True)
        images = "image" if readme else "img"
        super().__init__(root, split, [base / images, base / "wav", base / "gt_seg"], target_size)
