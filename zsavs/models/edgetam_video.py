"""EdgeTAM (Zhou et al., "EdgeTAM: On-Device Track Anything Model", CVPR 2025), by the classes of transformers: SAM 2's
memory for videos in a fraction of the time, behind a RepViT image encoder."""

from __future__ import annotations

from zsavs.models.edgetam_files import CARDS, DEFAULT
from zsavs.models.sam2_files import COPIES
from zsavs.models.video_memory import VideoMemorySegmenter

__all__ = ["CARDS", "DEFAULT", "EdgeTamVideoSegmenter"]


class EdgeTamVideoSegmenter(VideoMemorySegmenter):
    """EdgeTAM as a tracker. See :class:`~zsavs.models.video_memory.VideoMemorySegmenter` for its arguments."""

    cards, default = CARDS, DEFAULT
    family, model_class, copies = "EdgeTAM", "EdgeTamVideoModel", COPIES
    model_types = ("edgetam_video",)
