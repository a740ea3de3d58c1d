"""EdgeTAM (Zhou et al., "EdgeTAM: On-Device Track Anything Model", CVPR 2025): masks for boxes and points as SAM 2
gives them, behind a RepViT image encoder, by the classes of transformers and timm. Images only; with the memory for
videos: :mod:`zsavs.models.edgetam_video`."""

from __future__ import annotations

from zsavs.models.edgetam_files import CARDS, DEFAULT
from zsavs.models.prompted_masks import PromptedSegmenter
from zsavs.models.sam2_files import COPIES

__all__ = ["CARDS", "DEFAULT", "EdgeTamSegmenter"]


class EdgeTamSegmenter(PromptedSegmenter):
    """EdgeTAM as a segmenter, from the same checkpoint as the tracker, which holds both.

    See :class:`~zsavs.models.prompted_masks.PromptedSegmenter` for its arguments and verbs.
    """

    cards, default = CARDS, DEFAULT
    family, model_class, copies = "EdgeTAM", "EdgeTamModel", COPIES
    model_types = ("edgetam_video", "edgetam")
