"""What docs/labelling.md says can be typed is typed here, from the first command to the last."""

from __future__ import annotations

import json
import re
import runpy
import shlex
from pathlib import Path

import pytest
from label_inputs import write_pairs

import zsavs
from zsavs.cli.main import main
from zsavs.labelling.shards import read_shard

DOCUMENT = (Path(__file__).parents[2] / "docs" / "labelling.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.S)


def test_the_commands_and_the_code_do_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the toy preset where the document names one whose weights are not here."""
    write_pairs(tmp_path / "clips", 4)
    monkeypatch.chdir(tmp_path)
    dry, labelled, exported = (shlex.split(block) for block in blocks("sh"))
    assert main(dry[1:]) == 0
    assert capsys.readouterr().out.startswith("4 images with their audio in clips\n")
    assert not Path("labels").exists()

    code, back = blocks("python")
    Path("first.py").write_text(code.replace('"pocket"', '"toy"'))
    runpy.run_path("first.py")
    assert capsys.readouterr().out == "2 done, 2 with nothing in view that sounds, 0 failed\n"
    Path("second.py").write_text(back)
    runpy.run_path("second.py")
    assert capsys.readouterr().out.splitlines()[0] == "000 done ('red',)"

    words = ["toy" if word == "pocket" else word for word in labelled[1:]]
    assert main([*words, "--strategy", "fused"]) == 0
    assert capsys.readouterr().out.startswith("0 of 4 items computed now")
    assert main(exported[1:]) == 0
    (coco,) = (json.loads(path.read_text()) for path in Path("coco").glob("*.json"))
    assert len(coco["images"]) == 4
    assert sum(len(row["objects"]) for row in read_shard("labels/answers-00000-of-00001.jsonl")) == 3
    assert len(coco["annotations"]) == 3


def test_every_file_and_entry_that_is_written_is_in_the_document(tmp_path: Path) -> None:
    zsavs.label(write_pairs(tmp_path / "in", 2), tmp_path / "out", preset="toy")
    for path in (tmp_path / "out").iterdir():
        name = "answers-00000-of-00003.jsonl" if path.name.startswith("answers-") else path.name
        assert f"`{name}" in DOCUMENT or name == "lock", name
    for row in read_shard(tmp_path / "out" / "answers-00000-of-00001.jsonl"):
        assert all(f"`{name}`" in DOCUMENT for name in row)
