"""Images of the best and worst items: as many as asked for, and kept when shards are merged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from evaluation_set import plan
from PIL import Image

from zsavs.datasets.folder import Folder
from zsavs.errors import InputError
from zsavs.evaluation import evaluate, merge


def test_visuals_are_drawn(folder: Path, tmp_path: Path) -> None:
    report = evaluate(Folder(folder), plan(limit=4), tmp_path / "run", visuals=1)
    for cases in report["cases"].values():
        for kind in ("best", "worst"):
            assert Image.open(tmp_path / "run" / cases[kind][0]["picture"]).width > 500


def test_as_many_visuals_are_drawn_as_were_asked_for(folder: Path, tmp_path: Path) -> None:
    report = evaluate(Folder(folder), plan(strategies=("fused",), audio=("recorded",)), tmp_path / "run", visuals=5)
    for kind in ("best", "worst"):
        assert len(report["cases"]["fused"][kind]) == 5
        assert all((tmp_path / "run" / case["picture"]).exists() for case in report["cases"]["fused"][kind])
    with pytest.raises(InputError, match="kept in the run folder"):
        evaluate(Folder(folder), plan(), visuals=5)


def test_merging_keeps_the_images_of_the_best_and_worst_of_all(folder: Path, tmp_path: Path) -> None:
    small = {"strategies": ("fused",), "audio": ("recorded",)}
    whole = evaluate(Folder(folder), plan(**small), tmp_path / "whole", visuals=2)
    for part in range(2):
        evaluate(Folder(folder), plan(**small, shard=(part, 2)), tmp_path / f"part{part}", visuals=2)
    merged = merge([tmp_path / "part1", tmp_path / "part0"], tmp_path / "merged")
    assert merged["cases"] == whole["cases"]
    for kind in ("best", "worst"):
        assert len(merged["cases"]["fused"][kind]) == 2
        for case in merged["cases"]["fused"][kind]:
            drawn = [Image.open(tmp_path / run / case["picture"]).tobytes() for run in ("whole", "merged")]
            assert drawn[0] == drawn[1], "the image of this very item"
    assert json.loads((tmp_path / "merged" / "report.json").read_text())["cases"] == whole["cases"]
