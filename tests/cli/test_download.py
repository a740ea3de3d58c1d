"""``zsavs download``: size and licence first."""

from __future__ import annotations

import pytest

from zsavs.build import availability
from zsavs.cli.main import main
from zsavs.errors import MissingWeights
from zsavs.storage.weights import WeightCard


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


def test_small_sizes_are_shown_with_their_decimals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cards = {
        "tagger": WeightCard("https://example.org/a.pt", "MIT", 3.66, ""),
        "joint": WeightCard("o/n", "MIT", 0.1, ""),
    }
    monkeypatch.setattr(availability, "preset_cards", lambda _: cards)
    assert main(["download", "base", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "base: 2 checkpoints, about 3.76 MB in all\n" in said
    assert "https://example.org/a.pt (revision main): about 3.66 MB, licence MIT (model card)" in said
    assert main(["list", "preset"]) == 0
    assert "tagger: https://example.org/a.pt, 3.66 MB, MIT\n" in capsys.readouterr().out
    assert "zsavs download base (3.76 MB)" in _offer()


def _offer() -> str:
    with pytest.raises(MissingWeights) as raised:
        availability.first_preset_here(["base"])
    return str(raised.value)
