"""Phrases to masks as lang-segment-anything does: all images through each model together, in float32."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sam2.build_sam import build_sam2
from sam2.sam2_image_predictor import SAM2ImagePredictor
from stopwatch import BEST, measure
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor


def load(weights: Path) -> Any:
    processor = AutoProcessor.from_pretrained(weights / "grounding_dino")
    detector = AutoModelForZeroShotObjectDetection.from_pretrained(weights / "grounding_dino")
    sam2 = build_sam2("configs/sam2.1/sam2.1_hiera_t.yaml", str(weights / "sam2.pt"), device="cpu")
    return processor, detector, SAM2ImagePredictor(sam2)


def answer(models: Any, images: Sequence[str], phrases: Sequence[str]) -> list[Any]:
    processor, detector, predictor = models
    opened = [Image.open(path).convert("RGB") for path in images]
    texts = [". ".join(phrases) + "."] * len(opened)
    inputs = processor(images=opened, text=texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        outputs = detector(**inputs)
    found = processor.post_process_grounded_object_detection(
        outputs, inputs.input_ids, threshold=0.0, text_threshold=0.0, target_sizes=[i.size[::-1] for i in opened]
    )
    boxes = [each["boxes"][each["scores"].topk(BEST).indices].numpy() for each in found]
    predictor.set_image_batch([np.array(image) for image in opened])
    masks, _, _ = predictor.predict_batch(box_batch=boxes, multimask_output=False)
    return [each[:, 0] > 0 for each in masks]


if __name__ == "__main__":
    measure(sys.modules[__name__])
