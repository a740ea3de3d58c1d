"""``zsavs eval``: strategies on a data set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zsavs
from zsavs.cli.main import main


def test_eval_decomposes_the_audio(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["eval", "--root", str(folder), "--preset", "toy", "--strategy", "fused", "--out", str(tmp_path / "run")]
    assert main([*run, "--decomposition", "nmf", "--stereo"]) == 0
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert (settings["decomposition"], settings["stereo"]) == ("nmf", True)
    capsys.readouterr()
    assert main(run) == 1, "another plan in the same folder"
    assert "decomposition" in capsys.readouterr().err


def test_eval_scores_a_folder(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(["eval", "--test_data_path", str(folder), "--preset", "toy", "--out", str(out)]) == 0
    assert "cross_modal" in capsys.readouterr().out
    report = json.loads((out / "report.json").read_text())
    assert report["dataset"]["done"] == 4
    for name in zsavs.list_components("strategy"):
        means = next(r for r in report["rows"] if (r["strategy"], r["audio"]) == (name, "recorded"))["fixed"]
        assert means["J"] > 0.99
        assert means["empty"] == 0.25  # the off-screen item
        assert means["false_positive_share"] < 0.01


def test_eval_opens_the_data_set_with_the_options_given(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["eval", "--root", str(folder), "--preset", "toy", "--strategy", "fused", "--no-ablations"]
    assert main([*run, "--option", "target_size=32", "--out", str(tmp_path / "run")]) == 0
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert settings["dataset_options"] == {"target_size": 32}
    assert main(["data", "check", "folder", str(folder), "--option", "target_size=none"]) == 0
    capsys.readouterr()
    for option, code, said in (
        ("size=32", 2, "target_size"),
        ("target_size=big", 1, "int"),
        ("target_size", 1, "NAME=VALUE"),
    ):
        assert main([*run, "--option", option]) == code
        assert said in capsys.readouterr().err


def test_eval_keeps_images_in_a_run_folder_only(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["eval", "--root", str(folder), "--preset", "toy", "--strategy", "fused", "--save-visuals"]
    assert main([*run, "2"]) == 2
    assert "--out" in capsys.readouterr().err
    assert main([*run, "-1"]) == 2


def test_eval_records_a_bad_item_and_goes_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "wav" / "1.wav").write_bytes(b"no audio")
    assert main(["eval", "--root", str(folder), "--preset", "toy", "--methods", "fused", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["dataset"]["done"] == 3
    assert [row["item"] for row in report["dataset"]["failed"]] == ["1"]
    assert "1.wav" in report["dataset"]["failed"][0]["error"]


def test_eval_says_how_many_failed_where_they_are_listed_and_tries_them_again_when_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = (folder / "wav" / "1.wav").read_bytes()
    (folder / "wav" / "1.wav").write_bytes(b"no audio")
    run = ["eval", "--root", str(folder), "--preset", "toy", "--methods", "fused", "--out", str(tmp_path / "run")]
    assert main([*run, "--json"]) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert "1 of 4 items failed" in last
    assert str(tmp_path / "run" / "report.html") in last
    assert "--retry-failed" in last
    assert main(run) == 0
    said = capsys.readouterr()
    assert "1 of 4 items failed" in said.err, "what is finished is not begun again"
    assert "0 of 4 items computed now" in said.out
    (folder / "wav" / "1.wav").write_bytes(good)
    assert main(run) == 1, "and not answered for once it has changed"
    assert "wav/1.wav: 8 bytes then" in capsys.readouterr().err
    assert main([*run, "--retry-failed"]) == 0
    said = capsys.readouterr()
    assert "failed" not in said.err
    assert "4 items;" in said.out
    assert "4 of 4 items computed now" in said.out


def test_eval_says_what_has_changed_and_computes_just_that_again(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["eval", "--root", str(folder), "--preset", "toy", "--methods", "fused", "--no-ablations"]
    run += ["--batch-size", "1", "--out", str(tmp_path / "run")]
    assert main(run) == 0
    assert "4 of 4 items computed now" in capsys.readouterr().out
    Image.new("L", (64, 64), 255).resize(Image.open(folder / "img" / "2.png").size).save(folder / "gt_seg" / "2.png")
    assert main(run) == 1
    said = capsys.readouterr().err
    assert "gt_seg/2.png" in said
    assert "--refresh" in said
    assert main([*run, "--refresh", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["computed_now"] == 1
    red = (np.asarray(Image.open(folder / "gt_seg" / "0.png")) > 0).mean()
    assert report["rows"][0]["fixed"]["J"] == pytest.approx((3 + red) / 4, abs=0.02), "all of 2.png would be right now"
    assert main([*run[:-2], "--refresh"]) == 2, "of no run"


def test_eval_limit_and_batch_size_do_not_change_scores(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reports = []
    for size in ("1", "3"):
        arguments = ["eval", "--root", str(folder), "--preset", "toy", "--limit", "3", "--batch-size", size, "--json"]
        assert main(arguments) == 0
        reports.append(json.loads(capsys.readouterr().out))
    assert reports[0]["dataset"]["done"] == 3
    fixed = [[(row["strategy"], row["audio"], row["fixed"]) for row in report["rows"]] for report in reports]
    assert fixed[0] == fixed[1]


def test_eval_fails_where_nothing_could_be_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (folder / "img").iterdir():
        path.write_bytes(b"")
    assert main(["eval", "--root", str(folder), "--preset", "toy"]) == 1
    assert "no item could be evaluated" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["img", "wav", "gt_seg"])
def test_eval_names_the_folder_that_is_missing(folder: Path, missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / missing).rename(folder / "elsewhere")
    assert main(["eval", "--root", str(folder), "--preset", "toy"]) == 1
    assert str(folder / missing) in capsys.readouterr().err
