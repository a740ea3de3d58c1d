"""Single files of weights: formats, wrappings, what training runs note, and what is refused: code, ruins, programs."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from adapter_helpers import harmful_pickle
from safetensors.torch import save_file

from zsavs.errors import WeightsError
from zsavs.models.weight_file import read_weights

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.int64)}


def saved(content: Any, path: Path, **settings: Any) -> Path:
    torch.save(content, path, **settings)
    return path


def test_all_forms_give_the_same_tensors(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "plain.safetensors")
    parallel = {f"module.{name}": tensor for name, tensor in WEIGHTS.items()}
    paths = [
        tmp_path / "plain.safetensors",
        saved(WEIGHTS, tmp_path / "plain.pt"),
        saved(WEIGHTS, tmp_path / "old.bin", _use_new_zipfile_serialization=False),
        saved({"model": WEIGHTS}, tmp_path / "model.pth"),
        saved({"epoch": 3, "name": "run", "state_dict": parallel, "optimizer": {"state": {}}}, tmp_path / "run.pt"),
    ]
    for path in paths:
        read = read_weights(path)
        assert set(read) == set(WEIGHTS), path
        assert all(read[name].equal(tensor) for name, tensor in WEIGHTS.items())


@pytest.mark.parametrize("number", [np.float64(1e-4), np.float32(2), np.int64(7), np.bool_(True)])
def test_numbers_that_an_optimizer_noted_are_no_obstacle(number: Any, tmp_path: Path) -> None:
    """As in LAION-CLAP's files, whose learning rate is numpy's."""
    run = {"state_dict": WEIGHTS, "optimizer": {"param_groups": [{"lr": number, "params": [0]}]}}
    path = saved(run, tmp_path / "run.pt")
    with pytest.raises(Exception, match="Weights only load failed"):
        torch.load(path, weights_only=True)
    assert read_weights(path)["b"].equal(WEIGHTS["b"])
    with pytest.raises(Exception, match="Weights only load failed"):
        torch.load(path, weights_only=True)  # what is allowed is allowed to us alone


def test_code_does_not_run_and_is_named(tmp_path: Path) -> None:
    path, evidence = tmp_path / "evil.pt", tmp_path / "ran"
    path.write_bytes(harmful_pickle(evidence))
    with pytest.raises(
        WeightsError, match=r"evil\.pt: is more than weights: it asks for getattr, and so for code to be run.*again"
    ) as raised:
        read_weights(path)
    assert not evidence.exists()
    assert "\n" not in str(raised.value)


def test_settings_of_a_training_run_are_not_read_either(tmp_path: Path) -> None:
    path = saved({"model": WEIGHTS, "args": argparse.Namespace(lr=1)}, tmp_path / "run.pth")
    with pytest.raises(WeightsError, match=r"it asks for argparse\.Namespace, and so for code"):
        read_weights(path)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # torch.jit is going
def test_a_program_is_no_file_of_weights(tmp_path: Path) -> None:
    path = tmp_path / "ViT-B-32.pt"
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 3)), path)
    with pytest.raises(WeightsError, match=r"is a program \(TorchScript\) and no file of weights"):
        read_weights(path)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_file_that_is_cut_off_is_refused(suffix: str, share: float, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"model": WEIGHTS}, buffer)
    path = tmp_path / f"cut{suffix}"
    if suffix == ".safetensors":
        save_file(WEIGHTS, path)
        buffer = io.BytesIO(path.read_bytes())
    content = buffer.getvalue()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError, match=r"cut\.\w+: cannot be read as a file of weights .*cut off") as raised:
        read_weights(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {"model": {"a": 1}}, {1: torch.ones(1)}, {}, torch.ones(2)])
def test_what_is_no_tensors_by_name_is_refused(content: Any, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"holds no weights by name but a"):
        read_weights(saved(content, tmp_path / "odd.pt"))
