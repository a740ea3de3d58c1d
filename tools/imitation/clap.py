"""CLAP as LAION's repositories hold it: pickled weights alone, and of three ages of transformers.

The unfused and the fused one have every setting in config.json and tables of positions among the weights, as releases
up to 4.30 wrote them; larger_clap_general has neither.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tools.imitation.files import remove, roberta_vocabulary
from tools.imitation.filling import fill
from tools.imitation.inputs import TEXTS, audio

__all__ = ["answers", "write"]

_SECONDS = 3.0


def write(source: str, folder: Path) -> None:
    """Write a checkpoint into a folder."""
    import transformers

    fused, larger = source.endswith("-fused"), "larger" in source
    entries = roberta_vocabulary(folder)
    text = {"vocab_size": entries, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text |= {"intermediate_size": 16, "max_position_embeddings": 82, "projection_dim": 16}
    heard = {"window_size": 4, "hidden_size": 16, "projection_dim": 16, "num_attention_heads": [1, 2]}
    heard |= {"depths": [1, 2 if larger else 1], "num_hidden_layers": 2, "patch_embeds_hidden_size": 8}
    heard |= {"enable_fusion": fused, "fusion_type": "aff_2d" if fused else None, "num_classes": 4, "aff_block_r": 2}
    config = transformers.ClapConfig(text_config=text, audio_config=heard, projection_dim=16)
    fill(transformers.ClapModel(config)).save_pretrained(folder, safe_serialization=False)
    if larger:
        _without_positions(folder / "pytorch_model.bin")
    extractor = transformers.ClapFeatureExtractor(truncation="fusion" if fused else "rand_trunc")
    tokenizer = transformers.RobertaTokenizerFast(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=512
    )
    transformers.ClapProcessor(extractor, tokenizer).save_pretrained(folder)
    remove(folder, "generation_config.json")


def _without_positions(path: Path) -> None:
    """Take out what releases after 4.30 did not write for other models, and the published file does not have."""
    import torch

    weights = torch.load(path, weights_only=True)
    del weights["text_model.embeddings.position_ids"]
    torch.save(weights, path)


def answers(source: str, folder: Path) -> dict[str, Any]:
    """What the release itself makes of the files: embeddings of a clip and of the texts, as they come."""
    import torch
    import transformers

    model = transformers.ClapModel.from_pretrained(folder).eval()
    processor = transformers.ClapProcessor.from_pretrained(folder)
    rate = processor.feature_extractor.sampling_rate
    heard = processor(audios=audio(rate, _SECONDS), sampling_rate=rate, return_tensors="pt")
    heard["is_longer"] = torch.zeros(1, 1, dtype=torch.bool)  # a single clip is marked as long, whatever its length
    read = processor(text=list(TEXTS), return_tensors="pt", padding=True)
    with torch.no_grad():
        found = {"audio": model.get_audio_features(**heard), "text": model.get_text_features(**read)}
    return {name: np.asarray(rows) for name, rows in found.items()} | {"seconds": np.array(_SECONDS)}
