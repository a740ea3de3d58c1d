"""Preset pocket's first run, as its user types it, with the published files: download, segment, verify."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from local_hub import in_place_of_the_network
from real_files import REAL, needs_real_files

from zsavs.build import missing_weights
from zsavs.cli.main import main
from zsavs.datasets.photographs import shipped_photographs

pytestmark = needs_real_files


def test_download_segment_and_verify(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(REAL / "weights", tmp_path / "served")
    with in_place_of_the_network(tmp_path, monkeypatch):
        assert main(["download", "pocket"]) == 0, capsys.readouterr().err
    assert not missing_weights("pocket")
    capsys.readouterr()

    astronaut = next(each for each in shipped_photographs() if each.label == "person")
    assert main(["segment", str(astronaut.image.path), str(astronaut.audio.path), "--preset", "pocket", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["objects"][0]["phrase"] == "person"
    assert main(["verify", "pocket", "--out", "verified.md"]) == 0
    assert "checks pass" in Path("verified.md").read_text()
