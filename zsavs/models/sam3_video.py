"""SAM 3's tracker (Carion et al., "SAM 3: Segment Anything with Concepts", 2025), by the classes of transformers: the
memory of SAM 2 behind SAM 3's image encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zsavs.models.batching import inference
from zsavs.models.sam3_files import CARDS, COPIES, DEFAULT, PUBLISHED_TYPE
from zsavs.models.sam3_vision import FAMILY, prompt_scales, see, share_encoder
from zsavs.models.video_memory import VideoMemorySegmenter

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "DEFAULT", "Sam3VideoSegmenter"]


class Sam3VideoSegmenter(VideoMemorySegmenter):
    """SAM 3 as a tracker, from the same checkpoint as the grounder and the segmenter, whose image encoder it shares.

    See :class:`~zsavs.models.video_memory.VideoMemorySegmenter` for its arguments.
    """

    cards, default = CARDS, DEFAULT
    family, model_class, copies = FAMILY, "Sam3TrackerVideoModel", COPIES
    model_types = (PUBLISHED_TYPE, "sam3_tracker_video")
    half_is_safe = False  # as of the grounder, so that they share the encoder
    towers = ("vision_encoder.backbone",)
    in_float = staticmethod(share_encoder)
    #: The part of a preset, by role and name, whose checkpoint it takes where none is named.
    checkpoint_of = ("grounder", "sam3")

    def _encode(self, images: list[NDArray[np.uint8]]) -> list[tuple[list[torch.Tensor], torch.Tensor]]:
        encoded = []
        for features in see(self.model, self.image_processor, images, self.device, self.batch_size):
            with inference(self.family):
                scales, places = prompt_scales(self.model, features)
                flat = [scale.flatten(2).permute(2, 0, 1) for scale in scales]
                encoded.append((flat, places[-1].flatten(2).permute(2, 0, 1)))
        return encoded
