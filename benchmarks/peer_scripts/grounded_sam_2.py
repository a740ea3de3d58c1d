"""Phrases to masks as Grounded-SAM-2 shows with Hugging Face's detector: one image after the other, in float32."""

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
    text = ". ".join(phrases) + "."
    masks = []
    for path in images:
        image = Image.open(path).convert("RGB")
        inputs = processor(images=image, text=text, return_tensors="pt")
        with torch.no_grad():
            outputs = detector(**inputs)
        found = processor.post_process_grounded_object_detection(
            outputs, inputs.input_ids, threshold=0.0, text_threshold=0.0, target_sizes=[image.size[::-1]]
        )[0]
        boxes = found["boxes"][found["scores"].topk(BEST).indices]
        predictor.set_image(np.array(image))
        masks.append(predictor.predict(box=boxes.numpy(), multimask_output=False)[0][:, 0] > 0)
    return masks


if __name__ == "__main__":
    measure(sys.modules[__name__])
