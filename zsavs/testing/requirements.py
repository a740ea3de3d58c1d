"""How a check says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ContractError, ZsavsError

__all__ = ["close", "require", "verb"]


def verb(component: Any, name: str) -> Callable[..., Any]:
    """A verb of a component; anything but our own errors coming out of it is a broken contract."""

    def call(*arguments: Any) -> Any:
        try:
            return getattr(component, name)(*arguments)
        except ZsavsError:
            raise
        except Exception as error:
            raise ContractError(f"{name}: raised {type(error).__name__}: {error}") from error

    return call


def require(holds: bool, rule: str) -> None:
    """Raise :class:`ContractError` with the rule where it does not hold."""
    if not holds:
        raise ContractError(rule)


def close(one: NDArray[Any], other: NDArray[Any], tolerance: float, rule: str) -> None:
    """Require two arrays of one shape to differ by no more than the tolerance."""
    require(one.shape == other.shape, f"{rule}; shapes are {one.shape} and {other.shape}.")
    worst = float(np.abs(one - other).max()) if one.size else 0.0
    require(worst <= tolerance, f"{rule} within {tolerance:g}; they differ by {worst:g}.")
