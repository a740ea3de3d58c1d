"""The lists of the orchestra, of scenes and of clips: read, and checked before they are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from zsavs.datasets.base import IGNORE
from zsavs.datasets.metadata import load_json
from zsavs.errors import ContractError, InputError, UnknownName, first_line
from zsavs.types import Query, Times

__all__ = ["brief", "check_labels", "checked_text", "checked_times", "file_name", "read_list"]

_VERSION = 1


class _Grouped(Protocol):
    @property
    def group(self) -> str: ...


Entry = TypeVar("Entry", bound=_Grouped)


def read_list(
    path: Path, kind: str, groups: Sequence[str] | None, read: Callable[[Any], tuple[str, Entry]]
) -> tuple[dict[str, str], dict[str, Entry], list[Entry]]:
    """Groups with their descriptions, and entries by name, of those groups that are wanted.

    Args:
        path: the list, JSON.
        kind: what its entries are: "scenes" or "clips".
        groups: names of the groups that are wanted; None for all.
        read: gives name and entry, and raises KeyError, TypeError or ValueError where there is none.

    Returns:
        The groups that are wanted; their entries, a round of one of each group after the other, so that the first N are
        of all groups; and the entries of all groups.

    Raises:
        InputError: the file is not such a list, or has none of the groups; says where it differs.
        UnknownName: no such group.
    """
    listing = load_json(path)
    if not isinstance(listing, dict) or listing.get("version") != _VERSION:
        found = listing.get("version") if isinstance(listing, dict) else type(listing).__name__
        raise InputError(f"{path}: expected a list of {kind} of version {_VERSION}; found {found!r}.")
    known, rows = listing.get("groups"), listing.get(kind)
    if not isinstance(known, dict) or not all(isinstance(text, str) for text in known.values()):
        raise InputError(f"{path}: expected 'groups' to map names to descriptions; found {brief(known)}.")
    if not isinstance(rows, list) or not rows:
        raise InputError(f"{path}: expected {kind!r} to be a list that is not empty; found {brief(rows)}.")
    one, entries = kind.removesuffix("s"), dict[str, Entry]()
    for number, row in enumerate(rows, 1):
        try:
            name, entry = read(row)
        except KeyError as error:
            raise InputError(f"{path}: {one} {number} cannot be used (it has no {error}).") from error
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}: {one} {number} cannot be used ({error}).") from error
        if entry.group not in known or name in entries:
            fault = f"is in the unknown group {entry.group!r}" if entry.group not in known else "is there twice"
            raise InputError(f"{path}: {one} {name!r} {fault}.")
        entries[name] = entry
    wanted = tuple(known) if groups is None else tuple(groups)
    for group in wanted:
        if group not in known:
            raise UnknownName(f"group of {path}", group, known)
    kept = _in_rounds({name: entry for name, entry in entries.items() if entry.group in wanted})
    if not kept:
        raise InputError(f"{path}: expected {kind} of {', '.join(wanted) or 'some group'}; found none.")
    return {group: text for group, text in known.items() if group in wanted}, kept, list(entries.values())


def _in_rounds(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """The entries by how many of their group came before, and otherwise in their own order."""
    before: dict[str, int] = {}
    rounds = {}
    for name, entry in entries.items():
        rounds[name] = before[entry.group] = before.get(entry.group, -1) + 1
    return {name: entries[name] for name in sorted(entries, key=rounds.__getitem__)}


def check_labels(path: Path, labels: set[str]) -> tuple[str, ...]:
    """The classes of a label map: the background, and labels in alphabetical order.

    Raises:
        InputError: more labels than a label map holds.
    """
    if len(labels) >= IGNORE:
        raise InputError(f"{path}: more than {IGNORE - 1} labels are heard, and a label map holds no more.")
    return ("background", *sorted(labels))


def file_name(name: Any) -> str:
    """Return a name that can be part of a file's; ValueError for others."""
    if not isinstance(name, str) or name in ("", ".", "..") or Path(name).name != name or "\0" in name:
        raise ValueError(f"name {name!r} is no file name")
    return name


def checked_text(value: Any) -> str:
    """Return a word; TypeError for anything else."""
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"expected a word, found {brief(value)}")
    return value


def checked_times(labels: Sequence[str], times: Sequence[Any]) -> dict[str, Times]:
    """When things sound, by label; ValueError where these are no times."""
    try:
        checked = Query(tuple(labels), np.ones(len(labels), np.float32), times=tuple(times))
    except ContractError as error:
        raise ValueError(first_line(error)) from error
    return dict(zip(labels, checked.times or (), strict=True))


def brief(value: Any) -> str:
    """The start of a value, on one line."""
    return " ".join(repr(value).split())[:60]
