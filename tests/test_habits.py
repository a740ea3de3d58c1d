"""What lies around the package: it can be read, and says of the package what is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import zsavs

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_citation_is_of_this_version() -> None:
    cited = read(ROOT / "CITATION.cff")
    assert cited["cff-version"] == "1.2.0"
    assert cited["version"] == zsavs.__version__
    assert cited["license"] == PROJECT["license"]
    assert {"message", "title", "authors"} <= cited.keys()


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.name)
def test_a_workflow_is_one_and_names_files_that_are_there(path: Path) -> None:
    flow = read(path)
    assert flow["permissions"] == {"contents": "read"}
    for job in flow["jobs"].values():
        assert job["runs-on"]
        assert job["steps"]
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert re.fullmatch(r"[\w-]+/[\w-]+(/[\w-]+)?@v\d+", step.get("uses", "a/b@v1"))
            for name in re.findall(r"\b(?:tools|benchmarks)/\w+\.py", step.get("run", "")):
                assert (ROOT / name).is_file(), name
            for target in re.findall(r"\bmake (\w+)", step.get("run", "")):
                assert f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_tests_run_on_every_python_that_is_allowed_and_on_three_systems() -> None:
    matrix = read(ROOT / ".github" / "workflows" / "tests.yml")["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert PROJECT["requires-python"] == f">={matrix['python'][0]}"
    systems = {*matrix["os"], *(row["os"] for row in matrix["include"])}
    assert systems == {"ubuntu-latest", "macos-latest", "windows-latest"}


def test_classifiers_say_what_was_tested() -> None:
    """docs/systems.md says where: on Linux alone, and with one Python."""
    told = {line for line in PROJECT["classifiers"] if line.startswith(("Operating System", "Programming Language"))}
    assert told == {"Operating System :: POSIX :: Linux", "Programming Language :: Python :: 3.11"}
    systems = (ROOT / "docs" / "systems.md").read_text(encoding="utf-8")
    assert "| Linux, x86-64, Python 3.11 | all tests run there |" in systems
    assert "| macOS, Windows | **simulated, not run**" in systems


def test_every_dependency_has_a_lower_bound() -> None:
    """Which the workflow tries; `[...]` are extras."""
    extras = [name for names in PROJECT["optional-dependencies"].values() for name in names]
    for requirement in (*PROJECT["dependencies"], *extras):
        assert ">=" in requirement or requirement.startswith("zsavs["), requirement


def test_forms_and_the_rest_can_be_read() -> None:
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = read(path)
        if path.name != "config.yml":
            assert {"name", "description", "body"} <= form.keys()
            ids = [field["id"] for field in form["body"]]
            assert len(ids) == len(set(ids))
    assert {update["package-ecosystem"] for update in read(ROOT / ".github" / "dependabot.yml")["updates"]} == {
        "pip",
        "github-actions",
        "docker",
    }
    (local,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert {hook["id"] for hook in local["hooks"]} == {"format", "lint", "types", "layers"}


def test_the_image_is_made_of_what_is_here() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line.startswith("COPY"):
            for name in line.split()[1:-1]:
                assert (ROOT / name).exists(), name
    assert any(line.startswith("USER ") for line in lines), "nothing runs as root"
    assert 'ENTRYPOINT ["zsavs"]' in lines
