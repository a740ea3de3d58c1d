"""Merging the shards of a run: the numbers are those of a run that was never cut."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from evaluation_set import plan

from zsavs.datasets.folder import Folder
from zsavs.errors import InputError
from zsavs.evaluation import evaluate, merge


def test_shards_merge_to_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    evaluate(Folder(folder), plan(), tmp_path / "whole")
    for part in range(3):
        evaluate(Folder(folder), plan(shard=(part, 3)), tmp_path / f"part{part}")
    merge([tmp_path / f"part{part}" for part in (2, 0, 1)], tmp_path / "merged")
    assert (tmp_path / "merged" / "metrics.json").read_bytes() == (tmp_path / "whole" / "metrics.json").read_bytes()
    with pytest.raises(InputError, match="missing"):
        merge([tmp_path / "part0", tmp_path / "part1"], tmp_path / "again")
    with pytest.raises(InputError, match="another shard too"):
        merge([tmp_path / "part0", tmp_path / "part0"], tmp_path / "again")


def test_shards_of_copies_in_several_places_merge(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    evaluate(Folder(folder), plan(), tmp_path / "whole")
    for part, root in enumerate((folder, tmp_path / "copy")):
        evaluate(Folder(root), plan(shard=(part, 2)), tmp_path / f"part{part}")
    report = merge([tmp_path / "part0", tmp_path / "part1"], tmp_path / "merged")
    assert (tmp_path / "merged" / "metrics.json").read_bytes() == (tmp_path / "whole" / "metrics.json").read_bytes()
    roots = [str(folder.resolve()), str((tmp_path / "copy").resolve())]
    assert json.loads((tmp_path / "merged" / "settings.json").read_text())["root"] == roots
    assert report["dataset"]["root"] == roots
    assert ", ".join(roots) in (tmp_path / "merged" / "report.md").read_text().replace("\\", "")
