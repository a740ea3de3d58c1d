"""``zsavs profile``: a table of stages, and of the models; JSON; what is wrong is said before a model is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zsavs.cli.main import main

_SCENE = Path(__file__).parents[2] / "zsavs" / "data" / "orchestra"
_PAIR = [str(_SCENE / "images" / "in_turn_000.jpg"), str(next((_SCENE / "audio").glob("in_turn_000*")))]


def test_stages_and_models_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", *_PAIR, "--preset", "nano", "--device", "cpu", "--strategy", "classify"]) == 0
    said = capsys.readouterr().out
    assert "classify (nano), in seconds; loaded in" in said
    assert "first answer" in said and "next answer" in said  # noqa: PT018
    for word in ("read", "query", "ground", "verify", "segment", "rest", "all", "SAM 2"):
        assert word in said, word


def test_json_has_every_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", *_PAIR, "--preset", "toy", "--device", "cpu", "--repeat", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["answers"]) == 3
    assert {stage["stage"] for stage in told["answers"][0]} >= {"read", "query", "segment"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "Missing argument 'IMAGE|VIDEO'"),
        (["nowhere.png", _PAIR[1]], 1, "nowhere.png"),
        ([_PAIR[0]], 1, "an image needs an audio file"),
        ([*_PAIR, "--repeat", "-1"], 2, "--repeat"),
    ],
)
def test_what_is_wrong_is_said(words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", *words, "--preset", "toy", "--device", "cpu"]) == code
    assert said in capsys.readouterr().err
