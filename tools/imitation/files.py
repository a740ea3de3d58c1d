"""The files that a repository of the hub holds beside its weights, written as they are there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.imitation.vocabulary import WORDS, byte_pairs, byte_symbols, word_pieces

__all__ = [
    "clip_vocabulary",
    "modernbert_tokenizer",
    "remove",
    "roberta_vocabulary",
    "whisper_vocabulary",
    "wordpiece_vocabulary",
    "write_json",
]


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON as the hub's repositories have it: two blanks, sorted."""
    path.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def remove(folder: Path, *names: str) -> None:
    """Remove files that a release writes and the published repository lacks; those that are not there are no matter."""
    for name in names:
        (folder / name).unlink(missing_ok=True)


def wordpiece_vocabulary(folder: Path, *, true_places: bool) -> int:
    """Write BERT's vocab.txt; returns how many entries it has."""
    lines = word_pieces(true_places=true_places)
    (folder / "vocab.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines)


def roberta_vocabulary(folder: Path) -> int:
    """Write RoBERTa's vocab.json and merges.txt; returns how many entries it has, "<mask>" last."""
    return _pairs(
        folder, [["Ġ", *word] for word in WORDS], ["<s>", "<pad>", "</s>", "<unk>"], byte_symbols(), ["<mask>"]
    )


def whisper_vocabulary(folder: Path) -> int:
    """Write the vocab.json and merges.txt of Whisper; returns how many entries it has, "<|endoftext|>" last."""
    return _pairs(folder, [["Ġ", *word] for word in WORDS], [], byte_symbols(), ["<|endoftext|>"])


def clip_vocabulary(folder: Path) -> int:
    """Write CLIP's vocab.json and merges.txt; returns how many entries it has, "<|endoftext|>" last."""
    symbols = byte_symbols()
    ends = [f"{symbol}</w>" for symbol in symbols]
    words = [[*word[:-1], f"{word[-1]}</w>"] for word in WORDS]
    return _pairs(folder, words, [], [*symbols, *ends], ["<|startoftext|>", "<|endoftext|>"])


def modernbert_tokenizer() -> Any:
    """A tokenizer in the manner of ModernBERT, as transformers 5 keeps it: one file, its marks behind the words."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    merges = byte_pairs([["Ġ", *word] for word in WORDS])
    entries = [*byte_symbols(), *("".join(pair) for pair in merges), "[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    places = {entry: place for place, entry in enumerate(entries)}
    tokenizer = Tokenizer(models.BPE(places, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    marks = [("[CLS]", places["[CLS]"]), ("[SEP]", places["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=marks)
    names = {f"{mark.lower()}_token": f"[{mark}]" for mark in ("UNK", "CLS", "SEP", "PAD", "MASK")}
    inputs = ["input_ids", "attention_mask"]
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=8192, model_input_names=inputs, **names
    )


def _pairs(
    folder: Path, words: Iterable[list[str]], first: Sequence[str], symbols: Sequence[str], last: Sequence[str]
) -> int:
    merges = byte_pairs(words)
    entries = [*first, *symbols, *("".join(pair) for pair in merges), *last]
    vocabulary = {entry: place for place, entry in enumerate(entries)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(entries)
