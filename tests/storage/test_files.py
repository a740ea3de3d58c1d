"""Files that are there complete or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from small_results import umask

from zsavs.errors import OutputError
from zsavs.storage.files import write_atomically


def test_the_umask_is_left_as_it_was(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", lambda file: file.write(b""))
        assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
        assert umask() == 0o027
    finally:
        os.umask(before)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), RuntimeError("bug"), KeyboardInterrupt()])
def test_whatever_breaks_a_write_leaves_no_scraps(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "file").write_bytes(b"older")

    def write(file: Any) -> None:
        file.write(b"half of the new")
        raise error

    with pytest.raises((OutputError, type(error))):
        write_atomically(tmp_path / "file", write)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"older"}


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"older")

    def write(file: Any) -> None:
        file.write(b"new")
        file.flush()
        assert target.read_bytes() == b"older"

    write_atomically(target, write)
    assert target.read_bytes() == b"new"
