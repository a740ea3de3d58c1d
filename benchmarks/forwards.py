"""How much of a run is spent inside the models, and what the same calls cost with nothing around them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch

#: What the adapters call of their models.
ENTRIES = (
    "get_audio_features",
    "get_text_features",
    "get_image_embeddings",
    "encode_image",
    "encode_text",
    "image_embedder",
    "box_predictor",
    "class_predictor",
    "generate",
    "forward",
)


class Seconds(NamedTuple):
    """Wall time, and processor time of all threads of this process, which other load on the machine does not change."""

    wall: float
    cpu: float


class Stopwatch:
    """Seconds since it was made; on a GPU all submitted work is waited for."""

    def __init__(self) -> None:
        wait()
        self.start = time.perf_counter(), time.process_time()

    def __call__(self) -> Seconds:
        wait()
        return Seconds(time.perf_counter() - self.start[0], time.process_time() - self.start[1])


class Forwards:
    """While it is entered, times every call of the models' own methods, the outermost where they are nested.

    Args:
        models: their ``ENTRIES`` are wrapped, and put back on leaving.
    """

    def __init__(self, models: list[torch.nn.Module]) -> None:
        self.models = models
        self.calls: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []
        self.spent = Seconds(0.0, 0.0)
        self._inside = False
        self._wrapped: list[tuple[torch.nn.Module, str]] = []

    def __enter__(self) -> Forwards:
        for model in self.models:
            for name in ENTRIES:
                if callable(getattr(model, name, None)) and name not in vars(model):
                    setattr(model, name, self._timed(getattr(model, name)))
                    self._wrapped.append((model, name))
        return self

    def __exit__(self, *_: object) -> None:
        for model, name in self._wrapped:
            delattr(model, name)

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return method(*args, **kwargs)
            self._inside = True
            seconds = Stopwatch()
            try:
                answer = method(*args, **kwargs)
                self.calls.append((method, args, kwargs))  # not one that ran out of memory: it would do so again
                return answer
            finally:
                self._inside = False
                self.spent = Seconds(*(a + b for a, b in zip(self.spent, seconds(), strict=True)))

        return call

    def again(self) -> Seconds:
        """What the same calls on the same tensors take, one after the other, with nothing around them."""
        with torch.inference_mode():
            seconds = Stopwatch()
            for method, args, kwargs in self.calls:
                method(*args, **kwargs)
            return seconds()


def wait() -> None:
    """Until the GPU is done, where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def models_of(thing: Any, depth: int = 4, also: tuple[type, ...] = ()) -> list[torch.nn.Module]:
    """The models within an object of zsavs, each once; objects of the types ``also`` are looked into, too."""
    found: dict[int, torch.nn.Module] = {}

    def look(thing: Any, depth: int) -> None:
        for value in vars(thing).values() if hasattr(thing, "__dict__") else ():
            if isinstance(value, torch.nn.Module):
                found[id(value)] = value
                if hasattr(value, "owlv2"):  # its texts are embedded by the model within
                    found[id(value.owlv2)] = value.owlv2
            elif depth and (type(value).__module__.startswith("zsavs.") or isinstance(value, also)):
                look(value, depth - 1)

    look(thing, depth)
    return list(found.values())


@contextlib.contextmanager
def counting_waits() -> Iterator[list[Any]]:
    """Collects a warning for each time that the processor waits for the GPU; empty where there is none."""
    import warnings

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        waits: list[Any] = []
        if torch.cuda.is_available():
            torch.cuda.set_sync_debug_mode("warn")
        try:
            yield waits
        finally:
            if torch.cuda.is_available():
                torch.cuda.set_sync_debug_mode("default")
            # Not what torch says of this way of counting when it is switched on.
            waits += [warning for warning in said if "called a synchronizing" in str(warning.message)]
