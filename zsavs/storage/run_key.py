"""The key of a run: states of files and of weights, and the difference between a key then and now, in words.

A run of many items keeps beside its answers what they were computed from. It goes on where that is still so, and
nowhere else: an answer to files, weights or code that are gone is a wrong one, and nobody would see it. The key of code
is made by :mod:`zsavs.storage.source_code`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from zsavs.errors import MissingWeights
from zsavs.storage.weights import WeightCard, locate

__all__ = ["State", "differences", "file_states", "listed", "sizes_only", "weight_states"]

#: Of a file: its size in bytes and when it was written, in nanoseconds; its name in the hub, which is its checksum;
#: None where it is not there.
State: TypeAlias = list[int] | str | None

#: How many differences a message names.
_SHOWN = 5


def file_states(paths: Iterable[Path], root: Path | None = None) -> dict[str, State]:
    """The state of each file, by its path below ``root``; by its whole path where it lies elsewhere."""
    states: dict[str, State] = {}
    for path in paths:
        inside = root is not None and path.is_relative_to(root)
        states[path.relative_to(root).as_posix() if root is not None and inside else str(path.absolute())] = _state(
            path
        )
    return states


def weight_states(cards: Iterable[WeightCard]) -> dict[str, dict[str, State]]:
    """The states of the files of checkpoints, by the source on the card and the file's name.

    A checkpoint that is in no file, as that of a model somebody built in Python, has no entry.
    """
    found: dict[str, dict[str, State]] = {}
    for card in cards:
        if card.source in found:
            continue
        try:
            where = locate(card.source, card.revision)
        except MissingWeights:
            continue
        if where.is_file():
            found[card.source] = {where.name: _state(where)}
        else:
            files = sorted(path for path in where.rglob("*") if path.is_file())
            own = {path.relative_to(where).as_posix(): path for path in files}
            found[card.source] = {
                name: _state(path) for name, path in own.items() if not any(p.startswith(".") for p in Path(name).parts)
            }
    return found


def _state(path: Path) -> State:
    try:
        if path.is_symlink() and (blob := path.resolve()).parent.name == "blobs":
            return blob.name  # of the hub cache, named after the checksum of what is in it
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def sizes_only(states: Mapping[str, Any]) -> dict[str, Any]:
    """States, however deep in mappings, without the time of writing: what copies on several machines have in common."""
    return {
        name: sizes_only(state) if isinstance(state, Mapping) else state[:1] if isinstance(state, list) else state
        for name, state in states.items()
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any], nested: Iterable[str] = ()) -> list[str]:
    """What of a key has changed, a text for each, in order of the names.

    Args:
        before, now: plain JSON values by name.
        nested: names whose values are mappings, to be compared entry by entry.

    >>> differences({"a": 1, "code": {"x": "1f"}}, {"a": 2, "code": {"x": "2e"}}, ["code"])
    ['a: 1 then, 2 now', 'code: x has changed']
    >>> differences({"x.png": [10, 0]}, {"x.png": None})
    ['x.png: 10 bytes then, not there now']
    """
    nested = frozenset(nested)
    changed: list[str] = []
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        if name in nested and (old is None or isinstance(old, Mapping)) and isinstance(new, Mapping):
            changed += [f"{name}: {text}" for text in _within(old or {}, new)]
        elif _is_state(old) or _is_state(new):
            changed.append(_of_files(name, old, new))
        else:
            changed.append(f"{name}: {old!r} then, {new!r} now")
    return changed


def _within(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Differences of a mapping to states, to digests, or to mappings of states."""
    changed = []
    for name in sorted({*old, *new}):
        a, b = old.get(name), new.get(name)
        if a == b:
            continue
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            changed += [f"{name}: {text}" for text in _within(a, b)]
        elif _is_state(a) or _is_state(b):
            changed.append(_of_files(name, a, b))
        elif a is None or b is None:
            changed.append(f"{name} is {'new' if a is None else 'no longer used'}")
        elif _is_digest(a) and _is_digest(b):
            changed.append(f"{name} has changed")
        else:
            changed.append(f"{name}: {a!r} then, {b!r} now")
    return changed


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]+", value) is not None


def _is_state(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(number) is int for number in value)


def _of_files(name: str, old: Any, new: Any) -> str:
    """How the state of a file differs: in its size, or in its time where the size is the same."""
    same = _is_state(old) and _is_state(new) and old[0] == new[0]

    def told(state: Any) -> str:
        if not _is_state(state):
            return "not there" if state is None else f"{state!r}"
        if not same:
            return f"{state[0]} bytes"
        return f"written {datetime.fromtimestamp(state[1] / 1e9).astimezone().isoformat(' ', 'milliseconds')}"

    return f"{name}: {told(old)} then, {told(new)} now"


def listed(changed: list[str]) -> str:
    """The first differences in a line, and how many more there are."""
    more = len(changed) - _SHOWN
    return "; ".join(changed[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
