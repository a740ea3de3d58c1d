"""SAM 2: masks for boxes and points (Ravi et al., "SAM 2: Segment Anything in Images and Videos", ICLR 2025), by the
classes of transformers. Images only; with the memory for videos: :mod:`zsavs.models.sam2_video`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsavs.models.native import sam2 as native
from zsavs.models.prompted_masks import PromptedSegmenter
from zsavs.models.sam2_files import CARDS, COPIES, DEFAULT

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "DEFAULT", "Sam2Segmenter"]


class Sam2Segmenter(PromptedSegmenter):
    """SAM 2 as a segmenter. See :class:`~zsavs.models.prompted_masks.PromptedSegmenter` for its arguments and verbs."""

    cards, default = CARDS, DEFAULT
    family, model_class, copies = "SAM 2", "Sam2Model", COPIES
    model_types = ("sam2_video", "sam2")

    @classmethod
    def read_file(cls, path: Path, dtype: torch.dtype) -> Sequence[Any]:
        """The model and its image processor, from Meta's own file (:func:`zsavs.models.native.sam2.read`)."""
        return native.read(path, dtype, cls.model_class)
