"""The time that is spent inside the models: each call of one is told to who asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

__all__ = ["Heard", "model_call", "told_of_model_calls"]

#: Told of each call: the model's name, and seconds.
Heard: TypeAlias = Callable[[str, float], None]

_told: ContextVar[Heard | None] = ContextVar("told of model calls", default=None)


@contextmanager
def told_of_model_calls(heard: Heard) -> Iterator[None]:
    """While it is entered, ``heard`` is told of every call of a model that ends in this thread.

    Args:
        heard: gets the model's name and how many seconds the call took.
    """
    token = _told.set(heard)
    try:
        yield
    finally:
        _told.reset(token)


@contextmanager
def model_call(model: str) -> Iterator[None]:
    """One call of a model, with the copies to its device and back; a call within a call is a part of the outer one.

    Args:
        model: its name.
    """
    heard = _told.get()
    if heard is None:
        yield
        return
    with told_of_model_calls(lambda inner, seconds: None):
        start = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
    heard(model, seconds)
