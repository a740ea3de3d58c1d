"""Checks of grounders' settings, and of the parts that grounders are built around."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from zsavs.errors import ContractError, InputError

__all__ = ["check_counts", "check_part", "check_shares", "is_number"]


def is_number(value: Any) -> bool:
    """Whether a setting is a real number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def check_counts(what: str, **counts: int) -> None:
    """Refuse settings that are no whole numbers of at least 1.

    Raises:
        InputError: names the setting of ``what``.
    """
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
            raise InputError(f"{what}: {name} is a whole number of at least 1, got {count!r}.")


def check_shares(what: str, **shares: float) -> None:
    """Refuse settings that are not in [0, 1].

    Raises:
        InputError: names the setting of ``what``.
    """
    for name, share in shares.items():
        if not is_number(share) or not 0 <= share <= 1:
            raise InputError(f"{what}: {name} lies in [0, 1], got {share!r}.")


def check_part(what: str, role: str, part: Any, verb: str, remedy: str = "") -> None:
    """Refuse a part that lacks a verb, and a class in place of an object.

    Args:
        what: the grounder that needs the part.
        role: the part's, for the message.
        part: the object to check.
        verb: name of the method.
        remedy: what to do, to end the message with.

    Raises:
        ContractError: names the part's class and the verb.
    """
    if isinstance(part, type) or not callable(getattr(part, verb, None)):
        name = part.__name__ if isinstance(part, type) else type(part).__name__
        raise ContractError(f"{what}: the {role} needs {verb}(...), which {name} does not have{remedy}.")
