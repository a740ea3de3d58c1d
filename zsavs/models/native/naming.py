"""From the names of a file to those that transformers publishes the same weights under."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zsavs.errors import WeightsError, ZsavsError, first_line

if TYPE_CHECKING:
    import torch

__all__ = ["QUERY_KEY_VALUE", "Renamed", "Rule", "layers_under", "reading_sizes", "renamed"]

#: A pattern and what stands in its place, as for :func:`re.sub`.
Rule = tuple[str, str]

#: In a new name: the weight is cut into three, and this stands for one of "query", "key", "value".
QUERY_KEY_VALUE = "{qkv}"


class Renamed(NamedTuple):
    """A weight under its new name, and the name that it has in the file."""

    name: str
    tensor: torch.Tensor


def renamed(
    weights: Mapping[str, torch.Tensor], rules: Iterable[Rule], left_out: Sequence[str] = ()
) -> dict[str, Renamed]:
    """The weights by their new names.

    Args:
        weights: by their names in the file.
        rules: applied to each name, one after the other.
        left_out: patterns of names from their beginning that the model has no use for.
    """
    compiled = [(re.compile(pattern), replacement) for pattern, replacement in rules]
    unused = [re.compile(pattern) for pattern in left_out]
    found: dict[str, Renamed] = {}
    for name, tensor in weights.items():
        if any(pattern.match(name) for pattern in unused):
            continue
        new = name
        for pattern, replacement in compiled:
            new = pattern.sub(replacement, new)
        if QUERY_KEY_VALUE in new:
            for part, third in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                found[new.replace(QUERY_KEY_VALUE, part)] = Renamed(name, third)
        else:
            found[new] = Renamed(name, tensor)
    return found


def layers_under(weights: Iterable[str], prefix: str) -> int:
    """How many layers are numbered under a prefix: one more than the size_of number; 0 where there is none."""
    numbers = [re.match(r"\d+", name.removeprefix(prefix)) for name in weights if name.startswith(prefix)]
    return 1 + max((int(number[0]) for number in numbers if number), default=-1)


@contextlib.contextmanager
def reading_sizes(path: Path) -> Iterator[None]:
    """Say what is wrong with a file where sizes are read out of the shapes of its weights, and a configuration of them.

    Raises:
        WeightsError: naming the file and the weight that it lacks, or saying that the shapes make no model.
    """
    try:
        yield
    except ZsavsError:
        raise
    except KeyError as error:
        raise WeightsError(
            f"{path}: {error.args[0]} is missing in the file; it is incomplete or another model's."
        ) from error
    except Exception as error:  # of whatever kind transformers refuses settings with
        raise WeightsError(
            f"{path}: the shapes of its weights make no model ({type(error).__name__}: {first_line(error)}); it is "
            "another model's or broken."
        ) from error
