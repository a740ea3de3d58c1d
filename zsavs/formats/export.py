"""One call for all formats that files are written in."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsavs.errors import InputError, UnknownName
from zsavs.formats.items import items_of
from zsavs.formats.names import FORMATS
from zsavs.formats.read import read_folder
from zsavs.storage.files import check_folder

if TYPE_CHECKING:
    from zsavs.formats.items import Results

__all__ = ["export"]


def export(
    results: Results | str | os.PathLike[str],
    format: str,
    out: str | os.PathLike[str],
    *,
    strategy: str | None = None,
    compressed: bool = False,
    categories: Sequence[str] | None = None,
) -> list[Path]:
    """Write results as files that other tools load.

    Args:
        results: one result, or several, of images or videos; or a folder of them, as ``zsavs segment``, ``compare`` and
            ``label`` write it.
        format: one of :data:`~zsavs.formats.names.FORMATS`; docs/exports.md says what each is and who loads it.
        out: the folder that the files go to; made if it does not exist.
        strategy: of a folder, the answers of this one alone.
        compressed: masks as COCO's compressed strings; see :func:`zsavs.formats.coco.to_coco`.
        categories: all labels in the order of their numbers; see :func:`zsavs.formats.coco.to_coco`.

    Returns:
        The files written, the one that is to be loaded first.

    Raises:
        UnknownName: no such format.
        InputError: something is no result, or the folder holds none; or a setting is none of the format's.
        ResultFileError: a result of the folder is damaged.
        MissingExtra: the format needs a package that is not installed; says how to install it.
        OutputError: the folder cannot be written.
    """
    if format not in FORMATS:
        raise UnknownName("format", format, FORMATS)
    module, function, takes = FORMATS[format]
    given: dict[str, Any] = {"compressed": compressed or None, "categories": categories}
    settings = {name: value for name, value in given.items() if value is not None}
    for name in settings.keys() - takes:
        able = ", ".join(other for other, (_, _, theirs) in FORMATS.items() if name in theirs)
        raise InputError(f"{name}: is no setting of the format {format}; it is one of {able}.")
    if isinstance(results, (str, os.PathLike)):
        items = read_folder(results, strategy)
    elif strategy is not None:
        raise InputError("strategy: is for a folder of results; these were given as results.")
    else:
        items = items_of(results)
    check_folder(Path(out).expanduser())
    write = getattr(importlib.import_module(f"zsavs.formats.{module}"), function)
    files: list[Path] = write(items, Path(out).expanduser(), **settings)
    return files
