"""``zsavs download``: size and licence first."""

from __future__ import annotations

import pytest

from zsavs.cli.main import main


def test_download_shows_size_and_licence_and_fetches_nothing_on_a_dry_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "base", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "facebook/sam2.1-hiera-tiny" in said
    assert "MB" in said
    assert "Apache-2.0" in said


def test_download_without_a_network_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "base"]) == 1
    said = capsys.readouterr()
    assert "licence" in said.out  # told before anything was tried
    assert said.err.count("\n") == 1
    assert "could not be fetched" in said.err
