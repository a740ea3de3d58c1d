"""Grounding DINO and MM Grounding DINO as their repositories hold them.

Grounding DINO's layers share one head, of which safetensors keep the first name alone. MM Grounding DINO has a head for
each layer, and a configuration that does not say so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tools.imitation.files import remove, wordpiece_vocabulary
from tools.imitation.filling import fill
from tools.imitation.inputs import PROMPT, image

__all__ = ["answers", "write"]


def _kind(source: str) -> str:
    return "MMGroundingDino" if "mm_grounding" in source else "GroundingDino"


def write(source: str, folder: Path) -> None:
    """Write a checkpoint into a folder."""
    import transformers

    kind, base = _kind(source), source.endswith("-base")
    entries = wordpiece_vocabulary(folder, true_places=True)
    backbone = transformers.SwinConfig(
        image_size=64,
        embed_dim=2,
        depths=[1, 1, 2 if base else 1, 1],
        num_heads=[1, 1, 1, 1],
        window_size=2,
        out_indices=[2, 3, 4],
    )
    text = transformers.BertConfig(
        vocab_size=entries,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=256,
    )
    config = getattr(transformers, f"{kind}Config")(
        backbone_config=backbone,
        text_config=text,
        d_model=32,
        num_queries=12,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        encoder_n_points=2,
        decoder_n_points=2,
    )
    model = fill(getattr(transformers, f"{kind}ForObjectDetection")(config))
    model.save_pretrained(folder)
    processor = transformers.GroundingDinoImageProcessor(size={"shortest_edge": 96, "longest_edge": 160})
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=512)
    transformers.GroundingDinoProcessor(processor, tokenizer).save_pretrained(folder)
    remove(folder, "generation_config.json")


def answers(source: str, folder: Path) -> dict[str, Any]:
    """What the release itself makes of the files: pixels, logits of each candidate, and boxes."""
    import torch
    import transformers
    from PIL import Image

    model = getattr(transformers, f"{_kind(source)}ForObjectDetection").from_pretrained(folder).eval()
    processor = transformers.GroundingDinoProcessor.from_pretrained(folder)
    inputs = processor(images=Image.fromarray(image()), text=PROMPT, return_tensors="pt")
    with torch.no_grad():
        found = model(**inputs)
    return {
        "pixels": np.asarray(inputs["pixel_values"]),
        "ids": np.asarray(inputs["input_ids"]),
        "scores": np.asarray(found.logits.sigmoid())[:, :, : inputs["input_ids"].shape[1]],
        "boxes": np.asarray(found.pred_boxes),
    }
