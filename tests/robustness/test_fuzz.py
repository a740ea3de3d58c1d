"""The fuzzing driver: a short run finds nothing, and it would notice if there were something."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from benchmark_scripts import load_benchmark

from zsavs.errors import ImageError

ROOT = Path(__file__).parents[2]
DRIVER = ROOT / "benchmarks" / "fuzz.py"


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    return load_benchmark("fuzz")


def test_a_short_run_finds_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(DRIVER), "--executions", "200", "--findings", str(tmp_path / "findings")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| load_image | 1" in done.stdout
    assert not (tmp_path / "findings").exists()


def raising(error: Exception) -> Callable[[Path], Any]:
    def load(path: Path) -> Any:
        raise error

    return load


def test_it_notices_what_does_not_hold(fuzz: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "case"
    image = np.zeros((2, 2, 3), np.uint8)
    changing = iter([image, image + 1])
    for load in (
        raising(ZeroDivisionError("a defect")),
        raising(MemoryError()),
        raising(ImageError(f"{path}: two\nlines")),
        raising(ImageError("says not which file")),
        lambda path: image[..., 0],
        lambda path: np.zeros((0, 2, 3), np.uint8),
        lambda path: np.full((1, 3), np.nan, np.float32),
        lambda path: next(changing),
    ):
        assert fuzz.checked(load, path, ImageError, again=True)[1] is False
    assert fuzz.checked(raising(ImageError(f"{path}: broken")), path, ImageError, again=True)[1] is True
    assert fuzz.checked(lambda path: image, path, ImageError, again=True)[1] is True


def test_it_sees_which_lines_are_reached(fuzz: ModuleType) -> None:
    def branch(which: bool) -> int:
        if which:
            return 1
        return 2

    lines = fuzz.Lines((str(Path(__file__)),))

    def reached(which: bool) -> int:
        lines.new.clear()
        before = sys.gettrace()
        sys.settrace(lines)
        try:
            branch(which)
        finally:
            sys.settrace(before)
        return len(lines.new)

    assert [reached(True), reached(True), reached(False), reached(False)] == [2, 0, 1, 0]


def test_a_mended_checksum_lets_the_damage_through(fuzz: ModuleType) -> None:
    whole = next(iter(fuzz.images()))
    damaged = bytearray(whole)
    damaged[20] ^= 1
    mended = fuzz.with_checksums(bytes(damaged))
    assert fuzz.with_checksums(whole) == whole
    assert mended[20] == damaged[20]
    assert mended != bytes(damaged)
