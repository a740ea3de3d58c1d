"""``NAME.part``: what has come of a file, for one process alone, and ``NAME.part.json``: which file it is a part of.

A part whose file has a checksum needs no more than that: a wrong join is found at the end. Without one, the server has
to promise that the rest is of the same file: it is asked by the mark (``ETag``, or the time of the last change) that it
gave when the first byte came, and sends the whole file where the mark is another now (RFC 9110, If-Range).
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from zsavs.storage.file_lock import lock_file
from zsavs.storage.files import read_text, write_atomically

__all__ = ["Mark", "forget", "let_go", "lock", "recall", "remember"]

_WINDOWS = os.name == "nt"
#: Between two looks at whether another process is done.
_PAUSE_S = 0.2


class Mark(NamedTuple):
    """What tells one version of a file from another, as its server gives it.

    Args:
        origin: the address that was asked.
        tag: its ``ETag``, unless that is a weak one, else its ``Last-Modified``; "" where the server gives neither.
        size: of the whole file in bytes; 0 where the server does not say.
    """

    origin: str
    tag: str
    size: int

    @classmethod
    def of(cls, origin: str, headers: Mapping[str, str], size: int) -> Mark:
        """The mark in a server's answer; a weak tag only says that two files mean the same, and joins none."""
        tag = headers.get("ETag") or ""
        return cls(origin, headers.get("Last-Modified") or "" if tag[:2] in ("", "W/") else tag, size)

    @property
    def is_safe(self) -> bool:
        """Whether a part of this version can be gone on with without a checksum."""
        return bool(self.tag and self.size)

    def goes_on_from(self, known: Mark | None) -> bool:
        """Whether a part of ``known`` and the rest of this are one file; an answer with it may lack the tag."""
        return known is not None and self.size == known.size and self.tag in ("", known.tag)


def remember(part: Path, mark: Mark) -> None:
    """Write down which file a part is of.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomically(_beside(part), lambda file: file.write(json.dumps(mark._asdict()).encode()))


def recall(part: Path) -> Mark | None:
    """Which file a part is of; None where nobody wrote it down, or not as :func:`remember` does."""
    try:
        mark = Mark(**json.loads(read_text(_beside(part), max_bytes=1 << 16)))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return mark if (type(mark.origin), type(mark.tag), type(mark.size)) == (str, str, int) and mark.is_safe else None


def forget(part: Path) -> None:
    """Remove what was written down of a part."""
    _beside(part).unlink(missing_ok=True)


def _beside(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


@contextlib.contextmanager
def lock(part: Path, say: Callable[[str], None]) -> Iterator[FileIO]:
    """The part, for this process alone; unbuffered, so that what came is there if we are killed.

    While another process has it, this one waits, after a line that says so.
    """
    told = False
    while True:
        with part.open("a+b", buffering=0) as file:
            try:
                lock_file(file)
            except BlockingIOError:
                if not told:
                    say(f"  another process is fetching {part.name.removesuffix('.part')}; waiting for it")
                told = True
            else:
                # Whoever had the lock before may have given this file its final name, or removed it.
                if part.exists() and os.path.samestat(os.fstat(file.fileno()), part.stat()):
                    yield file
                    return
        time.sleep(_PAUSE_S)  # with the file closed, which could not be renamed on Windows otherwise


def let_go(file: FileIO) -> None:
    """Close the part where the system renames and removes no file that is open: on Windows."""
    if _WINDOWS:
        file.close()
