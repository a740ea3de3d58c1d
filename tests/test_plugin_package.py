"""The outside package of the examples: installed, listed, and tested by its own test, as somebody else's would be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "examples" / "plugin_package"
HOUSE = PACKAGE.parents[1]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """``python -m WORD...`` where the package is installed, in a folder that has nothing but its test."""
    folder = tmp_path_factory.mktemp("plug-in")
    source = shutil.copytree(PACKAGE, folder / "source")  # as building writes beside it
    installed, empty = folder / "installed", folder / "empty"
    empty.mkdir()
    shutil.copy(PACKAGE / "test_zsavs_colour_blobs.py", empty)
    path = os.pathsep.join(map(str, (installed, HOUSE)))

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=empty,
            env={**os.environ, "PYTHONPATH": path, "PIP_CONFIG_FILE": os.devnull},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    run("pip", "install", "--quiet", *offline, "--target", str(installed), str(source))
    return run


def test_an_installed_package_is_listed(run: Callable[..., str]) -> None:
    listed = run("zsavs", "list", "grounder").split("grounder: ")[1]
    assert "colour_blobs" in listed.split("\n")[0].split(", ")


def test_its_own_test_passes(run: Callable[..., str]) -> None:
    """Which checks its contract, and builds a pipeline with it by name."""
    assert "3 passed" in run("pytest", "-p", "no:cacheprovider", "-q", "test_zsavs_colour_blobs.py")
