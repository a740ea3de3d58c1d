"""OmDet-Turbo as its repository holds it: the image encoder by its name in timm, the vocabulary in CLIP's two files."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from tools.imitation.files import clip_vocabulary, remove
from tools.imitation.filling import fill
from tools.imitation.inputs import TEXTS, image

__all__ = ["SMALL", "SWIN", "answers", "write"]

#: The image encoder that the configuration names, and what makes it small; nothing in a configuration says the latter,
#: so that whoever loads the checkpoint has to make it small, too.
SWIN = "swin_tiny_patch4_window7_224"
SMALL: dict[str, Any] = {"embed_dim": 4, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 1, 1)}

_SIDE = 128


def write(source: str, folder: Path) -> None:
    """Write a checkpoint into a folder."""
    import transformers

    entries = clip_vocabulary(folder)
    text = {"vocab_size": entries, "hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    text |= {"intermediate_size": 16, "bos_token_id": entries - 2, "eos_token_id": entries - 1}
    config = transformers.OmDetTurboConfig(
        text_config={"model_type": "clip_text_model", **text},
        image_size=_SIDE,
        encoder_in_channels=[8, 16, 32],
        encoder_hidden_dim=16,
        encoder_dim_feedforward=16,
        encoder_attention_heads=2,
        vision_features_channels=[16, 16, 16],
        text_projection_in_dim=24,
        text_projection_out_dim=24,
        class_embed_dim=24,
        task_encoder_hidden_dim=16,
        decoder_hidden_dim=16,
        decoder_num_heads=2,
        decoder_num_layers=2,
        decoder_dim_feedforward=16,
        num_queries=24,
    )
    with _small_swin():
        fill(transformers.OmDetTurboForObjectDetection(config)).save_pretrained(folder)
    tokenizer = transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)
    processor = transformers.DetrImageProcessor(
        size={"height": _SIDE, "width": _SIDE},
        do_rescale=False,
        image_mean=[123.675, 116.28, 103.53],
        image_std=[58.395, 57.12, 57.375],
        do_pad=False,
    )
    transformers.OmDetTurboProcessor(processor, tokenizer).save_pretrained(folder)
    remove(folder, "generation_config.json", "added_tokens.json")


def answers(source: str, folder: Path) -> dict[str, Any]:
    """What the release itself makes of the files: pixels, ids, and the logits and boxes of each candidate."""
    import torch
    import transformers
    from PIL import Image

    with _small_swin():
        model = transformers.OmDetTurboForObjectDetection.from_pretrained(folder).eval()
    processor = transformers.OmDetTurboProcessor.from_pretrained(folder)
    inputs = processor(images=Image.fromarray(image()), text=[list(TEXTS)], return_tensors="pt")
    with torch.no_grad():
        found = model(**inputs)
    return {
        "pixels": np.asarray(inputs["pixel_values"]),
        "names": np.asarray(inputs["classes_input_ids"]),
        "task": np.asarray(inputs["tasks_input_ids"]),
        "logits": np.asarray(found.decoder_class_logits[0]),
        "boxes": np.asarray(found.decoder_coord_logits[0]),
    }


def _small_swin() -> Any:
    import timm

    make = timm.create_model
    return mock.patch.object(timm, "create_model", lambda name, **settings: make(name, **settings, **SMALL))
