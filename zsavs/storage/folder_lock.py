"""A folder that one process writes to at a time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from zsavs.errors import OutputError
from zsavs.storage.file_lock import lock_file

__all__ = ["lock_folder"]


def lock_folder(folder: Path) -> BinaryIO:
    """Make a folder and lock it, until what is returned is closed or the process ends, however it ends.

    Raises:
        OutputError: the folder cannot be written, or another process has locked it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Without O_NONBLOCK, which Windows lacks, opening a pipe would wait until another process reads from it.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NONBLOCK", 0)
        lock = os.fdopen(os.open(folder / "lock", flags, 0o666), "ab")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error}); name another folder.") from error
    try:
        lock_file(lock)
    except OSError as error:
        lock.close()
        raise OutputError(f"{folder}: another process is running into it; wait, or name another.") from error
    return lock
