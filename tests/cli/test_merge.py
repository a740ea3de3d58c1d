"""``zsavs merge``: the shards of one evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest

from zsavs.cli.main import main


def test_shards_are_run_and_merged(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["eval", "--root", str(folder), "--preset", "toy", "--methods", "fused", "--batch-size", "1"]
    for part in ("1/2", "2/2"):
        assert main([*common, "--shard", part, "--out", str(tmp_path / part[0])]) == 0
    assert main(["merge", str(tmp_path / "1"), str(tmp_path / "2"), "--out", str(tmp_path / "all")]) == 0
    assert "4 items" in capsys.readouterr().out
    assert (tmp_path / "all" / "report.html").exists()
    assert main(["merge", str(tmp_path / "1"), "--out", str(tmp_path / "half")]) == 1
    assert "missing" in capsys.readouterr().err
    assert main([*common, "--shard", "3/2"]) == 2
