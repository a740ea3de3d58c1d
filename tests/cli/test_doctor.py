"""``zsavs doctor``: whether zsavs can run here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from adapter_checkpoints import save
from adapter_helpers import into_hub_cache
from huggingface_hub import constants

from zsavs.build import missing_weights
from zsavs.cli import doctor
from zsavs.cli.main import main
from zsavs.models.clap import DEFAULT as CLAP
from zsavs.testing.tiny.encoders import tiny_clap


@pytest.mark.parametrize("fresh", [False, pytest.param(True, marks=pytest.mark.full)])
def test_doctor_finds_this_installation_healthy(
    fresh: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its imports take long in fresh interpreters; in this one others may have made them already."""
    if not fresh:
        monkeypatch.setattr(doctor, "_run", lambda code: exec(code, {}))
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for word in ("torch", "transformers", "preset base", "preset toy is present", "weights are looked for in"):
        assert word in said


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import json", None),
        ("import sys; print('warned', file=sys.stderr)", None),
        ("import nothing_of_the_kind", "ModuleNotFoundError: No module named 'nothing_of_the_kind'"),
        ("import os; os._exit(3)", "exit code 3"),
        ("import os; os.abort()", "exit code -6"),
    ],
)
def test_imports_are_tried_in_an_interpreter_of_their_own(code: str, problem: str | None) -> None:
    assert doctor._run(code) == problem


def test_a_terminal_gets_a_table_and_a_broken_installation_is_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["ok  torch 2.9", "--  no GPU", "!!  torchvision [cpu] is not installed; run: pip install zsavs"]
    monkeypatch.setattr(doctor, "examine", lambda: (False, lines))
    for terminal in (False, True):
        monkeypatch.setattr("zsavs.cli.console.is_terminal", lambda terminal=terminal: terminal)
        assert main(["doctor"]) == 1
        said = capsys.readouterr().out
        assert all(line[4:] in said for line in lines)
        assert ("what was found" in said) == terminal


# ------------------------------------------------------------------------------ checkpoints
@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache of this test's own, and no look at the installation."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(doctor, "_run", lambda code: None)
    return tmp_path / "hub"


def begin(hub: Path, tmp_path: Path, *files: str) -> None:
    """Put a CLAP with some of its files into the cache, as a broken download leaves it."""
    folder = tmp_path / "begun"
    folder.mkdir()
    for name in files:
        (folder / name).write_text("w")
    into_hub_cache(folder, CLAP, hub)


def test_a_preset_says_which_files_of_a_begun_checkpoint_are_missing(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(hub, tmp_path, "config.json", "pytorch_model.bin", "preprocessor_config.json", "tokenizer_config.json")
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (incomplete,) = [line for line in lines if "incomplete:" in line]  # once, though two presets have it
    assert incomplete == (
        f"--  incomplete: {CLAP} lacks tokenizer.json or vocab.json + merges.txt; zsavs download {CLAP} fetches what "
        "is missing (about 4 MB)"
    )
    (base,) = [line for line in lines if "preset base" in line]
    others = sum(card.size_mb for card in missing_weights("base") if card.source != CLAP)
    assert f"lacks 7 checkpoints, 1 of them incomplete, {others + 3.5:.0f} MB: zsavs download base" in base


def test_missing_weights_are_said_to_be_as_large_as_the_checkpoint(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(hub, tmp_path, "config.json", "preprocessor_config.json", "tokenizer_config.json", "vocab.json")
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert f"incomplete: {CLAP} lacks model.safetensors or pytorch_model.bin, merges.txt; zsavs download" in said
    assert "(about 614 MB)" in said


def test_deep_says_what_it_did_with_each_checkpoint(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into_hub_cache(save("clap", tiny_clap(), tmp_path / "clap"), CLAP, hub)
    assert main(["doctor", "--deep", "--preset", "base"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"ok  {CLAP}: 24 of 24 texts differ, a tone and a noise differ, cosines of texts and audio")


def test_deep_ends_with_1_where_a_checkpoint_is_broken(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tiny_clap()
    with torch.no_grad():
        for weights in broken.model.parameters():
            weights.zero_()
    into_hub_cache(save("clap", broken, tmp_path / "clap"), CLAP, hub)
    assert main(["doctor", "--deep", "--preset", "base"]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"!!  {CLAP}: its embeddings of texts are no rows of unit length")
    assert f"zsavs download {CLAP}" in last


@pytest.mark.usefixtures("hub")
def test_deep_without_a_checkpoint_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--deep", "--preset", "toy"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("--  preset toy has no checkpoint on this machine")


@pytest.mark.usefixtures("hub")
def test_a_preset_is_for_deep_and_has_to_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--preset", "nano"]) == 2
    assert "--deep" in capsys.readouterr().err
    assert main(["doctor", "--deep", "--preset", "nan"]) == 2
    assert "did you mean 'nano'" in capsys.readouterr().err
