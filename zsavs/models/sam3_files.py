"""The checkpoint of SAM 3, of which a grounder, a segmenter and a tracker are loaded: what we know of it."""

from __future__ import annotations

from zsavs.models.checkpoints import MODEL_FILES, PREPROCESSOR_FILES, TOKENIZER_FILES, needing
from zsavs.storage.weights import WeightCard

__all__ = ["CARDS", "COPIES", "DEFAULT", "PUBLISHED_TYPE"]

DEFAULT = "facebook/sam3"

#: What config.json of the published checkpoint calls the model: detector and tracker in one.
PUBLISHED_TYPE = "sam3_video"

CARDS: dict[str, WeightCard] = needing(
    {
        DEFAULT: WeightCard(
            DEFAULT,
            "SAM License",
            3440,
            "SA-Co: images and videos with phrases and masks, labelled by people and by models",
            verified="LICENSE of github.com/facebookresearch/sam3, commit 7778a7a; gate by a stored copy of its hub "
            "page; size by the architecture's weights",
            gate="your name, date of birth, country, affiliation and job title, and that you accept the SAM License",
            terms="Meta's own licence, of 19 November 2025: free of charge, changes allowed, no line at commercial "
            "use; it is passed on with whatever you pass on; publications acknowledge SAM; no reverse engineering; no "
            "military, nuclear, espionage or weapons use, nothing under ITAR or sanctions; Meta may change it, and it "
            "ends if you sue over it",
        )
    },
    (*MODEL_FILES, *PREPROCESSOR_FILES, *TOKENIZER_FILES),
)

#: As of SAM 2: one table of random frequencies places both pixels and prompts, and a file may hold it once.
COPIES = {
    "prompt_encoder.shared_embedding.positional_embedding": "shared_image_embedding.positional_embedding",
}
