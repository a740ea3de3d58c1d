"""``zsavs doctor``: whether zsavs can run here."""

from __future__ import annotations

import pytest

from zsavs.cli import doctor
from zsavs.cli.main import main


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
