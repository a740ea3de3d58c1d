"""Folders of open_clip models with random weights, and the calls that open_clip documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors.torch import save

SIZES = [(40, 64), (33, 90), (64, 20), (1, 1), (1, 30), (32, 32), (500, 20)]
PHRASES = ["dog", "a photo of a piano", "an Accordion, played badly!", "警笛", "", "word " * 300]
VISION = {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8}
TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
CLIP_LIKE: dict[str, Any] = {
    "model_cfg": {"embed_dim": 16, "vision_cfg": VISION, "text_cfg": TEXT},
    "preprocess_cfg": {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25], "interpolation": "bicubic"},
}
#: As open_clip describes SigLIP: a timm image tower, a text tower of its own with a tokenizer from the hub.
SIGLIP_LIKE: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 64,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": {"image_size": 160, "timm_model_name": "test_vit", "timm_pool": "map", "timm_proj": "none"},
        "text_cfg": {
            **TEXT,
            "vocab_size": 2000,
            "hf_tokenizer_name": "toy/tokenizer",
            "tokenizer_kwargs": {"clean": "canonicalize"},
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
            "norm_kwargs": {"eps": 1e-6},
        },
    },
    "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"},
}


def export(
    config: dict[str, Any], folder: Path, tokenizer: Any = None, fill: Callable[[Any], Any] = lambda model: model
) -> Path:
    """Write random weights as open_clip exports a model: a description, the weights, a tokenizer.

    Args:
        config: what open_clip_config.json says.
        folder: made where it is not there.
        tokenizer: of transformers, for a description that names one.
        fill: gives the model other weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
        for parameter in model.parameters():
            if not parameter.any():  # zeros, as biases begin: a wrong one would not show
                torch.nn.init.normal_(parameter, std=0.1)
        fill(model)
    weights = {key: value.contiguous() for key, value in model.state_dict().items()}
    (folder / "open_clip_model.safetensors").write_bytes(save(weights))
    return folder


def unit(features: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(features, dim=-1).numpy()


def documented(
    model_name: str, images: list[Any], phrases: list[str], **settings: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Image and text embeddings by the calls of open_clip's README."""
    model, _, preprocess = open_clip.create_model_and_transforms(model_name, **settings)
    tokenizer = open_clip.get_tokenizer(model_name)
    model.eval()
    with torch.no_grad():
        pixels = torch.stack([preprocess(Image.fromarray(image)) for image in images])
        return unit(model.encode_image(pixels)), unit(model.encode_text(tokenizer(phrases)))
