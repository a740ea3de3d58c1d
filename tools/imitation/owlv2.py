"""OWLv2 as Google's repository holds it: the vocabulary in CLIP's two files, without tokenizer.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tools.imitation.files import clip_vocabulary, remove, write_json
from tools.imitation.filling import fill
from tools.imitation.inputs import TEXTS, image

__all__ = ["answers", "write"]

_SIDE = 64


def write(source: str, folder: Path) -> None:
    """Write a checkpoint into a folder."""
    import transformers

    entries = clip_vocabulary(folder)
    text = {"vocab_size": entries, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text |= {"intermediate_size": 16, "bos_token_id": entries - 2, "eos_token_id": entries - 1}
    seen = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    seen |= {"image_size": _SIDE, "patch_size": 16}
    config = transformers.Owlv2Config(text_config=text, vision_config=seen, projection_dim=16)
    fill(transformers.Owlv2ForObjectDetection(config)).save_pretrained(folder)
    tokenizer = transformers.CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), pad_token="!", model_max_length=16
    )
    processor = transformers.Owlv2ImageProcessor(size={"height": _SIDE, "width": _SIDE})
    transformers.Owlv2Processor(processor, tokenizer).save_pretrained(folder)
    write_json(folder / "added_tokens.json", {"!": 0, "<|endoftext|>": entries - 1, "<|startoftext|>": entries - 2})
    remove(folder, "generation_config.json")


def answers(source: str, folder: Path) -> dict[str, Any]:
    """What the release itself makes of the files: of a square image, as the releases pad others differently."""
    import torch
    import transformers
    from PIL import Image

    model = transformers.Owlv2ForObjectDetection.from_pretrained(folder).eval()
    processor = transformers.Owlv2Processor.from_pretrained(folder)
    inputs = processor(text=[list(TEXTS)], images=Image.fromarray(image(_SIDE, _SIDE)), return_tensors="pt")
    with torch.no_grad():
        found = model(**inputs)
    return {
        "pixels": np.asarray(inputs["pixel_values"]),
        "ids": np.asarray(inputs["input_ids"]),
        "logits": np.asarray(found.logits[0]),
        "boxes": np.asarray(found.pred_boxes[0]),
        "objectness": np.asarray(found.objectness_logits[0]),
    }
