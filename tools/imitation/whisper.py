"""Whisper as a captioner, as MU-NLPC's repository holds it: a slow tokenizer's files, and code that is never run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tools.imitation.files import whisper_vocabulary, write_json
from tools.imitation.filling import fill
from tools.imitation.inputs import audio

__all__ = ["answers", "write"]

_PREFIX = "clotho > caption: "
_SECONDS = 1.5
#: In Whisper's order; its own list of languages is longer.
_MARKS = (
    *("<|startoftranscript|>", "<|en|>", "<|zh|>", "<|de|>", "<|es|>", "<|translate|>", "<|transcribe|>"),
    *("<|startoflm|>", "<|startofprev|>", "<|nocaptions|>", "<|notimestamps|>"),
)


def write(source: str, folder: Path) -> None:
    """Write a checkpoint into a folder."""
    import transformers

    whisper_vocabulary(folder)
    write_json(folder / "normalizer.json", {"colour": "color", "grey": "gray"})
    tokenizer = transformers.WhisperTokenizer(
        str(folder / "vocab.json"),
        str(folder / "merges.txt"),
        str(folder / "normalizer.json"),
        pad_token="<|endoftext|>",
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|endoftext|>", *_MARKS]})
    place = {mark: tokenizer.convert_tokens_to_ids(mark) for mark in ("<|endoftext|>", *_MARKS)}
    start, end, no_times = place["<|startoftranscript|>"], place["<|endoftext|>"], place["<|notimestamps|>"]
    forced = [[1, place["<|en|>"]], [2, place["<|transcribe|>"]], [3, no_times]]
    config = transformers.WhisperConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_source_positions=100,
        max_target_positions=96,
        decoder_start_token_id=start,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        forced_decoder_ids=forced,
        begin_suppress_tokens=[place["<|nocaptions|>"], end],
        suppress_tokens=None,
    )
    model = fill(transformers.WhisperForConditionalGeneration(config))
    model.save_pretrained(folder)
    said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    write_json(folder / "config.json", said | {"architectures": ["WhisperForAudioCaptioning"]})
    settings = {"begin_suppress_tokens": [place["<|nocaptions|>"], end], "bos_token_id": end, "eos_token_id": end}
    settings |= {"decoder_start_token_id": start, "forced_decoder_ids": forced, "pad_token_id": end}
    write_json(folder / "generation_config.json", settings | {"max_length": 96, "no_timestamps_token_id": no_times})
    extractor = transformers.WhisperFeatureExtractor(chunk_length=2)
    transformers.WhisperProcessor(extractor, tokenizer).save_pretrained(folder)
    (folder / "model_class.py").write_text('raise SystemExit("code of a checkpoint was run")\n', encoding="utf-8")


def answers(source: str, folder: Path) -> dict[str, Any]:
    """What the release itself makes of the files: logits behind the prefix, and a greedy caption."""
    import torch
    import transformers

    model = transformers.WhisperForConditionalGeneration.from_pretrained(folder).eval()
    processor = transformers.WhisperProcessor.from_pretrained(folder)
    features = processor(audio(16_000, _SECONDS), sampling_rate=16_000, return_tensors="pt").input_features
    opening = [model.generation_config.decoder_start_token_id]
    opening += [token for _, token in model.generation_config.forced_decoder_ids]
    opening += processor.tokenizer(_PREFIX, add_special_tokens=False).input_ids
    ids = torch.tensor([opening])
    with torch.no_grad():
        encoded = model.model.encoder(features)
        logits = model(encoder_outputs=encoded, decoder_input_ids=ids).logits
        for _ in range(20):
            step = model(encoder_outputs=encoded, decoder_input_ids=ids).logits[:, -1]
            if ids.shape[1] == len(opening):
                step[:, model.generation_config.begin_suppress_tokens] = -torch.inf
            ids = torch.cat([ids, step.argmax(dim=-1, keepdim=True)], dim=1)
            if ids[0, -1] == model.config.eos_token_id:
                break
    caption = processor.tokenizer.decode(ids[0, len(opening) :], skip_special_tokens=True)
    return {
        "opening": np.asarray(opening),
        "logits": np.asarray(logits[0]),
        "caption": np.array(" ".join(caption.split())),
        "seconds": np.array(_SECONDS),
    }
