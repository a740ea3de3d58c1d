"""Many values, of which a broken one costs itself alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

from zsavs.errors import InputError, reason

__all__ = ["OnError", "answered", "handler", "read_in_batches"]

log = logging.getLogger(__name__)

S = TypeVar("S")
T = TypeVar("T")

#: What is done about a value that fails: "raise", "skip", or a function that is told its position, from 0, and why.
OnError: TypeAlias = str | Callable[[int, Exception], Any]


def handler(on_error: OnError) -> Callable[[int, Exception], Any] | None:
    """The function to tell of a value that fails; None where its error is to be raised. "skip" says it in a warning.

    Raises:
        InputError: neither "raise", "skip" nor a function.
    """
    if on_error == "raise":
        return None
    if on_error == "skip":
        return lambda position, error: log.warning("item %d is left out: %s", position, reason(error))
    if not callable(on_error):
        raise InputError(f'on_error must be "raise", "skip" or a function of position and error, got {on_error!r:.60}.')
    return on_error


def read_in_batches(
    values: Iterable[S],
    batch_size: int,
    read: Callable[[S], T],
    failed: Callable[[int, Exception], Any] | None,
) -> Iterator[list[tuple[int, T]]]:
    """Batches of what is read of the values, each with its position.

    Args:
        values: any iterable; its own errors are raised, as an iterator may have ended with them.
        batch_size: values in a batch but the last, those that cannot be read not counted.
        read: from a value to what is wanted of it.
        failed: told of a value that cannot be read, which is left out; None to raise its error.
    """
    batch: list[tuple[int, T]] = []
    for position, value in enumerate(values):
        try:
            batch.append((position, read(value)))
        except Exception as error:
            if failed is None:
                raise
            failed(position, error)
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch:
        yield batch


def answered(
    batch: Sequence[tuple[int, S]],
    answer: Callable[[list[S]], Sequence[T]],
    failed: Callable[[int, Exception], Any] | None,
) -> dict[int, T]:
    """The answers to a batch by position; where that fails, each value is asked about alone.

    Args:
        batch: positions and values.
        answer: takes n values, gives n answers.
        failed: told of a value that has no answer; None to raise its error.
    """
    positions, values = [position for position, _ in batch], [value for _, value in batch]
    try:
        return dict(zip(positions, answer(values), strict=True))
    except Exception as error:
        if failed is None:
            raise
        if len(batch) == 1:
            failed(positions[0], error)
            return {}
    return {key: found for one in batch for key, found in answered([one], answer, failed).items()}
