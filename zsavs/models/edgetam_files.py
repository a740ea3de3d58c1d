"""The checkpoint of EdgeTAM, of which two adapters are loaded: what we know of it."""

from __future__ import annotations

from zsavs.models.checkpoints import MODEL_FILES, needing
from zsavs.storage.weights import WeightCard

__all__ = ["CARDS", "DEFAULT"]

DEFAULT = "yonigozlan/EdgeTAM-hf"

CARDS: dict[str, WeightCard] = needing(
    {
        DEFAULT: WeightCard(
            DEFAULT,
            "Apache-2.0",
            56,
            "SA-1B, SA-V, DAVIS, MOSE and YouTube-VOS: images and videos with masks, with SAM 2 as the teacher",
            verified="quoted from its card by a converter that pins commit c266ce5; size by the architecture's weights",
        )
    },
    # As of SAM 2: its processor_config.json is of the video model, and holds nothing about images.
    (*MODEL_FILES, "preprocessor_config.json"),
)
