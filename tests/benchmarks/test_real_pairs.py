"""The table of real pairs, on pairs of the toy world whose right numbers are known."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile
from benchmark_scripts import load_benchmark
from PIL import Image

from zsavs.errors import InputError
from zsavs.testing import toy


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return load_benchmark("real_pairs")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two positives, one of which nothing hears, and a negative."""
    folder = tmp_path_factory.mktemp("pairs")
    for part in ("img", "wav", "gt_seg"):
        (folder / part).mkdir()
    listed: list[dict[str, Any]] = []
    for name, kind, sounding in (("a", "positive", "red"), ("b", "positive", "blue"), ("c", "offscreen", "green")):
        sample, mask = toy.scene(("red", "blue"), (sounding,))
        Image.fromarray(sample.image).save(folder / "img" / f"{name}.png")
        soundfile.write(folder / "wav" / f"{name}.wav", sample.audio.waveform.T, sample.audio.sample_rate_hz)
        mask = mask if kind == "positive" else np.zeros_like(mask)
        Image.fromarray((255 * mask).astype(np.uint8)).save(folder / "gt_seg" / f"{name}.png")
        listed.append({"name": name, "kind": kind, "label": sounding})
    (folder / "manifest.json").write_text(json.dumps(listed), encoding="utf-8")
    return folder


def test_the_table_of_pairs_that_are_understood(benchmark: ModuleType, root: Path) -> None:
    text, j = benchmark.measure(root, "toy", ["fused"])
    assert j == {"fused": 100.0}
    assert "2 positives, 1 negatives, preset toy" in text
    rows = {tuple(cells[:2]): cells for cells in (line.strip("| ").split(" | ") for line in text.splitlines())}
    own, foreign = rows["fused", "own"], rows["fused", "shuffled"]
    assert own[2:6] == ["100.0", "100.0", "0.0", "0 of 1"]
    assert foreign[2] == "0.0", "red is looked for where blue is asked for"
    assert rows["told the class (an oracle)", "none"][2] == "100.0"
    assert rows["red", "1"][2:4] == ["100.0", "100.0"]


def test_errors_are_one_line(
    benchmark: ModuleType, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["--root", str(tmp_path)], ["--root", str(root), "--preset", "telepathy"]):
        assert benchmark.main(words) == 1
        said = capsys.readouterr().err
        assert said.startswith("real_pairs: ")
        assert said.count("\n") == 1


def test_the_tables_are_written_too(benchmark: ModuleType, root: Path, tmp_path: Path) -> None:
    out = tmp_path / "tables.md"
    assert benchmark.main(["--root", str(root), "--preset", "toy", "--strategy", "fused", "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8").startswith("# Real pairs")


def test_a_drop_is_told_and_the_better_scores_stay(
    benchmark: ModuleType, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "scores.json"
    words = ["--root", str(root), "--preset", "toy", "--strategy", "fused", "--scores", str(kept)]
    assert benchmark.main(words) == 0
    assert json.loads(kept.read_text()) == {"fused": 100.0}
    benchmark.check_drop(kept, {"fused": 99.2}, 1.0)
    assert json.loads(kept.read_text()) == {"fused": 99.2}
    for scores in ({"fused": 98.0}, {"classify": 100.0}):
        with pytest.raises(InputError, match=r"^J fell by more than 1 points: fused 99\.2 to "):
            benchmark.check_drop(kept, scores, 1.0)
    assert json.loads(kept.read_text()) == {"fused": 99.2}
    kept.write_text("[]")
    assert benchmark.main(words) == 1
    assert "is no list of scores" in capsys.readouterr().err
