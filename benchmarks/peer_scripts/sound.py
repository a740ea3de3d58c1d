"""What the scripts from a sound are given: five seconds of noise, and encoders with random weights in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

ARCHITECTURE = "convnext_large_d_320"
WAVE = np.random.default_rng(0).uniform(-0.3, 0.3, 5 * 48_000).astype(np.float32)


def clip_file(folder: Path) -> Path:
    """Where a folder has a CLIP's weights."""
    return folder / "open_clip_model.safetensors"


def load_clap(weights: Path) -> Any:
    """CLAP, its feature extractor and its tokenizer, by transformers."""
    from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

    folder = weights / "clap"
    model = ClapModel.from_pretrained(folder).eval()
    return model, ClapFeatureExtractor.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def load_clip(weights: Path) -> Any:
    """CLIP and its preprocessing, by open_clip."""
    import open_clip
    from torchvision import transforms

    model, _, _ = open_clip.create_model_and_transforms(ARCHITECTURE, pretrained=str(clip_file(weights / "convnext")))
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    return model.eval(), transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])
