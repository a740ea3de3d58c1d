"""The folder layout of a benchmark: its folders are found and listed, and errors say what is missing where."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from zsavs.errors import InputError
from zsavs.storage.files import is_there

__all__ = ["files_by_stem", "find_folder", "folder_content", "folder_names", "need_folder"]


def find_folder(root: Path, places: Sequence[str], marker: str) -> Path:
    """The first of some folders below ``root`` that holds ``marker``.

    Args:
        root: what the user gave.
        places: relative folders, "" for ``root`` itself.
        marker: a file or folder that must be in it.

    Raises:
        InputError: none of them does; says what was expected where, and what is there.
    """
    for place in places:
        if is_there(root / place / marker):
            return root / place
    expected = ", or ".join(str(root / place / marker) for place in places)
    raise InputError(f"{root}: expected {expected}; found {folder_content(root)}.")


def need_folder(folder: Path) -> Path:
    """Return a folder that must exist.

    Raises:
        InputError: it does not; says what its parent holds.
    """
    if is_there(folder, folder=True):
        return folder
    parent = next((path for path in folder.parents if is_there(path, folder=True)), Path("/"))
    raise InputError(f"{folder}: no such folder; {parent} holds {folder_content(parent)}.")


def folder_content(folder: Path) -> str:
    """The first names in a folder, for messages."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        return f"nothing that can be listed ({error.strerror})"
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "nothing"


def files_by_stem(folder: Path, suffixes: Sequence[str]) -> dict[str, str]:
    """File names in a folder by stem; of several with one stem the suffix listed first wins. Hidden files are skipped.

    Raises:
        InputError: no such folder, or no such files in it.
    """
    found: dict[str, str] = {}
    rank = {suffix: k for k, suffix in enumerate(suffixes)}
    for name in _names(need_folder(folder)):
        stem, suffix = os.path.splitext(name)  # noqa: PTH122 (a Path for each of a million files is slow)
        if name.startswith(".") or suffix.lower() not in rank:
            continue
        held = found.get(stem)
        if held is None or (rank[suffix.lower()], name) < (rank[held[len(stem) :].lower()], held):
            found[stem] = name
    if not found:
        raise InputError(f"{folder}: expected files ending in {', '.join(suffixes)}; found {folder_content(folder)}.")
    return found


def folder_names(folder: Path) -> set[str]:
    """The names of the folders in a folder.

    Raises:
        InputError: it may not be listed.
    """
    return {name for name in _names(folder) if is_there(folder / name, folder=True)}


def _names(folder: Path) -> list[str]:
    """The names in a folder.

    Raises:
        InputError: it may not be listed.
    """
    try:
        return os.listdir(folder)  # noqa: PTH208 (as above)
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed ({error.strerror}); run: chmod u+rx on it.") from error
