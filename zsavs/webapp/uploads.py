"""Whose files lie on the disk: what a visitor added or made is deleted when nobody has it on the page any more."""

from __future__ import annotations

import secrets
import shutil
import threading
from pathlib import Path

__all__ = ["Uploads"]


class Uploads:
    """The files of visitors, by their session. The same file of two visitors is one file, and is kept for both.

    Args:
        root: the folder that all of them lie in; nothing outside of it is ever deleted.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._files: dict[str, set[Path]] = {}
        self._folders: dict[str, Path] = {}
        self._lock = threading.Lock()

    def claim(self, session: str, *paths: str | Path | None) -> None:
        """Note that a visitor has these files; those that are not in the folder are nobody's."""
        for path in (Path(path).resolve() for path in paths if path):
            if self.root in path.parents:
                with self._lock:
                    self._files.setdefault(session, set()).add(path)

    def folder(self, session: str) -> Path:
        """An empty folder of the visitor's for files that are made, in place of the one before."""
        made = self.root / f"made-{secrets.token_hex(8)}"
        made.mkdir(parents=True)
        with self._lock:
            before, self._folders[session] = self._folders.get(session), made
        if before:
            shutil.rmtree(before, ignore_errors=True)
        return made

    def release(self, session: str) -> int:
        """Delete what a visitor has and no other one; how many files that were."""
        with self._lock:
            own, folder = self._files.pop(session, set()), self._folders.pop(session, None)
            lone = own.difference(*self._files.values())
            for path in lone:
                path.unlink(missing_ok=True)
        count = len(lone)
        if folder:
            count += sum(path.is_file() for path in folder.rglob("*"))
            shutil.rmtree(folder, ignore_errors=True)
        return count
