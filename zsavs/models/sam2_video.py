"""SAM 2 with its memory for videos (Ravi et al., "SAM 2: Segment Anything in Images and Videos", ICLR 2025), by the
classes of transformers: masks that are followed through frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsavs.models.native import sam2 as native
from zsavs.models.sam2_files import CARDS, COPIES, DEFAULT
from zsavs.models.video_memory import VideoMemorySegmenter

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "DEFAULT", "Sam2VideoSegmenter"]


class Sam2VideoSegmenter(VideoMemorySegmenter):
    """SAM 2 as a tracker, from the same checkpoints as the segmenter, which hold both.

    Built by its name alone it takes the checkpoint of the preset's SAM 2. That of the preset nano has no memory.
    See :class:`~zsavs.models.video_memory.VideoMemorySegmenter` for its arguments.
    """

    cards, default, files = CARDS, DEFAULT, CARDS[DEFAULT].files
    family, model_class, copies = "SAM 2", "Sam2VideoModel", COPIES
    model_types = ("sam2_video",)
    #: The part of a preset, by role and name, whose checkpoint it takes where none is named.
    checkpoint_of = ("segmenter", "sam2")

    @classmethod
    def read_file(cls, path: Path, dtype: torch.dtype) -> Sequence[Any]:
        """The model and its image processor, from Meta's own file (:func:`zsavs.models.native.sam2.read`)."""
        return native.read(path, dtype, cls.model_class)
