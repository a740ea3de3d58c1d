"""``zsavs demo``: the command; what its page shows is in test_demo.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from zsavs.cli import demo
from zsavs.cli.demo import scenes
from zsavs.cli.main import main


def test_demo_runs_without_a_network_and_says_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On one of its scenes and without the clip; on all of them below."""
    monkeypatch.setattr(scenes, "_SHIPPED", scenes._SHIPPED[:1])
    monkeypatch.setattr(demo, "shipped_clip", lambda: None)
    assert main(["demo", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "very small trained models" in said
    assert "zsavs download base" in said
    assert len(list(tmp_path.glob("*.png"))) == len(demo.STRATEGIES) * len(demo.shipped_scenes())
    assert (tmp_path / "index.html").is_file()


def test_the_scenes_of_the_demo_come_with_zsavs() -> None:
    assert tuple(scene.name for scene in demo.shipped_scenes()) == scenes._SHIPPED


@pytest.mark.full
def test_demo_runs_on_all_its_scenes(tmp_path: Path) -> None:
    assert main(["demo", "--out", str(tmp_path)]) == 0
    assert len(list(tmp_path.glob("*.png"))) == len(demo.STRATEGIES) * len(scenes._SHIPPED)
    assert (tmp_path / "index.html").is_file()
    assert (tmp_path / "page" / "in_turn_000.html").is_file()
