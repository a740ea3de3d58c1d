"""``zsavs list``: every name, with the weights and licences of components and presets."""

from __future__ import annotations

import json
import re

import pytest

import zsavs
from zsavs.build.known_cards import known_cards
from zsavs.cli.main import main
from zsavs.storage.weights import WeightCard


def test_list_names_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert known["strategy"] == zsavs.list_components("strategy")
    assert main(["list", "preset"]) == 0
    said = capsys.readouterr().out
    assert "laion/clap-htsat-unfused" in said
    assert "Apache-2.0" in said


def test_a_pipe_gets_plain_lines_with_the_roles_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "preset"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"preset: {', '.join(zsavs.list_components('preset'))}"
    first = lines.index(next(line for line in lines if line.startswith("  base: "))) + 1
    ends = [line.index(": ") for line in lines[first : first + 6]]
    assert len(set(ends)) == 1
    assert "\x1b" not in "".join(lines)


def test_a_terminal_gets_tables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("zsavs.cli.console.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["list", "preset"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"role +weights +MB +licence", said)
    assert re.search(r"segmenter +facebook/sam2\.1-hiera-tiny +156 +Apache-2\.0", said)
    assert re.search(r"grounder +facebook/sam3 +3440 +SAM License +gated", said)
    assert "toy: no weights at all" in said
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["list", "preset"]) == 0
    assert "…" not in capsys.readouterr().out, "no name is cut off"


def test_each_component_is_listed_with_what_it_loads(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "segmenter"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"segmenter: {', '.join(zsavs.list_components('segmenter'))}"
    assert "  edgetam: yonigozlan/EdgeTAM-hf, 56 MB, Apache-2.0" in lines
    assert "  sam2: facebook/sam2.1-hiera-large, 898 MB, Apache-2.0" in lines
    assert main(["list", "grounder"]) == 0
    assert "  sam3: facebook/sam3, 3440 MB, SAM License, gated\n" in capsys.readouterr().out
    assert main(["list", "tracker", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["checkpoints"]["tracker"]
    (gated,) = [card for card in found if card["component"] == "sam3_video"]
    assert "date of birth" in gated["gate"]
    (card,) = [card for card in found if card["component"] == "edgetam_video"]
    assert (card["source"], card["size_mb"], card["licence"]) == ("yonigozlan/EdgeTAM-hf", 56, "Apache-2.0")
    assert main(["list", "strategy", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["checkpoints"] == {}


def test_every_known_checkpoint_is_listed_with_its_licence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    said = capsys.readouterr().out
    for card in known_cards().values():
        assert re.search(rf"  \w+: {re.escape(card.source)}, [\w.]+ MB, {re.escape(card.licence)}", said), card.source


def test_a_gate_and_a_size_that_nobody_knows_are_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    card = WeightCard("org/name", "Own", 0, "nothing", gate="your name and your country")
    monkeypatch.setattr("zsavs.models.deeplab.CARDS", {"org/name": card})
    assert main(["list", "segmenter"]) == 0
    assert "  deeplab: org/name, unknown MB, Own, gated\n" in capsys.readouterr().out
    monkeypatch.setattr("zsavs.cli.console.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["list", "segmenter"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"component +weights +MB +licence +gate", said)
    assert re.search(r"deeplab +org/name +unknown +Own +gated", said)


def test_an_unknown_kind_is_wrong_usage_and_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "strateg"]) == 2
    assert "did you mean 'strategy'" in capsys.readouterr().err
