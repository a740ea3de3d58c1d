"""``--part`` and ``--set``: read from texts, refused in one line, and used by every command that runs a strategy."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from adapter_checkpoints import save
from open_clip_folders import CLIP_LIKE, export
from PIL import Image

import zsavs
from zsavs.cli.main import main
from zsavs.cli.overrides import typed
from zsavs.testing import toy
from zsavs.testing.tiny.audio import tiny_whisper
from zsavs.testing.tiny.detectors import tiny_owlv2
from zsavs.testing.tiny.joint import tiny_pe_av
from zsavs.testing.tiny.segmenters import tiny_sam2


# ------------------------------------------------------------------------------------ values
def _typed(annotation: Any, text: str, default: Any = None) -> Any:
    return typed(inspect.Parameter("x", inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default), text)


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("int", "5", 5),
        (int, "5", 5),
        ("float", "5", 5.0),
        ("float", "-1e-3", -0.001),
        ("bool", "False", False),
        ("str", "5", "5"),
        ("int | None", "none", None),
        ("int | None", "3", 3),
        ("float | Sequence[float]", "0.3", 0.3),
        ("float | Sequence[float]", "0.1,0.2", (0.1, 0.2)),
        ("tuple[float, ...]", "1", (1.0,)),
        ("str | Sequence[str]", "a b, c", ("a b", "c")),
        ("str | Path | Mapping[str, str | None] | None", "table.json", "table.json"),
        ("Literal['crop', 'highlight']", "highlight", "highlight"),
    ],
)
def test_a_value_has_the_type_of_its_annotation(annotation: Any, text: str, value: Any) -> None:
    read = _typed(annotation, text)
    assert (read, type(read)) == (value, type(value))


def test_without_an_annotation_the_default_says_it() -> None:
    assert _typed(inspect.Parameter.empty, "3", 1.5) == 3.0
    assert _typed(inspect.Parameter.empty, "3,4", (1,)) == (3.0, 4.0)
    assert _typed(inspect.Parameter.empty, "true", False) is True


@pytest.mark.parametrize(
    ("annotation", "text", "words"),
    [
        ("int", "2.5", "a whole number"),
        ("float", "nan", "a number"),
        ("bool", "yes", "true or false"),
        ("float | Sequence[float]", "wide", "a number or numbers with commas"),
        ("Literal['crop', 'highlight']", "crp", "one of crop, highlight"),
        ("Callable[[str], list[str]]", "x", "in Python alone"),
    ],
)
def test_a_value_of_another_kind_is_refused_in_words(annotation: str, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        _typed(annotation, text)


# ------------------------------------------------------------------------------- wrong usage
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--part", "grounde=toy"], "no role of a part named 'grounde'; did you mean 'grounder'?"),
        (["--part", "grounder=toi"], "no grounder named 'toi'; did you mean 'toy'?"),
        (["--part", "grounder"], "--part: expected ROLE=NAME or ROLE=NAME:CHECKPOINT"),
        (["--part", "grounder="], "--part: expected"),
        (["--part", "grounder=toy", "--part", "grounder=toy"], "grounder was given twice"),
        (["--set", "min_zed=1"], "no setting of fused named 'min_zed'; did you mean 'min_z'?"),
        (["--set", "verifier.temprature=1"], "did you mean 'verifier.temperature'?"),
        (["--set", "min_z=much"], "--set: min_z=much: it must be a number"),
        (["--set", "top_k"], "--set: expected NAME=VALUE"),
        (["--set", "vocabulary=x"], "--vocabulary"),
    ],
)
def test_wrong_parts_and_settings_are_2_and_one_line(
    words: list[str], said: str, pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["segment", *pair, "--preset", "toy", "--strategy", "fused", "--out", str(tmp_path / "out"), *words]
    assert main(run) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_setting_out_of_range_is_one_line(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["segment", *pair, "--preset", "toy", "--out", str(tmp_path), "--set", "top_k=-1"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


# ------------------------------------------------------------------------------- every command
def test_settings_change_the_answer_of_segment_and_compare(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = [*pair, "--preset", "toy", "--strategy", "fused", "--out", str(tmp_path), "--json"]
    for command, answer in (("segment", lambda told: told), ("compare", lambda told: told["fused"])):
        assert main([command, *common]) == 0
        assert len(_objects(capsys, answer)) == 1
        assert main([command, *common, "--set", "top_k=0", "--set", "verifier.margin=0.2"]) == 0
        assert _objects(capsys, answer) == []
    saved = zsavs.AVSResult.load(tmp_path / "scene.json")
    assert saved.meta["settings"] == {"top_k": 0, "verifier.margin": 0.2}


def _objects(capsys: pytest.CaptureFixture[str], answer: Callable[[Any], Any]) -> Sequence[Any]:
    objects: Sequence[Any] = answer(json.loads(capsys.readouterr().out))["objects"]
    return objects


def test_a_part_that_no_strategy_asks_for_is_said(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["segment", *pair, "--preset", "toy", "--strategy", "fused", "--out", str(tmp_path)]
    assert main([*run, "--part", "captioner=toy", "--part", "grounder=full_frame"]) == 0
    assert capsys.readouterr().err == (
        "zsavs: warning: --part captioner=toy changes nothing: no captioner is asked for by fused\n"
    )


def test_an_evaluation_records_parts_and_settings_and_is_resumed_under_the_same(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["eval", "--root", str(folder), "--preset", "toy", "--strategy", "fused", "--no-ablations"]
    run += ["--out", str(tmp_path / "run"), "--part", "segmenter=closer:toy"]
    assert main([*run, "--set", "segmenter.margin=0.1,0.2", "--set", "top_k=2"]) == 0
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert settings["parts"] == {"segmenter": "closer:toy"}
    assert settings["settings"] == {"segmenter.margin": [0.1, 0.2], "top_k": 2}
    assert "segmenter: closer:toy" in (tmp_path / "run" / "report.md").read_text().replace("\\", "")
    capsys.readouterr()
    assert main([*run, "--set", "segmenter.margin=0.1,0.2", "--set", "top_k=1"]) == 1
    assert "settings" in capsys.readouterr().err
    assert main([*run, "--set", "segmenter.margin=0.1,0.2", "--set", "top_k=2"]) == 0


def test_calibrate_takes_encoders_that_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "images").mkdir()
    for number in range(32):
        image = toy.scene(("red", "blue"), (), seed=number, size_hw=(48, 64))[0].image
        Image.fromarray(image).save(tmp_path / "images" / f"{number}.png")
    run = ["calibrate", "--preset", "toy", "--images", str(tmp_path / "images"), "--out", str(tmp_path / "bank")]
    assert main([*run, "--part", "image_text=toy"]) == 0
    assert "--preset toy --part image_text=toy --bank" in capsys.readouterr().out
    assert main([*run, "--part", "grounder=toy"]) == 1
    assert "calibrated against no bank" in capsys.readouterr().err


# --------------------------------------------------------------------- base, from the command line
@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Parts that base lacks or that stand in for its own, as ``--part`` names them: folders, but for one stage."""
    root = tmp_path_factory.mktemp("checkpoints")
    return {
        "audio_captioner": f"audio_captioner=whisper:{save('whisper', tiny_whisper(), root / 'whisper')}",
        "joint": f"joint=pe_av:{save('pe_av', tiny_pe_av(), root / 'pe_av')}",
        "grounder": f"grounder=owlv2:{save('owlv2', tiny_owlv2(), root / 'owlv2')}",
        "segmenter": f"segmenter=sam2:{save('sam2', tiny_sam2(), root / 'sam2')}",
        "stage": "grounder=full_frame",
        "image_text": f"image_text=open_clip:{export(CLIP_LIKE, root / 'open_clip')}",
    }


@pytest.mark.parametrize(
    ("strategy", "roles", "components"),
    [
        ("caption", ("audio_captioner", "grounder", "segmenter", "image_text"), {"WhisperCaptioner", "Owlv2Grounder"}),
        ("joint_embedding", ("joint", "segmenter", "stage"), {"PeAvEncoder", "Sam2Segmenter", "JointVerifier"}),
    ],
)
def test_base_runs_strategies_that_it_lacks_parts_for_with_parts_from_folders(
    strategy: str,
    roles: tuple[str, ...],
    components: set[str],
    checkpoints: dict[str, str],
    pair: tuple[str, str],
    tmp_path: Path,
) -> None:
    run = ["segment", *pair, "--preset", "base", "--device", "cpu", "--strategy", strategy, "--out", str(tmp_path)]
    given = [word for role in roles for word in ("--part", checkpoints[role])]
    assert main([*run, *given]) == 0
    saved = zsavs.AVSResult.load(tmp_path / "scene.json")
    used = {card["component"] if isinstance(card, dict) else card for card in saved.meta["models"].values()}
    assert components <= used
