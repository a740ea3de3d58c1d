"""What is no file, for the tests of every reader of files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def oddities(tmp_path: Path) -> dict[str, Path]:
    """What is no file: a pipe that nobody writes to, an endless device, a folder, links in a circle and to nothing."""
    found = {name: tmp_path / name for name in ("pipe", "folder", "circle", "nowhere")}
    os.mkfifo(found["pipe"])
    found["folder"].mkdir()
    found["circle"].symlink_to(found["circle"])
    found["nowhere"].symlink_to(tmp_path / "missing")
    return {**found, "device": Path("/dev/zero"), "beneath a file": Path(__file__) / "x"}
