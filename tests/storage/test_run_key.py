"""States of files and weights, and what is said of their differences."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zsavs.storage.run_key import differences, file_states, listed, sizes_only, weight_states
from zsavs.storage.weights import WeightCard


def card(source: str, revision: str = "main") -> WeightCard:
    return WeightCard(source, "MIT", 1, "nothing", revision)


def test_files_are_named_below_the_root_and_by_their_whole_path_elsewhere(tmp_path: Path) -> None:
    inside, outside = tmp_path / "set" / "a" / "x.png", tmp_path / "y.wav"
    inside.parent.mkdir(parents=True)
    inside.write_bytes(b"123")
    states = file_states([inside, outside], tmp_path / "set")
    assert states == {"a/x.png": [3, inside.stat().st_mtime_ns], str(outside): None}


def test_a_folder_of_weights_is_known_by_sizes_and_times(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors", ".cache/lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12")
    before = weight_states([card(str(tmp_path)), card(str(tmp_path)), card("made in Python")])
    assert list(before) == [str(tmp_path)]
    assert list(before[str(tmp_path)]) == ["config.json", "model.safetensors"]
    (tmp_path / "model.safetensors").write_bytes(b"123")
    changed = differences({"weights": before}, {"weights": weight_states([card(str(tmp_path))])}, ["weights"])
    assert changed == [f"weights: {tmp_path}: model.safetensors: 2 bytes then, 3 bytes now"]


def test_weights_of_the_hub_are_known_by_their_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever they were fetched, on whatever machine."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    home, commit = tmp_path / "models--org--name", "c" * 40
    for folder in ("blobs", "refs", f"snapshots/{commit}"):
        (home / folder).mkdir(parents=True)
    (home / "refs" / "main").write_text(commit)
    (home / "blobs" / "ab12").write_bytes(b"weights")
    (home / "snapshots" / commit / "model.safetensors").symlink_to("../../blobs/ab12")
    found = weight_states([card("org/name", commit)])
    assert found == {"org/name": {"model.safetensors": "ab12"}}
    os.utime(home / "blobs" / "ab12", (1, 1))
    assert weight_states([card("org/name", commit)]) == found


def test_what_ships_with_zsavs_is_there() -> None:
    states = weight_states([card("zsavs:nano/sam2", "zsavs 0")])["zsavs:nano/sam2"]
    assert any(name.endswith(".safetensors") for name in states)
    assert all(isinstance(state, list) for state in states.values())


def test_the_same_size_is_told_apart_by_the_time() -> None:
    (text,) = differences({"x": [5, 1_700_000_000_000_000_000]}, {"x": [5, 1_700_000_000_500_000_000]})
    assert text.startswith("x: written 2023-11-1")
    assert ".000" in text.partition(" then, ")[0]
    assert ".500" in text.partition(" then, ")[2]


def test_many_differences_are_counted() -> None:
    changed = differences({}, {f"k{i}": i for i in range(9)})
    assert listed(changed).endswith("k4: None then, 4 now; and 4 more")


def test_sizes_only_forgets_times_however_deep() -> None:
    assert sizes_only({"a": {"x": [5, 77], "y": "ab12", "z": None}}) == {"a": {"x": [5], "y": "ab12", "z": None}}
