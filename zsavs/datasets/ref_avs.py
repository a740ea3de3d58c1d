"""Ref-AVS' null set: clips for which the right answer is that nothing in view sounds.

Layout: configs/config.py, datasets/dataset_refavs.py and data/metadata.csv in GeWu-Lab/Ref-AVS at f0fbef3. Frame k
(from 0) comes with the audio of [k, k + 1).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from zsavs.datasets.base import Target
from zsavs.datasets.layout import find_folder
from zsavs.datasets.masks import read_image
from zsavs.datasets.metadata import read_table
from zsavs.datasets.video_frames import FrameFiles, FrameReader, Video
from zsavs.errors import InputError

__all__ = ["RefAVSNull"]

#: What the list calls the null set, and how many frames each clip has.
_SPLIT, _FRAMES = "test_n", 10


class RefAVSNull(FrameReader):
    """The null set of Ref-AVS, a test of answering nothing.

    Ref-AVS asks for the one object that an expression means; here the question is what sounds, so the expressions are
    not used, and its other sets, whose masks are of that object, are not read. In the null set every expression asks
    for something that sounds ("the sounding object", "the first object to make a sound"), of clips in which there is
    no such thing in view; its rows for one clip, which differ in the expression alone, are one clip here.

    Args:
        root: the folder with ``metadata.csv`` and ``media/``, or the one above it, if it is called "REFAVS".
        split: "test"; it is called "test_n" in the list.
        context_s: seconds of audio that a frame comes with: 1 is exactly its own second, ``math.inf`` the whole clip.

    Target: an empty mask of the frame's size. It follows from the set: no mask file is read, and the published score
    reads none either. Category: "null_m" or "null_c", as the names of the clips begin; the repository does not say what
    they stand for. An id is ``clip/k``, k from 0 to 9.

    Raises:
        UnknownName: no such split.
        InputError: the list is missing, or has no clip of the null set.
    """

    name = "ref_avs_null"
    suite = "avsbench"

    def __init__(self, root: str | os.PathLike[str], *, split: str = "test", context_s: float = 1.0) -> None:
        super().__init__(root, split, context_s)
        self._base = find_folder(self.root, ("", "REFAVS"), "metadata.csv")
        self._list: Path = self._base / "metadata.csv"
        self.annotations = (self._list,)
        for uid, part in read_table(self._list, ("uid", "split")):
            # The column "vid" has the video that the clip was made of, which may be in another set as it is.
            clip, _, rest = uid.rpartition("_")[0].rpartition("_")
            if part != _SPLIT or clip in self._videos:
                continue
            if not clip or "/" in clip or not rest:
                raise InputError(f"{self._list}: expected CLIP_null_NUMBER in the column uid, found {uid!r:.100}.")
            self._add(clip, Video(clip, "", clip.partition("-")[0], (), range(_FRAMES)), self._list)
        if not self._videos:
            raise InputError(f"{self._list}: no clip of the split {_SPLIT!r} is listed; download it again.")

    def _files(self, video: Video, number: int) -> FrameFiles:
        folder = self._base / "media" / video.name
        return FrameFiles(folder / "frames" / f"{number}.jpg", folder / "audio.wav", self._list)

    def _read(self, files: FrameFiles, video: Video, **facts: Any) -> tuple[Any, Target]:
        image = read_image(files.image)
        return image, Target(np.zeros(image.shape[:2], np.bool_), **facts)
