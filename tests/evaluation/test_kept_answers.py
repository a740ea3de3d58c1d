"""Answers that are kept: what changes beside them is scored anew, and no model is asked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_set import SOURCES, plan
from PIL import Image

from zsavs.cli.main import main
from zsavs.datasets.folder import Folder
from zsavs.errors import InputError, OutputError
from zsavs.evaluation import evaluate
from zsavs.testing import toy

KEPT: dict[str, Any] = {"refresh": True, "keep_answers": True}


@pytest.fixture
def data(folder: Path, tmp_path: Path) -> Path:
    """A copy of the data set, to be written to."""
    return Path(shutil.copytree(folder, tmp_path / "set"))


def metrics(run: Path) -> bytes:
    return (run / "metrics.json").read_bytes()


def fill(mask: Path) -> None:
    Image.fromarray(np.full((48, 64), 255, np.uint8)).save(mask)


def test_other_masks_are_scored_and_no_model_is_asked(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert evaluate(Folder(data), plan(), tmp_path / "run", **KEPT)["computed_now"] == len(SOURCES)
    for mask in (data / "gt_seg").iterdir():
        fill(mask)
    evaluate(Folder(data), plan(), tmp_path / "fresh")
    monkeypatch.setattr(toy.ToyAudioText, "encode_audio", lambda *_: pytest.fail("an item was answered again"))
    report = evaluate(Folder(data), plan(), tmp_path / "run", **KEPT)
    assert report["computed_now"] == 0
    assert metrics(tmp_path / "run") == metrics(tmp_path / "fresh")
    assert report["rows"][0]["fixed"]["J"] < 0.2


def test_of_a_batch_only_the_item_with_another_file_is_computed(data: Path, tmp_path: Path) -> None:
    alone = plan(audio=("recorded",), batch_size=12)
    evaluate(Folder(data), alone, tmp_path / "run", **KEPT)
    shutil.copyfile(data / "wav" / "01.wav", data / "wav" / "04.wav")
    with pytest.raises(OutputError, match=r"wav/04\.wav"):
        evaluate(Folder(data), alone, tmp_path / "run", keep_answers=True)
    assert evaluate(Folder(data), alone, tmp_path / "run", **KEPT)["computed_now"] == 1
    evaluate(Folder(data), alone, tmp_path / "fresh")
    assert metrics(tmp_path / "run") == metrics(tmp_path / "fresh")


def test_other_suites_batches_and_items_are_scored_from_what_is_kept(data: Path, tmp_path: Path) -> None:
    evaluate(Folder(data), plan(audio=("recorded",)), tmp_path / "run", **KEPT)
    other = plan(audio=("recorded",), suites=("baav",), batch_size=5)
    assert evaluate(Folder(data), other, tmp_path / "run", **KEPT)["computed_now"] == 0
    for part, ending in (("img", "png"), ("wav", "wav"), ("gt_seg", "png")):
        shutil.copyfile(data / part / f"03.{ending}", data / part / f"00a.{ending}")
        shutil.copyfile(data / part / ("02.png" if part == "img" else f"05.{ending}"), data / part / f"00b.{ending}")
    report = evaluate(Folder(data), other, tmp_path / "run", **KEPT)
    assert (report["dataset"]["items"], report["computed_now"]) == (14, 1), "one of the two is known by another name"
    evaluate(Folder(data), other, tmp_path / "fresh")
    assert metrics(tmp_path / "run") == metrics(tmp_path / "fresh")


def test_of_other_settings_everything_is_computed_and_the_old_answers_go(data: Path, tmp_path: Path) -> None:
    alone: dict[str, Any] = {"strategies": ("fused",), "audio": ("recorded",)}
    evaluate(Folder(data), plan(**alone), tmp_path / "run", **KEPT)
    before = {path.name for path in (tmp_path / "run" / "answers").iterdir()}
    other = plan(**alone, settings={"min_z": 50.0})
    assert evaluate(Folder(data), other, tmp_path / "run", **KEPT)["computed_now"] == len(SOURCES)
    after = {path.name for path in (tmp_path / "run" / "answers").iterdir()}
    assert len(before) == len(after) == 1
    assert before != after
    more = plan(strategies=("fused", "cross_modal"), audio=("recorded",), settings={"min_z": 50.0})
    evaluate(Folder(data), more, tmp_path / "run", **KEPT)
    assert after < {path.name for path in (tmp_path / "run" / "answers").iterdir()}, "fused is as it was"


def test_a_broken_answer_is_asked_for_again_and_images_are_drawn_from_kept_ones(data: Path, tmp_path: Path) -> None:
    alone = plan(strategies=("fused",), audio=("recorded",), batch_size=12)
    evaluate(Folder(data), alone, tmp_path / "run", **KEPT)
    kept = sorted((tmp_path / "run" / "answers").glob("*/*.json"))
    assert len(kept) == len(SOURCES)
    kept[0].write_text("{")
    fill(data / "gt_seg" / "00.png")
    report = evaluate(Folder(data), alone, tmp_path / "run", visuals=1, **KEPT)
    assert report["computed_now"] == 1
    assert (tmp_path / "run" / "visuals" / "fused_best_1.png").exists()


def test_where_answers_cannot_be_kept_it_is_said(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="kept in the run folder"):
        evaluate(Folder(data), plan(), keep_answers=True)
    run = ["eval", "--root", str(data), "--preset", "toy", "--strategy", "fused", "--out", str(tmp_path / "run")]
    assert main([*run, "--keep-answers", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["computed_now"] == len(SOURCES)

    def full(*_: Any) -> None:
        raise OutputError("answers: cannot be written (no space)")

    monkeypatch.setattr("zsavs.evaluation.kept_answers.write_atomically", full)
    with pytest.raises(OutputError, match="no space"):
        evaluate(Folder(data), plan(), tmp_path / "other", keep_answers=True)
