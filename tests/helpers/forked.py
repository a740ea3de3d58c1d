"""A function run in a copy of this process, which has imported already what a fresh interpreter would have to."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

import torch

__all__ = ["run_in_fork"]

T = TypeVar("T")


def run_in_fork(function: Callable[[], T]) -> T:
    """What a function of a module returns, or raises, in a fork of this process; what it changes is gone with the fork.

    The fork computes in one thread, as it has none of this process's other ones.
    """
    with ProcessPoolExecutor(1, get_context("fork"), torch.set_num_threads, (1,)) as fork:
        return fork.submit(function).result()
