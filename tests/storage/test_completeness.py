"""A checkpoint's folder is whole or says what it lacks: alternatives, shards, empty files, links that lead nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zsavs.storage.completeness import approximate_mb, is_whole, lacking

TOKENIZER = "tokenizer.json | vocab.json + merges.txt"
WEIGHTS = "model.safetensors | model.safetensors.index.json | pytorch_model.bin"
SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text("w")
    return folder


@pytest.mark.parametrize(
    ("files", "lacks"),
    [
        (["tokenizer.json"], []),
        (["vocab.json", "merges.txt"], []),
        (["tokenizer.json", "vocab.json"], []),
        (["vocab.json"], ["merges.txt"]),
        (["merges.txt"], ["vocab.json"]),
        ([], ["tokenizer.json or vocab.json + merges.txt"]),
    ],
)
def test_one_of_the_alternatives_has_to_be_whole(files: list[str], lacks: list[str], tmp_path: Path) -> None:
    assert lacking(fill(tmp_path, *files), [TOKENIZER]) == lacks


def test_every_need_has_to_be_met_and_each_file_is_named_once(tmp_path: Path) -> None:
    fill(tmp_path, "merges.txt")
    needs = ["config.json", TOKENIZER, "vocab.json + merges.txt", WEIGHTS]
    assert lacking(tmp_path, needs) == ["config.json", "vocab.json", "model.safetensors or pytorch_model.bin"]
    assert lacking(tmp_path, []) == []


def test_an_empty_file_is_not_there_even_beside_another_alternative(tmp_path: Path) -> None:
    """The loader takes the empty one and fails."""
    fill(tmp_path, "vocab.json", "merges.txt", "pytorch_model.bin")
    (tmp_path / "tokenizer.json").touch()
    assert not is_whole(tmp_path / "tokenizer.json")
    assert lacking(tmp_path, [TOKENIZER, "config.json"]) == ["tokenizer.json (empty)", "config.json"]
    (tmp_path / "model.safetensors").touch()
    assert lacking(tmp_path, [WEIGHTS]) == ["model.safetensors (empty)"]


def test_a_link_that_leads_nowhere_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").symlink_to(tmp_path / "blobs" / "gone")
    assert lacking(tmp_path, [WEIGHTS]) == ["model.safetensors"]
    fill(tmp_path, "blob")
    (tmp_path / "config.json").symlink_to(tmp_path / "blob")
    assert lacking(tmp_path, ["config.json"]) == []
    fill(tmp_path, "pytorch_model.bin")
    assert lacking(tmp_path, [WEIGHTS]) == [], "the loader passes the link over"


def test_an_index_needs_every_shard_that_it_names(tmp_path: Path) -> None:
    index = {"weight_map": {"a": SHARDS[0], "b": SHARDS[1], "c": SHARDS[1]}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    fill(tmp_path, SHARDS[0])
    assert lacking(tmp_path, [WEIGHTS]) == [SHARDS[1]]
    fill(tmp_path, "pytorch_model.bin")
    assert lacking(tmp_path, [WEIGHTS]) == [SHARDS[1]], "the loader prefers the index"
    fill(tmp_path, SHARDS[1])
    assert lacking(tmp_path, [WEIGHTS]) == []


@pytest.mark.parametrize("text", ["not json", "[]", '{"weight_map": [1]}', "{}", "[" * 100_000])
def test_an_index_that_cannot_be_read_is_lacking(text: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(text)
    assert lacking(tmp_path, [WEIGHTS]) == ["model.safetensors.index.json (unreadable)"]


def test_a_star_stands_for_any_file_of_a_kind(tmp_path: Path) -> None:
    assert lacking(tmp_path, ["*.safetensors | *.bin"]) == ["*.safetensors or *.bin"]
    (tmp_path / "any.bin").touch()
    assert lacking(tmp_path, ["*.safetensors | *.bin"]) == ["any.bin (empty)"]
    fill(tmp_path, "other.bin")
    assert lacking(tmp_path, ["*.safetensors | *.bin"]) == []


def test_texts_are_small_and_weights_are_the_whole_size() -> None:
    assert approximate_mb(["vocab.json", "merges.txt"], 614) == pytest.approx(1.4)
    assert approximate_mb(["tokenizer.json or vocab.json + merges.txt", "config.json"], 614) == pytest.approx(3.51)
    assert approximate_mb(["tokenizer.json (empty)"], 614) == pytest.approx(2.1, abs=0.05)
    assert approximate_mb(["config.json", "model.safetensors or pytorch_model.bin"], 614) == 614
    assert approximate_mb([SHARDS[1]], 689) == 689
    assert approximate_mb([], 614) == 0
