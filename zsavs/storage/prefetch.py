"""Make the next value while the caller works on this one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["prefetch"]

T = TypeVar("T")

_END: Any = object()


def prefetch(values: Iterable[T]) -> Iterator[T]:
    """The same values in the same order, each made in a thread while the caller works on the one before.

    Reading files is work for one core while a model is busy on another, or on a GPU. Never more than one value is made
    ahead, so that two are held at the most. An error comes up where its value would have; who stops early, or is
    interrupted, waits for the value that is being made and no longer.

    Args:
        values: made by one thread of its own, one after the other; what it touches must not mind that.
    """
    making = iter(values)
    with ThreadPoolExecutor(1, "zsavs-prefetch") as worker:
        coming = worker.submit(next, making, _END)
        while (value := coming.result()) is not _END:
            coming = worker.submit(next, making, _END)
            yield value
