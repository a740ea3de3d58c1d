"""``zsavs doctor``: whether zsavs can run here."""

from __future__ import annotations

import pytest

from zsavs.cli import doctor
from zsavs.cli.main import main


def test_doctor_finds_this_installation_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for word in ("torch", "transformers", "preset base", "preset toy is present", "weights are looked for in"):
        assert word in said


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
