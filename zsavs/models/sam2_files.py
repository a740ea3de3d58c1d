"""The checkpoints of SAM 2: what we know of each, and what its files lack."""

from __future__ import annotations

from zsavs.models.checkpoints import MODEL_FILES, needing
from zsavs.storage.weights import WeightCard

__all__ = ["CARDS", "COPIES", "DEFAULT"]

DEFAULT = "facebook/sam2.1-hiera-tiny"

_DATA = "SA-1B, SA-V and an internal set: images and videos with masks"
_READ = "a stored copy of its hub page, commit "

CARDS: dict[str, WeightCard] = {
    DEFAULT: WeightCard(DEFAULT, "Apache-2.0", 156, _DATA, verified=f"{_READ}de431c4"),
    "zsavs:nano/sam2": WeightCard("zsavs:nano/sam2", "Apache-2.0", 2, "drawn images of the orchestra with masks"),
    "facebook/sam2.1-hiera-small": WeightCard(
        "facebook/sam2.1-hiera-small", "Apache-2.0", 184, _DATA, verified=f"{_READ}ee5bba1"
    ),
    "facebook/sam2.1-hiera-base-plus": WeightCard(
        "facebook/sam2.1-hiera-base-plus", "Apache-2.0", 323, _DATA, verified=f"{_READ}b732075"
    ),
    "facebook/sam2.1-hiera-large": WeightCard("facebook/sam2.1-hiera-large", "Apache-2.0", 898, _DATA),
}
# Their processor_config.json is of the video model, and holds nothing about images.
CARDS = needing(CARDS, (*MODEL_FILES, "preprocessor_config.json"))

#: One table of random frequencies places both pixels and prompts. Files written by transformers 4 hold it once, and
#: transformers 5 would fill the other with new random numbers: masks would have little to do with their boxes.
COPIES = {
    "prompt_encoder.shared_embedding.positional_embedding": "shared_image_embedding.positional_embedding",
}
