"""A progress bar for whoever calls from Python: in a notebook one of the notebook's own, elsewhere a line on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

__all__ = ["Progress", "telling"]

#: What is told of how far something is: steps done, and how many there are, if that is known.
Progress: TypeAlias = Callable[[int, int | None], object]


@contextmanager
def telling(progress: bool | Progress | None, label: str) -> Iterator[Progress | None]:
    """What is to be told of how far something is.

    Args:
        progress: a function that is told, or True for a bar.
        label: what stands before the bar.

    Yields:
        The function, or one that moves the bar; None for nobody.
    """
    if callable(progress) or not progress:
        yield progress or None
        return
    from tqdm.auto import tqdm

    with tqdm(desc=label) as bar:

        def move(done: int, total: int | None) -> None:
            if total != bar.total:
                bar.reset(total)
            bar.update(done - bar.n)

        yield move
