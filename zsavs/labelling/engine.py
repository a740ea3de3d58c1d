"""What carries the work of a job: this process, or a cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from zsavs.errors import InputError
from zsavs.labelling.items import Item
from zsavs.labelling.labeller import Row
from zsavs.labelling.memory import Memory

__all__ = ["ENGINES", "Engine", "check_engine", "open_engine"]

#: By their names.
ENGINES = ("local", "ray")


class Engine(Protocol):
    """Runs a labeller somewhere."""

    def key(self) -> dict[str, Any]:
        """:meth:`zsavs.labelling.labeller.Labeller.key`, as it is where the work is done.

        Raises:
            as that.
        """

    def run(self, chunks: Sequence[Sequence[Item]]) -> Iterator[tuple[Sequence[Item], list[list[Row]]]]:
        """Items of a chunk with the rows of each, as soon as they are known, in any order.

        A chunk is worked on together and given back together; one that could not be may come back in pieces.
        """

    def memory(self) -> Memory:
        """The most that one of the processes with models has had so far."""


def check_engine(name: str, workers: int | None, worker_cpus: int | None) -> None:
    """Check the arguments of :func:`open_engine`, before the work.

    Raises:
        InputError: there is no such engine, or a setting is not its own.
        MissingExtra: ray, and Ray is not installed.
    """
    if name not in ENGINES:
        raise InputError(f"engine: there is {' and '.join(map(repr, ENGINES))}, got {name!r}.")
    for setting, value in (("workers", workers), ("worker_cpus", worker_cpus)):
        if value is None:
            continue
        if name == "local":
            raise InputError(f"{setting}: the local engine is one process; it is a setting of the engine ray.")
        if not isinstance(value, int) or value < 1:
            raise InputError(f"{setting}: expected a whole number from 1, got {value!r}.")
    if name == "ray":
        from zsavs.labelling.on_ray import import_ray

        import_ray()


def open_engine(
    name: str, settings: Mapping[str, Any], workers: int | None = None, worker_cpus: int | None = None
) -> contextlib.AbstractContextManager[Engine]:
    """An engine for the length of a block.

    Args:
        name: one of :data:`ENGINES`.
        settings: of the :class:`~zsavs.labelling.labeller.Labeller`.
        workers, worker_cpus: of ray, see :func:`zsavs.labelling.on_ray.ray_engine`.

    Raises:
        InputError, OutputError: as that.
    """
    if name == "ray":
        from zsavs.labelling.on_ray import ray_engine

        return ray_engine(settings, workers, worker_cpus)
    from zsavs.labelling.local import LocalEngine

    return contextlib.nullcontext(LocalEngine(settings))
