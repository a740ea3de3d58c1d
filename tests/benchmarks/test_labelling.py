"""The benchmark of labelling runs, and fails where memory grows with the items."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmark_scripts import load_benchmark


def test_it_prints_a_row_for_each_job_and_export_and_fails_where_memory_grows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labelling = load_benchmark("labelling")
    growing = 1.0

    def run(code: str, *arguments: Any) -> str:
        if "label" in code:
            count = len(list(Path(arguments[0]).glob("*.jpg")))
            Path(arguments[1]).mkdir()
            report = {"seconds": 2.0, "peak_memory_mb": 500 + growing * count}
            Path(arguments[1], "report.json").write_text(json.dumps(report))
        return "0.5 80"

    monkeypatch.setattr(labelling, "run", run)
    assert labelling.main(["--items", "8", "4", "--format", "coco"]) == 1
    rows = capsys.readouterr().out.splitlines()
    assert "| 4 | label | toy | local | 2.0 | 2.0 | 504 |" in rows
    assert "| 8 | export to coco |  |  | 0.5 | 16.0 | 80 |" in rows
    assert rows[-1] == "1000.00 kB for each further item"
    growing = 0.01
    assert labelling.main(["--items", "4", "8", "--format"]) == 0
