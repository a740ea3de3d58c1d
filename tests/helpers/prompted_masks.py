"""What shows that SAM 2 and its relatives give masks for boxes and points as transformers documents it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from adapter_helpers import copy_with
from PIL import Image

from zsavs import AVSample, Proposals

__all__ = ["LOGITS", "best", "boxed", "changed", "documented"]

#: Float32 rounding; toy logits reach about 2.
LOGITS = 1e-4


def boxed(size_hw: tuple[int, int], count: int = 2, seed: int = 0) -> Proposals:
    """Random boxes within an image."""
    height, width = size_hw
    corners = np.random.default_rng(seed).uniform(0.02, 0.98, (count, 2, 2)) * (width, height)
    low, high = np.sort(corners, axis=1).transpose(1, 0, 2)
    boxes = np.concatenate([low, high + 1e-3], axis=1).astype(np.float32)
    return Proposals(boxes, np.ones(count, np.float32), np.arange(count))


def documented(made: Any, scene: AVSample, multimask: bool = True, **prompts: Any) -> Any:
    """The calls that transformers documents, for one image: all masks (P, K, H, W) and their ratings (P, K)."""
    from transformers import Sam2Processor

    processor = Sam2Processor(made.image_processor)
    inputs = processor(images=Image.fromarray(scene.image), return_tensors="pt", **prompts)
    with torch.no_grad():
        outputs = made.model(**inputs, multimask_output=multimask)
    masks = processor.post_process_masks(outputs.pred_masks, inputs["original_sizes"], binarize=False)[0]
    return masks.numpy(), outputs.iou_scores[0].numpy()


def best(masks: np.ndarray, ratings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each prompt's masks the one rated best."""
    each, chosen = np.arange(len(masks)), ratings.argmax(axis=1)
    return masks[each, chosen], ratings[each, chosen]


def changed(folder: Path, to: Path, drop: tuple[str, ...] = (), add: dict[str, torch.Tensor] | None = None) -> Path:
    """A copy of a checkpoint with weights left out or added."""
    from safetensors.torch import load_file
    from safetensors.torch import save as packed

    weights = load_file(folder / "model.safetensors") | (add or {})
    for name in drop:
        del weights[name]
    return copy_with(folder, to, packed(weights, {"format": "pt"}))
