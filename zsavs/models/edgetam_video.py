"""EdgeTAM (Zhou et al., "EdgeTAM: On-Device Track Anything Model", CVPR 2025), by the classes of transformers: SAM 2's
memory for videos in a fraction of the time, behind a RepViT image encoder."""

from __future__ import annotations

from zsavs.models.checkpoints import MODEL_FILES, PREPROCESSOR_FILES, needing
from zsavs.models.sam2_files import COPIES
from zsavs.models.video_memory import VideoMemorySegmenter
from zsavs.storage.weights import WeightCard

__all__ = ["CARDS", "DEFAULT", "EdgeTamVideoSegmenter"]

DEFAULT = "yonigozlan/EdgeTAM-hf"

CARDS: dict[str, WeightCard] = needing(
    {
        DEFAULT: WeightCard(
            DEFAULT,
            "Apache-2.0",
            56,
            "SA-1B, SA-V, DAVIS, MOSE and YouTube-VOS: images and videos with masks, with SAM 2 as the teacher",
            verified="the licence of facebook/EdgeTAM, whose weights these are; the size by the paper's 13.9 M weights",
        )
    },
    (*MODEL_FILES, *PREPROCESSOR_FILES),
)


class EdgeTamVideoSegmenter(VideoMemorySegmenter):
    """EdgeTAM as a tracker. See :class:`~zsavs.models.video_memory.VideoMemorySegmenter` for its arguments."""

    cards, default = CARDS, DEFAULT
    family, model_class, model_type, copies = "EdgeTAM", "EdgeTamVideoModel", "edgetam_video", COPIES
