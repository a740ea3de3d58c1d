"""The cards of published checkpoints say what their pages on the hub do."""

from __future__ import annotations

import pytest

from zsavs.models import (
    ast,
    blip,
    clap,
    edgetam,
    grounding_dino,
    omdet,
    open_clip,
    owlv2,
    sam2,
    sam3,
    whisper_captioner,
)
from zsavs.storage.weights import WeightCard

CARDS: dict[str, WeightCard] = {
    card.source: card
    for module in (ast, blip, clap, edgetam, grounding_dino, omdet, open_clip, owlv2, sam2, sam3, whisper_captioner)
    for card in module.CARDS.values()
}
#: Of the file of weights that is fetched, in units of 10**6 bytes; the licence tag; the commit that was seen, if any.
PUBLISHED = {
    "laion/clap-htsat-unfused": (614.5, "Apache-2.0", "8fa0f1c"),
    "laion/clap-htsat-fused": (614.5, "Apache-2.0", "cca9e28"),
    "laion/larger_clap_general": (776.4, "Apache-2.0", "ada0c23"),
    "Salesforce/blip-image-captioning-base": (989.9, "BSD-3-Clause", "82a3776"),
    "Salesforce/blip-image-captioning-large": (1879.0, "BSD-3-Clause", "353689b"),
    "MIT/ast-finetuned-audioset-10-10-0.4593": (346.4, "BSD-3-Clause", "f826b80"),
    "IDEA-Research/grounding-dino-tiny": (689.4, "Apache-2.0", "a2bb814"),
    "IDEA-Research/grounding-dino-base": (933.4, "Apache-2.0", ""),
    "facebook/sam2.1-hiera-tiny": (155.9, "Apache-2.0", "de431c4"),
    "facebook/sam2.1-hiera-large": (897.9, "Apache-2.0", ""),
    "yonigozlan/EdgeTAM-hf": (55.8, "Apache-2.0", "c266ce5"),
    "omlab/omdet-turbo-swin-tiny-hf": (461.7, "Apache-2.0", "dfd82f0"),
    "facebook/sam3": (3439.7, "SAM License", "7778a7a"),
    "google/owlv2-base-patch16-ensemble": (619.9, "Apache-2.0", "cfd3195"),
    "laion/CLIP-ViT-B-32-laion2B-s34B-b79K": (605.2, "MIT", ""),
    "laion/CLIP-ViT-L-14-laion2B-s32B-b82K": (1710.6, "MIT", ""),
    "MU-NLPC/whisper-tiny-audio-captioning": (151.0, "CC-BY-NC-4.0", "ff8af23"),
}


@pytest.mark.parametrize("source", PUBLISHED)
def test_a_card_is_as_published(source: str) -> None:
    card, (size_mb, licence, commit) = CARDS[source], PUBLISHED[source]
    assert card.size_mb == pytest.approx(size_mb, abs=1)
    assert card.licence == licence
    assert commit in card.verified
    assert "memory" not in card.verified
    assert "sibling" not in card.verified
