"""``zsavs demo``: the command; what its page shows is in test_demo.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from zsavs.cli import demo
from zsavs.cli.main import main


def test_demo_runs_without_a_network_and_says_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "very small trained models" in said
    assert "zsavs download base" in said
    assert len(list(tmp_path.glob("*.png"))) == len(demo.STRATEGIES) * len(demo.shipped_scenes())
    assert (tmp_path / "index.html").is_file()
