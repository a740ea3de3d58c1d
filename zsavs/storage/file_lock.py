"""A lock on an open file, that the system takes back when the process ends, however it ends."""

from __future__ import annotations

import importlib
from io import FileIO
from typing import Any, BinaryIO

__all__ = ["lock_file"]

#: Windows locks bytes, and nobody else may read them: this one lies a terabyte in, beyond the end of every file here.
_BYTE = 2**40


def lock_file(file: BinaryIO | FileIO) -> None:
    """Lock a file for this process alone, until it is closed.

    Args:
        file: open for writing.

    Raises:
        BlockingIOError: another process has it.
        OSError: the file system has no locks.
    """
    try:
        fcntl: Any = importlib.import_module("fcntl")
    except ImportError:
        _lock_byte(file)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _lock_byte(file: BinaryIO | FileIO) -> None:
    """As above, on Windows."""
    msvcrt: Any = importlib.import_module("msvcrt")
    here = file.tell()
    try:
        file.seek(_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except PermissionError as error:
        raise BlockingIOError(error.errno, "another process has it") from error
    finally:
        file.seek(here)
