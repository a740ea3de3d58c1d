"""Which checkpoints are imitated, what writes each, and the release of transformers that it is written by."""

from __future__ import annotations

__all__ = ["RELEASES", "SOURCES"]

#: By repository: the module of this package, and the release that writes like the one that wrote the published files.
SOURCES: dict[str, tuple[str, str]] = {
    "laion/clap-htsat-unfused": ("clap", "4.30.2"),
    "laion/clap-htsat-fused": ("clap", "4.30.2"),
    "laion/larger_clap_general": ("clap", "4.40.2"),
    "Salesforce/blip-image-captioning-base": ("blip", "4.30.2"),
    "Salesforce/blip-image-captioning-large": ("blip", "4.30.2"),
    "MIT/ast-finetuned-audioset-10-10-0.4593": ("ast", "4.40.2"),
    "IDEA-Research/grounding-dino-tiny": ("grounding_dino", "4.40.2"),
    "IDEA-Research/grounding-dino-base": ("grounding_dino", "4.40.2"),
    "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det": ("grounding_dino", "4.57.3"),
    "facebook/sam2.1-hiera-tiny": ("sam2", "4.57.3"),
    "facebook/sam2.1-hiera-large": ("sam2", "4.57.3"),
    "yonigozlan/EdgeTAM-hf": ("edgetam", "4.57.3"),
    "omlab/omdet-turbo-swin-tiny-hf": ("omdet", "4.57.3"),
    "facebook/pe-a-frame-base": ("pe", "5.0.0"),
    "facebook/pe-av-base": ("pe", "5.0.0"),
    "google/owlv2-base-patch16-ensemble": ("owlv2", "4.40.2"),
    "facebook/sam3": ("sam3", "5.0.0"),
    "MU-NLPC/whisper-tiny-audio-captioning": ("whisper", "4.30.2"),
}

#: By release: what is installed beside it.
RELEASES: dict[str, tuple[str, ...]] = {
    release: (f"transformers=={release}", "numpy==1.26.4", "pillow", "scipy")
    for release in ("4.30.2", "4.40.2", "4.57.3", "5.0.0")
}
