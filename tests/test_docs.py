"""What the documents say can be typed, can be typed."""

from __future__ import annotations

import ast
import functools
import re
import runpy
import shlex
import shutil
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.core
from label_inputs import write_pair, write_video

import zsavs
from tools.layers import MODULES, tree
from zsavs.build import one_call, settable
from zsavs.cli import app
from zsavs.registry import list_components

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", document.read_text(encoding="utf-8"), re.S)


# -------------------------------------------------------------------------------- the README
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


def test_the_readme_is_a_screen_and_a_half() -> None:
    assert len(README.splitlines()) <= 100
    assert max(map(len, README.splitlines())) <= 260, "rows of tables alone are longer than a line"
    assert (ROOT / "docs" / "clip.webp").stat().st_size + (ROOT / "docs" / "astronaut.jpg").stat().st_size < 500_000


def test_the_table_of_strategies_is_complete() -> None:
    for name in zsavs.list_components("strategy"):
        assert f"[`{name}`]" in README
        assert f"[`{name}`]" in (ROOT / "docs" / "parts.md").read_text(encoding="utf-8")
        assert f"strategies/{name}.md" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")


def test_every_page_is_in_the_menu_of_the_site() -> None:
    """Those of ``benchmarks`` put themselves there; the site is not built where one is missing."""
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs" / "tutorials").glob("*.py")]
    assert len(pages) > 40
    for page in pages:
        assert re.search(rf"(: |- ){re.escape(page.relative_to(ROOT / 'docs').as_posix())}\n", menu), page


def test_every_preset_is_described() -> None:
    described = (ROOT / "docs" / "presets.md").read_text(encoding="utf-8")
    for name in list_components("preset"):
        assert f"\n| `{name}` |" in described


def test_numbers_of_the_readme_are_those_of_the_pages() -> None:
    """J of real pairs and of the orchestra, copied by hand."""
    pairs = (ROOT / "docs" / "benchmarks" / "real_pairs.md").read_text(encoding="utf-8")
    assert "| classify | own | 61.2 | 54.4 | 0.0 | 0 of 43 | 93.6 | 0.29 |" in pairs
    assert "| classify | shuffled | 3.0 |" in pairs
    for number in ("J 61.2, 93.6 %", "J 3.0", "0 with a mask"):
        assert number in README
    orchestra = (ROOT / "docs" / "benchmarks" / "index.md").read_text(encoding="utf-8")
    rows = {line.split(" | ")[0]: line.split(" | ") for line in orchestra.splitlines() if " | recorded | " in line}
    assert f"J {rows['| fused'][7]} of {rows['| ceiling (an oracle)'][7]} that an oracle" in README


# --------------------------------------------------------------------------- what can be typed
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


@pytest.mark.full
@pytest.mark.parametrize("tutorial", sorted((ROOT / "docs" / "tutorials").glob("*.py")), ids=lambda path: path.name)
def test_tutorial_runs(tutorial: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As a script; `make docs` runs them as notebooks."""
    display = types.SimpleNamespace(Audio=lambda *_, **__: None, Video=lambda *_, **__: None)
    monkeypatch.setitem(sys.modules, "IPython.display", display)  # type: ignore[arg-type]
    runpy.run_path(str(tutorial), run_name="__main__")
    assert capsys.readouterr().out.strip()


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every zsavs command in the shell blocks of the documents, with where it stands."""
    for document in DOCUMENTS:
        for block in blocks(document, "sh"):
            for line in re.split(r"[\n;]|&&", block.replace("\\\n", " ")):
                words = shlex.split(line, comments=True)
                while words and "=" in words[0]:
                    words = words[1:]
                if words[:1] == ["zsavs"] and "…" not in line:
                    yield f"{document.relative_to(ROOT)}: {line.strip()}", words[1:]


def test_every_zsavs_command_of_the_documents_is_understood() -> None:
    told = list(commands())
    assert len(told) >= 50
    for where, words in told:
        command = app.commands()
        try:
            while isinstance(command, typer.core.TyperGroup):
                name, *words = words
                command = command.commands[name]
            command.make_context(name, words)  # raises on a word that it does not know
        except Exception as error:
            error.add_note(where)
            raise


def test_every_setting_of_a_part_in_the_documents_is_one() -> None:
    """Where a command names the part, of that one; else of any that can stand there."""
    told = re.compile(r"--set ([a-z_]+)\.([a-z_0-9]+)=")
    seen = 0
    for document in DOCUMENTS:
        for line in document.read_text(encoding="utf-8").replace("\n", " ").split("`"):
            for role, name in told.findall(line):
                seen += 1
                named = dict(re.findall(r"--part ([a-z_]+)=(\S+)", line)).get(role)
                parts = [named] if named else list_components(role)
                known = [settable("fused", "nano", {role: part}, "cpu") for part in parts]
                assert any(f"{role}.{name}" in one for one in known), f"{document.name}: {role}.{name} of {parts}"
    assert seen >= 8


#: What stands in the place of models that are not here.
TOY = {'preset="base"': 'preset="toy"', "owlv2:google/owlv2-base-patch16-ensemble": "toy", '"omdet"': '"toy"'}


@pytest.fixture
def own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the documents speak of, as toy scenes; where no preset is named, it is the toy."""
    write_pair(tmp_path, "dog", ("red",))
    write_pair(tmp_path, "cat", ("red", "blue"))
    for scene, image, audio in (("dog", "dog.jpg", "bark.wav"), ("cat", "cat.jpg", "meow.wav")):
        shutil.copy(tmp_path / f"{scene}.png", tmp_path / image)
        shutil.copy(tmp_path / f"{scene}.wav", tmp_path / audio)
    write_video(tmp_path / "clip.mp4")
    shutil.copytree(ROOT / "zsavs" / "data" / "photographs", tmp_path / "zsavs" / "data" / "photographs")
    monkeypatch.setattr(one_call, "first_preset_here", lambda **_: "toy")
    monkeypatch.setattr(zsavs.AVSResult, "show", lambda _: None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["README.md", "docs/index.md", "docs/start.md", "docs/python.md"])
def test_the_python_of_a_page_runs_from_top_to_bottom(name: str, own_files: Path) -> None:
    code = "\n".join(blocks(ROOT / name, "python"))
    for written, here in TOY.items():
        code = code.replace(written, here)
    names: dict[str, object] = {}
    exec(compile(code, name, "exec"), names)
    assert isinstance(names["result"], zsavs.AVSResult)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_python_of_every_page_is_python_and_names_what_there_is(document: Path) -> None:
    for code in blocks(document, "python"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "zsavs":
                assert hasattr(zsavs, node.attr), f"zsavs.{node.attr}"


# ------------------------------------------------------------------------------- what is said
def test_links_in_the_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
    documents += [document for part in ("docs", "examples") for document in (ROOT / part).rglob("*.md")]
    assert len(documents) > 20
    for document in documents:
        for target in re.findall(r"\]\(([^)#\s]+)\)", document.read_text(encoding="utf-8")):
            if target.startswith("api/"):  # made when the site is built, which follows its own links
                assert (ROOT / "zsavs" / target[4:]).with_suffix(".py").exists(), f"{document}: {target}"
            else:
                assert target.startswith("http") or (document.parent / target).exists(), f"{document}: {target}"


@functools.cache
def messages() -> list[str]:
    """Every text in the code, with … where a value stands."""

    def told(node: ast.AST) -> str:
        if isinstance(node, ast.JoinedStr):
            return "".join(told(part) for part in node.values)
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "…"

    every = (node for module in MODULES for node in ast.walk(tree(module)))
    return [told(node) for node in every if isinstance(node, ast.JoinedStr | ast.Constant)]


def test_messages_that_are_explained_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    explained = re.findall(r"^### `(.*)`$", page, re.M)
    assert len(explained) > 20
    for message in explained:
        parts = [part.strip() for part in message.split("…")]
        assert any(all(part in text for part in parts) for text in messages()), message


def test_the_version_is_in_one_place() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "[Unreleased]" in changelog or f"[{zsavs.__version__}]" in changelog
