"""Reading a report that may have gaps: every helper gives an empty value for what is missing or of another kind."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from zsavs.errors import InputError
from zsavs.report.escaping import visible

__all__ = ["entries", "grouped", "line", "mapping", "measure", "number", "percent", "plain"]

#: Longer names and messages are cut in the page; report.json keeps them whole.
_LONGEST = 500
_ELLIPSIS = "…"


def plain(value: Any, where: str = "report") -> Any:
    """A copy of ``value`` of JSON's own types, keys as text, and null for every number that is not finite.

    Raises:
        InputError: something in it has no counterpart in JSON, saying where.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(entry, f"{where}.{key}") for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [plain(entry, f"{where}[{i}]") for i, entry in enumerate(value)]
    kind = type(value).__name__
    raise InputError(
        f"{line(where)}: values of type {kind} cannot be stored as JSON; hand over numbers, text, lists and mappings."
    )


def mapping(value: Any) -> dict[str, Any]:
    """``value`` if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def entries(value: Any) -> list[dict[str, Any]]:
    """The mappings in ``value``, none if it is not a list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def grouped(value: Any) -> dict[str, dict[str, Any]]:
    """The entries of ``value`` that are mappings, by their names, without empty ones."""
    return {name: entry for name, entry in mapping(value).items() if isinstance(entry, dict) and entry}


def number(value: Any) -> float | None:
    """``value`` if it is a finite number and no truth value, else None."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    return None


def line(value: Any) -> str:
    """Any value as one line of text: no line breaks, control or direction characters, at most 500 characters."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(line(entry) for entry in value)[:_LONGEST]
    if isinstance(value, dict):
        return ", ".join(f"{line(key)}: {line(entry)}" for key, entry in value.items())[:_LONGEST]
    text = " ".join(visible(str(value)[: 4 * _LONGEST]).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + _ELLIPSIS


def percent(value: float | None) -> str:
    """A share as percent with one decimal; a dash for none.

    >>> percent(0.5704), percent(None)
    ('57.0', '–')
    """
    return "–" if value is None else f"{100 * value:.1f}".replace("-0.0", "0.0")


def measure(name: str, value: float | None) -> str:
    """A number as its name asks for: counts whole, thresholds with three decimals, seconds, and shares in percent."""
    if value is None:
        return "–"
    if name.startswith("n_") or name in ("items", "frames"):
        return f"{value:,.0f}".replace(",", "\u202f")
    if name.endswith("threshold"):
        return f"{value:.3f}"
    if name.startswith("seconds"):
        return f"{value:.3g}"
    return percent(value)
