"""``zsavs label``: what it prints, its exit codes, and Ctrl-C."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from label_inputs import write_pairs

from zsavs.cli.main import main
from zsavs.testing import toy


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "in", 4)


def test_a_folder_is_labelled_and_nothing_is_done_twice(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["label", str(source), "--out", str(tmp_path / "out"), "--preset", "toy"]
    assert main(words) == 0
    said = capsys.readouterr()
    assert said.err == ""
    lines = said.out.splitlines()
    assert lines[0].startswith("4 of 4 items computed now, ")
    assert lines[1] == "2 done, 2 with nothing in view that sounds, 0 failed"
    assert (tmp_path / "out" / "answers-00000-of-00001.jsonl").is_file()
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["computed_now"], told["done"], told["out"]) == (0, 2, str(tmp_path / "out"))


def test_a_dry_run_shows_items_refusals_and_rules_and_writes_nothing(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "alone.png").touch()
    words = ["label", str(source), "--out", str(tmp_path / "out"), "--dry-run"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"4 images with their audio in {source}\n  000: 000.png + 000.wav\n")
    assert "1 left out\n  alone.png: no audio file alone.*" in said
    assert "a/1.jpg with a/1.wav" in said
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [item["id"] for item in told["items"]] == ["000", "001", "002", "003"]
    assert [refused["where"] for refused in told["refused"]] == ["alone.png"]
    assert not (tmp_path / "out").exists()


def test_items_that_fail_end_in_1_with_the_good_ones_written(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "001.png").write_bytes(b"no image")
    out = tmp_path / "out"
    assert main(["label", str(source), "--out", str(out), "--preset", "toy", "--strategy", "fused"]) == 1
    said = capsys.readouterr()
    assert "1 failed" in said.out
    assert f"1 of 4 items failed; {out / 'failures.jsonl'} says why; --retry-failed" in said.err
    assert len((out / "answers-00000-of-00001.jsonl").read_text().splitlines()) == 3


def test_ctrl_c_keeps_what_is_finished(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ground, asked = toy.ToyGrounder.ground, []

    def interrupted(self: toy.ToyGrounder, samples: Any, queries: Any) -> Any:
        asked.extend(sample.name for sample in samples)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return ground(self, samples, queries)

    monkeypatch.setattr(toy.ToyGrounder, "ground", interrupted)
    words = ["label", str(source), "--out", str(tmp_path / "out"), "--preset", "toy", "--batch-size", "1"]
    assert main(words) == 130
    assert capsys.readouterr().err == "zsavs: interrupted: interrupted; what was finished is kept\n"
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("2 of 4 items computed now")
    assert asked == ["000", "001", "002", "002", "003"]


def test_settings_and_parts_reach_the_strategies(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["label", str(source), "--out", str(tmp_path / "out"), "--preset", "toy", "--strategy", "fused"]
    assert main([*words, "--set", "min_z=99"]) == 0
    assert "0 done, 4 with nothing" in capsys.readouterr().out
    assert main([*words, "--set", "min_z=98"]) == 1
    assert "settings: {'min_z': 99" in capsys.readouterr().err


def test_another_engine_is_refused(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label", str(source), "--out", str(tmp_path / "out"), "--preset", "toy", "--engine", "spark"]) == 1
    assert "engine: there is 'local' and 'ray', got 'spark'" in capsys.readouterr().err
