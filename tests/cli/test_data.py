"""``zsavs data check``: what is there and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from zsavs.cli.main import main


def test_data_check_says_what_is_missing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "folder", str(folder)]) == 0
    assert "complete" in capsys.readouterr().out
    (folder / "wav" / "1.wav").unlink()
    assert main(["data", "check", "folder", str(folder)]) == 1
    assert "wav" in capsys.readouterr().out


def test_there_is_nothing_else_to_do_with_a_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "chek", "orchestra"]) == 2
    said = capsys.readouterr().err
    assert "check: there is no 'chek'; did you mean 'check'?" in said
    assert said.count("\n") == 1
