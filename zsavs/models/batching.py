"""Many items through a model: in batches that fit the device's memory, without gradients."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from zsavs.errors import InputError, OutOfMemory
from zsavs.models.model_time import model_call
from zsavs.models.runtime import ran_out_of_memory

__all__ = ["batches", "in_batches", "in_threads", "inference", "within_memory"]

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

#: More threads than this would wait for each other and for memory.
_MAX_THREADS = 8


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Split items into lists of at most ``size``, in order, taking no more items than the current list needs.

    Raises:
        InputError: a size below 1.
    """
    if size < 1:
        raise InputError(f"batch_size must be at least 1, got {size}.")
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def in_batches(compute: Callable[[list[T]], Iterable[R]], items: Iterable[T], size: int) -> list[R]:
    """Answer for every item, at most ``size`` at once, and fewer where the device has no room for so many.

    A batch that runs out of memory is halved until it fits, and what follows in this call comes in batches of the size
    that did. No item is taken before its batch, so that of an endless row of large ones only a batch is in memory.

    Args:
        compute: takes a list of items, gives one answer for each.
        items: in order.
        size: at least 1.

    Raises:
        InputError: a size below 1.
        OutOfMemory: one item alone does not fit.
    """
    answers: list[R] = []
    for batch in batches(items, size):
        while batch:
            part, fits = batch[:size], True
            try:
                answers += list(compute(part))
            except OutOfMemory:
                if len(part) == 1:
                    raise
                fits = False
            if fits:
                del batch[: len(part)]
            else:  # not in the handler, where the error still holds on to what the failed attempt had computed
                size = len(part) // 2
                log.warning("the device ran out of memory with %d items at once; going on with %d", len(part), size)
                _release_memory()
    return answers


def _release_memory() -> None:
    """Give the device's memory back that nothing uses any more."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@contextlib.contextmanager
def inference(model: str) -> Iterator[None]:
    """Run a model without gradients; what runs in it is called by :func:`in_batches`.

    Raises:
        OutOfMemory: the device's memory is too small for the batch.
    """
    import torch

    with model_call(model), torch.inference_mode(), within_memory(model):
        yield


@contextlib.contextmanager
def within_memory(model: str) -> Iterator[None]:
    """Turn torch's error about memory into ours; :func:`in_batches` then tries with fewer items.

    Raises:
        OutOfMemory: the device's memory is too small for the batch.
    """
    try:
        yield
    except RuntimeError as error:
        if not ran_out_of_memory(error):
            raise
        raise OutOfMemory(
            f"{model}: the device's memory is too small for one item alone; use a smaller preset or device='cpu', "
            f"or free the memory that other programs hold."
        ) from error


def in_threads(prepare: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Prepare each item for a model, in order; several at once, as what works on pixels lets other threads run.

    Args:
        prepare: from an item to its tensor; called from several threads.
        items: of one batch.

    Raises:
        What ``prepare`` raises for the first item that it raises for.
    """
    threads = min(len(items), os.cpu_count() or 1, _MAX_THREADS)
    if threads < 2:
        return [prepare(item) for item in items]
    with ThreadPoolExecutor(threads, "prepare") as pool:
        return list(pool.map(prepare, items))
