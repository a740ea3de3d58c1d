"""Strategies of one's own in an evaluation: by where they are or as objects, with their settings and their defaults."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_set import SOURCES, plan, rows

import zsavs
from zsavs.cli.main import main
from zsavs.datasets.folder import Folder
from zsavs.errors import InputError, OutputError, UnknownName
from zsavs.evaluation import evaluate
from zsavs.presets import PRESETS
from zsavs.strategies.fused import Fused
from zsavs.testing import toy
from zsavs.types import AVSample, Query

MODULE = '''
import numpy as np

from zsavs.strategies.fused import Fused
from zsavs.types import Query


class Mine:
    """Names what is heard, if that is more than a threshold."""

    def __init__(self, audio_text, vocabulary=("red", "blue"), *, min_z: float = 2.5):
        self.audio_text, self.vocabulary, self.min_z = audio_text, tuple(vocabulary), min_z

    def query(self, samples):
        audio = self.audio_text.encode_audio([sample.audio for sample in samples])
        similar = audio @ self.audio_text.encode_text(self.vocabulary).T
        return [self.of(row) for row in similar]

    def of(self, row):
        best = int(row.argmax())
        if row[best] < self.min_z / 10:
            return Query.nothing()
        return Query((self.vocabulary[best],), np.ones(1, np.float32))


class Tuned(Fused):
    """Another sentence, and the same constructor."""


helper = 3
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    home = tmp_path / "own"
    home.mkdir()
    (home / "own_ideas.py").write_text(MODULE)
    monkeypatch.chdir(home)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield home
    sys.modules.pop("own_ideas", None)


class Counting:
    """A strategy that is built already."""

    def __init__(self, phrase: str, gains: Sequence[float] = (1.0,)) -> None:
        self.phrase, self.gains = phrase, np.asarray(gains, np.float32)
        self._asked: list[AVSample] = []

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        self._asked += samples
        return [Query((self.phrase,), np.ones(1, np.float32)) for _ in samples]


ALONE: dict[str, Any] = {"audio": ("recorded",)}


def test_eval_runs_a_class_of_ones_own_with_its_settings(
    folder: Path, module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["eval", "--root", str(folder), "--preset", "toy", "--strategy", "own_ideas:Mine", "--no-ablations", "--json"]
    assert main([*run, "--out", str(tmp_path / "run"), "--save-visuals", "1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["rows"][0]["strategy"] == "own_ideas:Mine"
    assert report["rows"][0]["fixed"]["J"] > 0.99
    assert (tmp_path / "run" / "visuals" / "own_ideas.Mine_best_1.png").exists()
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert "own_ideas" in settings["code"]
    assert main([*run, "--set", "min_z=20"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["fixed"]["empty"] == 1.0
    assert main([*run, "--set", "min_zed=20"]) == 2
    assert "did you mean 'min_z'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("own_idea:Mine", "the module 'own_idea' cannot be imported (ModuleNotFoundError"),
        ("own_ideas:Yours", "own_ideas has no class 'Yours' with query(samples); it has: Fused, Mine, Tuned"),
        ("own_ideas:helper", "own_ideas has no class 'helper'"),
    ],
)
def test_what_is_not_there_is_said_in_a_line(
    place: str, said: str, folder: Path, module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", "--root", str(folder), "--preset", "toy", "--strategy", place]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_segment_and_compare_take_it_too(
    folder: Path, module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = [str(folder / "img" / "00.png"), str(folder / "wav" / "00.wav"), "--preset", "toy"]
    assert main(["segment", *pair, "--strategy", "own_ideas:Mine", "--out", str(tmp_path / "a")]) == 0
    assert "found: red" in capsys.readouterr().out
    both = ["--strategy", "own_ideas:Mine", "--strategy", "fused"]
    assert main(["compare", *pair, *both, "--out", str(tmp_path / "b")]) == 0
    assert len(list((tmp_path / "b").glob("*own_ideas.Mine_card.png"))) == 1


def test_a_preset_leaves_the_defaults_of_a_class_that_is_not_its_own(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, the min_z of nano stood in the place of one's own, and nobody was told."""
    monkeypatch.syspath_prepend(module)
    monkeypatch.setitem(PRESETS["toy"].settings, "min_z", 1.3)  # type: ignore[index]
    own: Any = zsavs.build_pipeline("own_ideas:Mine", preset="toy").strategy
    assert own.min_z == 2.5
    assert own.vocabulary == ("red", "blue")
    assert zsavs.build_pipeline("own_ideas:Mine", preset="toy", min_z=1.5).strategy.min_z == 1.5  # type: ignore[attr-defined]
    told: Any = zsavs.build_pipeline("own_ideas:Mine", preset="toy", vocabulary=["green"]).strategy
    assert told.vocabulary == ("green",)
    for name in ("fused", "own_ideas:Tuned"):
        strategy: Any = zsavs.build_pipeline(name, preset="toy").strategy
        assert strategy.min_z == 1.3, "whose default is Fused's"
        assert len(strategy.vocabulary) == 6


def test_objects_are_strategies_of_a_plan_and_what_they_hold_is_its_key(folder: Path, tmp_path: Path) -> None:
    red, blue = Counting("red"), Counting("blue")
    both = plan(strategies=(red, blue, "fused"), **ALONE)
    report = evaluate(Folder(folder), both, tmp_path / "run")
    assert [row["strategy"] for row in report["rows"]] == ["Counting", "Counting-2", "fused"]
    scored = rows(report)
    assert scored["Counting", "recorded"]["fixed"] != scored["Counting-2", "recorded"]["fixed"]
    assert len(red._asked) == len(SOURCES)
    assert evaluate(Folder(folder), both, tmp_path / "run")["computed_now"] == 0, "what it remembers is no setting"
    assert "code" not in report["settings"]
    other = plan(strategies=(Counting("green"), blue, "fused"), **ALONE)
    with pytest.raises(OutputError, match=r"objects: Counting: phrase: 'red' then, 'green' now"):
        evaluate(Folder(folder), other, tmp_path / "run")
    other = plan(strategies=(red, Counting("blue", [2.0]), "fused"), **ALONE)
    with pytest.raises(OutputError, match=r"objects: Counting-2: gains has changed"):
        evaluate(Folder(folder), other, tmp_path / "run")


def test_a_setting_deep_in_an_object_is_part_of_the_key(folder: Path, tmp_path: Path) -> None:
    def mine(**settings: Any) -> Fused:
        return Fused(toy.ToyAudioText(), toy.ToyImageText(), ("red", "blue", "green"), **settings)

    evaluate(Folder(folder), plan(strategies=(mine(),), limit=3, **ALONE), tmp_path / "run")
    assert evaluate(Folder(folder), plan(strategies=(mine(),), limit=3, **ALONE), tmp_path / "run")["computed_now"] == 0
    with pytest.raises(OutputError, match=r"objects: Fused: min_z: 2.0 then, 2.1 now"):
        evaluate(Folder(folder), plan(strategies=(mine(min_z=2.1),), limit=3, **ALONE), tmp_path / "run")


def test_parts_may_be_objects_too(folder: Path, tmp_path: Path) -> None:
    class Nothing(toy.ToySegmenter):
        def __init__(self, level: float) -> None:
            super().__init__()
            self.level = level

        def segment(self, samples: Any, proposals: Any) -> Any:
            return [maps * 0 + self.level for maps in super().segment(samples, proposals)]

    own = plan(strategies=("fused",), parts={"segmenter": Nothing(-1.0)}, **ALONE)
    report = evaluate(Folder(folder), own, tmp_path / "run")
    assert report["rows"][0]["fixed"]["empty"] == 1.0
    with pytest.raises(OutputError, match=r"objects: segmenter: level: -1.0 then, 1.0 now"):
        evaluate(
            Folder(folder), plan(strategies=("fused",), parts={"segmenter": Nothing(1.0)}, **ALONE), tmp_path / "run"
        )


def test_settings_reach_the_parts_of_an_object_and_not_the_object(folder: Path) -> None:
    tuned = plan(strategies=(Counting("red"),), settings={"verifier.temperature": 2.0}, limit=3, **ALONE)
    assert evaluate(Folder(folder), tuned)["settings"]["settings"] == {"verifier.temperature": 2.0}
    with pytest.raises(UnknownName, match="setting of Counting named 'phrase'"):
        evaluate(Folder(folder), plan(strategies=(Counting("red"),), settings={"phrase": "blue"}))


@pytest.mark.parametrize("wrong", [Counting, 3, None])
def test_what_is_no_strategy_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match="expected names, or objects with query"):
        plan(strategies=(wrong,))
