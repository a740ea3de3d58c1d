"""BLIP as Salesforce's repositories hold it.

The base one has pickled weights alone, with a table of positions, and an image size that is a bare number; the large
one has safetensors that a machine converted, which leaves out the second of two names of one tensor.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tools.imitation.files import remove, wordpiece_vocabulary, write_json
from tools.imitation.filling import fill
from tools.imitation.inputs import image

__all__ = ["answers", "write"]

_NORMALISED = {
    "do_normalize": True,
    "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_processor_type": "BlipImageProcessor",
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "processor_class": "BlipProcessor",
}
_SIDE = 48


def write(source: str, folder: Path) -> None:
    """Write a checkpoint into a folder."""
    import transformers

    large = source.endswith("-large")
    entries = wordpiece_vocabulary(folder, true_places=False)
    # The start mark of a sentence, and one for the encoder that no caption needs, lie behind the tokenizer's entries.
    text = {"vocab_size": entries + 2, "bos_token_id": entries, "eos_token_id": 2, "sep_token_id": 102}
    text |= {"hidden_size": 16, "encoder_hidden_size": 16, "num_hidden_layers": 2 if large else 1}
    text |= {"num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 64, "projection_dim": 16}
    seen = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    seen |= {"image_size": _SIDE, "patch_size": 16, "projection_dim": 16}
    config = transformers.BlipConfig(text_config=text, vision_config=seen, projection_dim=16)
    fill(transformers.BlipForConditionalGeneration(config)).save_pretrained(folder)
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=512)
    transformers.BlipProcessor(transformers.BlipImageProcessor(), tokenizer).save_pretrained(folder)
    remove(folder, "generation_config.json")
    if large:
        _convert(folder)
        more = {"do_pad": True, "do_rescale": True, "resample": 3, "rescale_factor": 1 / 255, "size_divisor": 32}
        write_json(
            folder / "preprocessor_config.json", _NORMALISED | more | {"size": {"height": _SIDE, "width": _SIDE}}
        )
    else:
        write_json(folder / "preprocessor_config.json", _NORMALISED | {"size": _SIDE})


def _convert(folder: Path) -> None:
    """Add model.safetensors as the hub's converter makes it: each tensor under its first name alone."""
    import torch
    from safetensors.torch import save_file

    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    weights.pop("text_decoder.cls.predictions.decoder.bias")
    seen: set[int] = set()
    for name, tensor in list(weights.items()):
        if tensor.data_ptr() in seen:
            weights.pop(name)
        seen.add(tensor.data_ptr())
    save_file(
        {name: tensor.contiguous() for name, tensor in weights.items()}, folder / "model.safetensors", {"format": "pt"}
    )
    (folder / "pytorch_model.bin").unlink()


def answers(source: str, folder: Path) -> dict[str, Any]:
    """What the release itself makes of the files: pixels, logits of a sentence, and the caption by beam search."""
    import torch
    import transformers

    model = transformers.BlipForConditionalGeneration.from_pretrained(folder).eval()
    processor = transformers.BlipProcessor.from_pretrained(folder)
    from PIL import Image

    pixels = processor.image_processor(Image.fromarray(image()), return_tensors="pt").pixel_values
    sentence = processor.tokenizer("a photo of a dog", return_tensors="pt").input_ids
    with torch.no_grad():
        logits = model(pixel_values=pixels, input_ids=sentence).decoder_logits
        tokens = model.generate(pixel_values=pixels, num_beams=3, max_new_tokens=20, do_sample=False)
    return {"pixels": np.asarray(pixels), "sentence": np.asarray(sentence)} | {
        "logits": np.asarray(logits),
        "tokens": np.asarray(tokens),
    }
