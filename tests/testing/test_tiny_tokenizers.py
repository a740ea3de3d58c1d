"""Toy tokenizers: fixed ids, nothing unknown, no two texts alike, offsets, files."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from zsavs.testing.tiny.tokenizers import bert_tokenizer, clip_tokenizer, roberta_tokenizer

every_kind = pytest.mark.parametrize("make", [bert_tokenizer, roberta_tokenizer, lambda: clip_tokenizer(77)])
TEXTS = [
    "dog",
    "dogs",
    "piano",
    "a pi ano",
    "xylophone",
    "xylophones",
    "café",
    "cafe",
    "警笛",
    "🐶",
    "a.b",
    "ab",
    "",
    "<",
]


@every_kind
def test_different_texts_get_different_ids_and_none_is_unknown(make) -> None:  # type: ignore[no-untyped-def]
    tokenizer = make()
    ids = [tuple(tokenizer(text).input_ids) for text in TEXTS]
    assert len(set(ids)) == len(TEXTS)
    assert not any(tokenizer.unk_token_id in row for row in ids)
    assert max(map(max, ids)) < len(tokenizer)
    assert sorted(tokenizer.get_vocab().values())[-1] == len(tokenizer) - 1


@every_kind
def test_a_saved_tokenizer_comes_back_the_same(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tokenizer = make()
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    settings = {"padding": True, "truncation": True}
    assert again(TEXTS, **settings).data == tokenizer(TEXTS, **settings).data
    assert again.model_max_length == tokenizer.model_max_length


@every_kind
def test_offsets_point_into_the_text(make) -> None:  # type: ignore[no-untyped-def]
    text = "A dog. Vacuum cleaner?"
    encoded = make()(text, return_offsets_mapping=True, add_special_tokens=False)
    pieces = [text[start:end] for start, end in encoded["offset_mapping"]]
    assert "".join(pieces) == text.replace(" ", "")
    assert pieces[:3] == ["A", "dog", "."]


def test_grounding_dinos_ids_are_where_it_expects_them() -> None:
    assert bert_tokenizer()(". ?").input_ids == [101, 1012, 1029, 102]
    assert "token_type_ids" in bert_tokenizer()("dog")


def test_clip_ends_with_the_largest_id_even_when_cut() -> None:
    tokenizer = clip_tokenizer()
    ids = tokenizer(["dog", "word " * 100], padding="max_length", truncation=True).input_ids
    assert [len(row) for row in ids] == [16, 16]
    assert [row.index(max(row)) for row in ids] == [2, 15]
    assert max(ids[0]) == tokenizer.eos_token_id == len(tokenizer) - 1
    assert ids[0][3:] == [tokenizer.pad_token_id] * 13 == [0] * 13


def test_a_very_long_word_is_tokenized_in_time() -> None:
    assert len(bert_tokenizer()("x" * 100_000).input_ids) == 2 + 50_000
