"""``zsavs list``: every name, with the weights and licences of the presets."""

from __future__ import annotations

import json
import re

import pytest

import zsavs
from zsavs.cli.main import main


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
    assert "toy: no weights at all" in said
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["list", "preset"]) == 0
    assert "…" not in capsys.readouterr().out, "no name is cut off"


def test_an_unknown_kind_is_wrong_usage_and_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "strateg"]) == 2
    assert "did you mean 'strategy'" in capsys.readouterr().err
