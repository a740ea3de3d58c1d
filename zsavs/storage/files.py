"""Writing files so that they are there complete or not at all, and reading texts that somebody hands over."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from zsavs.errors import OutputError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "MAX_TEXT_BYTES",
    "check_folder",
    "file_sha256",
    "is_there",
    "open_regular",
    "png",
    "read_text",
    "remove_unfinished",
    "write_atomically",
    "write_png",
]

#: More than any list or table that we know holds.
MAX_TEXT_BYTES = 2**28
#: Of 0 to 9. Cards and overlays get a twentieth larger than at the default, 6, in a third of the time.
_PNG_EFFORT = 3


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading that is one: to read from a pipe waits for ever, and some devices never end.

    Raises:
        OSError: it cannot be opened, or is a folder, a pipe or a device.
    """
    # Without O_NONBLOCK opening a pipe would wait already; on a file it means nothing, and Windows lacks it.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, "a pipe or a device, not a file", str(path))
    return os.fdopen(descriptor, "rb")


def read_text(path: Path, *, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """The text of a UTF-8 file, without its byte order mark.

    Raises:
        OSError: as :func:`open_regular`, or it is larger than ``max_bytes``.
        UnicodeDecodeError: it is not UTF-8.
    """
    with open_regular(path) as file:
        if (size := os.fstat(file.fileno()).st_size) > max_bytes:
            reason = f"{size / 1e6:.0f} MB, at most {max_bytes / 1e6:.0f} MB are read"
            raise OSError(errno.EFBIG, reason, str(path))
        return file.read().decode("utf-8-sig")


def file_sha256(path: Path) -> str:
    """The SHA-256 of what a file holds, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_there(path: Path, *, folder: bool = False) -> bool:
    """Whether there is such a file or folder, or such a folder; what may not be looked at is not there."""
    try:
        return path.is_dir() if folder else path.exists()
    except OSError:
        return False


def check_folder(folder: Path) -> None:
    """See that a file can be written in a folder, which need not exist yet: before the work whose result goes there.

    What is made to find out is removed again, so that work that fails leaves no empty folder behind.

    Raises:
        OutputError: none can, naming the folder and the reason.
    """
    try:
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for made in missing:
            made.rmdir()
    except (OSError, ValueError) as error:
        raise _unwritten(folder, error) from error


def write_atomically(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Write a file so that it is there complete or not at all; folders are made.

    Raises:
        OutputError: it cannot be written, naming the path and the reason.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            write(file)
        mode = 0o666 & ~_umask()
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
        temporary = None
    except (OSError, ValueError) as error:
        raise _unwritten(path, error) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes have left of :func:`write_atomically` in a folder that nobody else writes to."""
    for path in [*folder.rglob(".?*.????????")]:
        if path.is_file():
            path.unlink(missing_ok=True)


def _unwritten(path: Path, error: Exception) -> OutputError:
    return OutputError(
        f"{path}: cannot be written ({error}); check the folder's permissions and free space, or name another one."
    )


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def png(image: Image) -> bytes:
    """The image as a PNG file."""
    file = io.BytesIO()
    image.save(file, format="PNG", compress_level=_PNG_EFFORT)
    return file.getvalue()


def write_png(path: Path, image: Image) -> None:
    """Write the image as a PNG file, there complete or not at all.

    Raises:
        OutputError: as :func:`write_atomically`.
    """
    write_atomically(path, lambda file: file.write(png(image)))
