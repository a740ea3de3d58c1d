"""What the documents say can be typed, can be typed."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

import zsavs
from zsavs.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_first_commands_are_the_two_of_a_newcomer() -> None:
    first = re.search(r"```sh\n(.*?)```", README, re.S)
    assert first is not None
    assert first[1].splitlines() == ["make demo", "make test"]


def test_the_readme_opens_with_a_photograph_and_the_lines_that_made_it() -> None:
    image, code = README.index("](docs/astronaut.jpg)"), README.index("```python")
    assert image < code < README.index("```sh")
    files = re.findall(r'"(zsavs/data/photographs/\w+\.\w+)"', README)
    assert len(files) == 2
    assert all((ROOT / file).is_file() for file in files)


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_example_runs(
    example: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    """In this process, which has imported most of what they need."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(example)])
    runpy.run_path(str(example), run_name="__main__")
    said = capfd.readouterr()
    assert said.out.strip()
    assert not said.err
    assert not recwarn.list


def test_every_zsavs_command_of_the_readme_is_understood() -> None:
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.S))
    commands = [line.split("#")[0].strip() for line in re.split(r"[\n;]", blocks)]
    commands = [command for command in commands if command.startswith("zsavs ")]
    assert len(commands) >= 5
    for command in commands:
        _, name, *words = command.split()
        app.commands().commands[name].make_context(name, words)  # raises on a word that it does not know


def test_links_in_the_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
    documents += [document for part in ("docs", "examples") for document in (ROOT / part).rglob("*.md")]
    assert len(documents) > 20
    for document in documents:
        for target in re.findall(r"\]\(([^)#\s]+)\)", document.read_text(encoding="utf-8")):
            assert target.startswith("http") or (document.parent / target).exists(), f"{document}: {target}"


def test_the_table_of_strategies_is_complete() -> None:
    for name in zsavs.list_components("strategy"):
        assert f"[`{name}`]" in README


def test_the_version_is_in_one_place() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "[Unreleased]" in changelog or f"[{zsavs.__version__}]" in changelog
