"""What is to be labelled, from a folder or a manifest."""

from __future__ import annotations

import os
from pathlib import Path

from zsavs.errors import InputError
from zsavs.labelling.folder import read_folder
from zsavs.labelling.items import Inputs
from zsavs.labelling.manifest import ENDINGS, read_manifest
from zsavs.storage.files import is_there

__all__ = ["read_inputs"]


def read_inputs(source: str | os.PathLike[str], out: str | os.PathLike[str] | None = None) -> Inputs:
    """The items of a folder (:mod:`zsavs.labelling.folder`) or of a manifest (:mod:`zsavs.labelling.manifest`).

    No file but the manifest is opened.

    Args:
        source: the folder, or the manifest.
        out: where the answers go; where that is within the folder it is not searched.

    Raises:
        InputError: there is no such thing, or nothing in it to label; the rules are in the message.
        MissingExtra: a Parquet manifest, and pyarrow is not installed.
    """
    path = Path(source)
    if is_there(path, folder=True):
        found = read_folder(path, None if out is None else Path(out))
    elif path.suffix.lower() in ENDINGS and is_there(path):
        found = read_manifest(path)
    elif is_there(path):
        raise InputError(f"{path}: expected a folder, or a manifest ending in {', '.join(ENDINGS)}.")
    else:
        raise InputError(f"{path}: there is no such file or folder.")
    if not found.items:
        refused = f"; the first of {len(found.refused)} refused: {_told(found)}" if found.refused else ""
        raise InputError(f"{path}: nothing to label{refused}. Expected: {'; '.join(found.rules[:2])}.")
    return found


def _told(found: Inputs) -> str:
    return f"{found.refused[0].where}: {found.refused[0].why}"
