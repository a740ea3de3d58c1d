"""The benchmark of long recordings, on a short one."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
from benchmark_scripts import load_benchmark


def test_each_step_prints_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = load_benchmark("long_recordings")
    path = tmp_path / "long.flac"
    script.write(path, 0.2, 8000, 2)
    assert soundfile.info(path).duration == 12
    done = {"load": "12 s in 2 of its channels", "windows": "6 windows", "drawing": "1600 x 300 pixels"}
    for step, what in done.items():
        assert script.measure(step, str(path), "", "") > 0
        assert f"| {step} | {what} |" in capsys.readouterr().out
    script.measure("answer", str(path), "toy", "classify")
    assert "| answer toy classify | hears " in capsys.readouterr().out
