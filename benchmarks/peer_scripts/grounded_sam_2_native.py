"""Phrases to masks as Grounded-SAM-2 shows with IDEA's own detector (groundingdino-py) and the package sam2."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from groundingdino.util.inference import load_image, load_model, predict
from native_weights import checkpoint, config, only_best
from sam2.build_sam import build_sam2
from sam2.sam2_image_predictor import SAM2ImagePredictor
from stopwatch import measure
from torchvision.ops import box_convert


def load(weights: Path) -> Any:
    detector = load_model(str(config()), str(checkpoint(weights)), device="cpu")
    sam2 = build_sam2("configs/sam2.1/sam2.1_hiera_t.yaml", str(weights / "sam2.pt"), device="cpu")
    return only_best(detector), SAM2ImagePredictor(sam2)


def answer(models: Any, images: Sequence[str], phrases: Sequence[str]) -> list[Any]:
    detector, predictor = models
    masks = []
    for path in images:
        pixels, image = load_image(path)
        predictor.set_image(pixels)
        boxes, _, _ = predict(detector, image, ". ".join(phrases) + ".", 0.35, 0.25, device="cpu")
        height, width, _ = pixels.shape
        corners = box_convert(boxes * torch.tensor([width, height, width, height]), "cxcywh", "xyxy")
        masks.append(predictor.predict(box=corners.numpy(), multimask_output=False)[0][:, 0] > 0)
    return masks


if __name__ == "__main__":
    measure(sys.modules[__name__])
