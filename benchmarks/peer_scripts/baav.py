"""An image and its sound to a map as BAaV's cross-modal way does: caption, nouns, the one the sound agrees with, a map.

Written out from its paper (Lee and Seo, arXiv 2506.06537): BLIP's caption of 17 tokens, an audio-text score for each
noun phrase, "A photo of" the best, and a network that segments what a text refers to, at 416 pixels, with an answer of
224. That network, ASDA, is in no package: CLIPSeg with the same image encoder (CLIP ViT-B/16) stands for it; LAION's
CLAP stands for Microsoft's. Random weights write no nouns: three are given in place of those that a parser finds.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from sound import WAVE, load_clap
from stopwatch import measure
from torch.nn.functional import interpolate
from transformers import BlipForConditionalGeneration, BlipProcessor, CLIPSegForImageSegmentation, CLIPSegProcessor


def load(weights: Path) -> Any:
    captioner = BlipForConditionalGeneration.from_pretrained(weights / "blip").eval()
    segmenter = CLIPSegForImageSegmentation.from_pretrained(weights / "clipseg").eval()
    processors = BlipProcessor.from_pretrained(weights / "blip"), CLIPSegProcessor.from_pretrained(weights / "clipseg")
    return captioner, segmenter, *processors, *load_clap(weights)


@torch.no_grad()
def answer(models: Any, images: Sequence[str], phrases: Sequence[str]) -> list[Any]:
    captioner, segmenter, blip_processor, clipseg_processor, clap, extractor, tokenizer = models
    masks = []
    for path in images:
        image = Image.open(path).convert("RGB")
        seen = blip_processor(images=image, return_tensors="pt")
        tokens = captioner.generate(**seen, max_length=17, repetition_penalty=2.5)
        blip_processor.decode(tokens[0], skip_special_tokens=True)
        nouns = list(phrases)
        heard = extractor(WAVE, sampling_rate=48_000, return_tensors="pt")
        scores = clap(**heard, **tokenizer(nouns, padding=True, return_tensors="pt")).logits_per_audio[0]
        text = f"A photo of {nouns[scores.argmax()]}"
        inputs = clipseg_processor(text=[text], images=[image], return_tensors="pt")
        logits = segmenter(**inputs).logits.reshape(1, 1, 416, 416)
        masks.append((interpolate(logits, (224, 224), mode="bilinear")[0].sigmoid() > 0.5).numpy())
    return masks


if __name__ == "__main__":
    measure(sys.modules[__name__])
