"""PE-A-Frame and PE-AV as Meta's repositories hold them: by the release that came out with them.

All that prepares inputs is one level down in processor_config.json. Of ModernBERT's layers the files have those that
Meta's own code reads, and the norm behind the last of all, which it does not; that release leaves it out as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tools.imitation.files import modernbert_tokenizer, remove
from tools.imitation.filling import fill
from tools.imitation.inputs import TEXTS, audio, image

__all__ = ["answers", "write"]

_SECONDS = 1.3
_SIDE = 32
_SIZE: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
_BLOCK: dict[str, Any] = {**_SIZE, "num_hidden_layers": 1, "head_dim": 8}
_AUDIO: dict[str, Any] = {
    # Steps of 1920 samples, as published.
    "dac_config": {
        "encoder_hidden_size": 1,
        "downsampling_ratios": [2, 8, 10, 12],
        "decoder_hidden_size": 16,
        "codebook_dim": 8,
        "codebook_size": 16,
        "n_codebooks": 1,
    },
    **_BLOCK,
}
_VISION: dict[str, Any] = {
    "model_type": "timm_wrapper",
    "architecture": "vit_pe_core_large_patch14_336",
    "num_classes": 16,
    "global_pool": "map",
    "do_pooling": True,
    "model_args": {"img_size": _SIDE, "patch_size": 16, "depth": 1, "embed_dim": 16, "num_heads": 2},
}


def write(source: str, folder: Path) -> None:
    """Write a checkpoint into a folder."""
    import transformers

    tokenizer = modernbert_tokenizer()
    text = {"vocab_size": len(tokenizer), **_SIZE, "num_hidden_layers": 2, "max_position_embeddings": 64}
    text |= {f"{name}_token_id": tokenizer.convert_tokens_to_ids(token) for name, token in _MARKS.items()}
    extractor = transformers.PeAudioFeatureExtractor()
    if "frame" in source:
        config = transformers.PeAudioConfig(text_config=text, audio_config=_AUDIO)
        fill(transformers.PeAudioFrameLevelModel(config)).save_pretrained(folder)
        transformers.PeAudioProcessor(extractor, tokenizer).save_pretrained(folder)
    else:
        towers = {"audio_config": _AUDIO, "video_config": {"vision_config": _VISION, **_BLOCK}, **_BLOCK}
        # What two towers share is written once.
        config = transformers.PeAudioVideoConfig(text_config=text, audio_video_config=towers, tie_word_embeddings=True)
        fill(transformers.PeAudioVideoModel(config)).save_pretrained(folder)
        video = transformers.PeVideoVideoProcessor(size={"height": _SIDE, "width": _SIDE}, **_PIXELS)
        processor = transformers.PeAudioVideoProcessor(
            feature_extractor=extractor, video_processor=video, tokenizer=tokenizer
        )
        processor.save_pretrained(folder)
    remove(folder, "generation_config.json")


_MARKS = {"pad": "[PAD]", "bos": "[CLS]", "eos": "[SEP]", "cls": "[CLS]", "sep": "[SEP]"}
_PIXELS: dict[str, Any] = {"do_resize": True, "do_rescale": True, "do_normalize": True}
_PIXELS |= {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}


def answers(source: str, folder: Path) -> dict[str, Any]:
    """What the release itself makes of the files: embeddings as they come, of a clip, of the texts, and of an image."""
    import torch
    import transformers

    framed = "frame" in source
    kind = getattr(transformers, "PeAudioFrameLevelModel" if framed else "PeAudioVideoModel")
    if not framed:  # timm of today has more tables of positions, which are no weights, than timm of that release's time
        shared = [[name.replace(".pos_embed", ".") for name in pair] for pair in kind._tied_weights_keys.items()]
        kind._tied_weights_keys = dict(shared)
    model = kind.from_pretrained(folder).eval()
    extractor = transformers.PeAudioFeatureExtractor.from_pretrained(folder)
    rate = extractor.sampling_rate
    given = dict(extractor(audio(rate, _SECONDS), sampling_rate=rate, return_tensors="pt"))
    given |= transformers.AutoTokenizer.from_pretrained(folder)(list(TEXTS), padding=True, return_tensors="pt")
    if not framed:
        frame = torch.from_numpy(image()).permute(2, 0, 1)[None]
        video = transformers.PeVideoVideoProcessor.from_pretrained(folder)
        given |= video([frame], do_sample_frames=False, return_tensors="pt")
        # It takes a clip and an image for each text.
        given |= {
            name: each.repeat(len(TEXTS), *[1] * (each.ndim - 1)) for name, each in given.items() if len(each) == 1
        }
    with torch.no_grad():
        found = model(**given)
    names = {"audio": "audio_embeds", "text": "text_audio_embeds", "logits": "logits_audio_text"}
    names |= {} if framed else {"image": "video_embeds", "text of images": "text_video_embeds"}
    rows = {name: np.asarray(getattr(found, attribute)) for name, attribute in names.items()}
    return rows | {"ids": np.asarray(given["input_ids"]), "seconds": np.array(_SECONDS)}
