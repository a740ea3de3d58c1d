"""The Ray engine: Ray Data reads the items and hands them to actors that hold the models, on one machine or on many.

Ray places the work, brings it to other workers where one is lost, and starts a new one in its place. All files are
written by the process that called :func:`zsavs.label`, and the answers are those of the local engine.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

from zsavs.build import NESTED
from zsavs.errors import InputError, MissingExtra, OutputError, ZsavsError, first_line
from zsavs.labelling.items import Item
from zsavs.labelling.labeller import Labeller, Row
from zsavs.labelling.memory import Memory, peak_memory
from zsavs.labelling.read import ReadItem, read_items
from zsavs.storage.run_key import differences, listed, sizes_only

__all__ = ["import_ray", "ray_engine"]

log = logging.getLogger(__name__)

#: How often work is tried again whose process has died; then its items are asked about alone, as often.
RETRIES = 2
#: CPUs of a worker without a GPU, where the nodes have so many.
_CPUS = 4
#: Larger chunks are read by the actor itself, and not sent to it.
_MOST_BYTES = 2**29
_DIED = (
    f"the process that worked on it has died {RETRIES + 1} times, of too little memory or of a crash in a decoder or a "
    "model; try it alone with the engine local"
)


def import_ray() -> Any:
    """Ray, with its Data.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtra(
            "the engine ray needs Ray; run: pip install 'zsavs[ray]', or take the engine local."
        ) from error
    return ray


@contextlib.contextmanager
def ray_engine(settings: Mapping[str, Any], workers: int | None, worker_cpus: int | None) -> Iterator[RayEngine]:
    """The engine on the cluster that this process is in or that RAY_ADDRESS names, or on one of this machine alone.

    Args:
        settings: of the :class:`~zsavs.labelling.labeller.Labeller`.
        workers: actors at the most; as many as there is room for now if left out.
        worker_cpus: CPUs of an actor with its reader, where there is no GPU; 4 if left out, or as many as a node has.

    Raises:
        InputError: a device that is not left to Ray, or that no node has; or more CPUs than a node has.
        OutputError: the cluster cannot be reached or started.
    """
    ray = import_ray()
    own = not ray.is_initialized()
    if own:
        _start(ray)
    try:
        yield RayEngine(ray, settings, _share(ray, settings["models"]["device"], workers, worker_cpus))
    finally:
        if own:
            ray.shutdown()


def _start(ray: Any) -> None:
    # Ray's statistics of use would be sent to its makers; nothing of zsavs reports home.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # it tells a lost worker as a traceback
    try:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # on a busy machine Ray raises just that
        address = os.environ.get("RAY_ADDRESS")
        where = f"the Ray cluster at RAY_ADDRESS={address} cannot be reached" if address else "Ray cannot be started"
        raise OutputError(f"{where} ({_cause(error)}).") from error


def _cause(error: BaseException) -> str:
    """What Ray's error began with, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)


@dataclass(frozen=True)
class _Share:
    """What of the cluster one actor has, and how many there are.

    Args:
        device: of its models.
        cpus: of the actor and its reader together, in whole numbers.
        gpus: 1 or 0.
        most: actors.
    """

    device: str
    cpus: int
    gpus: int
    most: int

    @property
    def actor(self) -> dict[str, float]:
        """What Ray reserves for an actor: a part of a single CPU, or all but the reader's."""
        return {"num_cpus": self.cpus - 1 if self.cpus > 1 else 0.6, "num_gpus": self.gpus}

    @property
    def reader(self) -> dict[str, float]:
        """What it reserves for reading."""
        return {"num_cpus": 1 if self.cpus > 1 else 0.4}


def _share(ray: Any, device: str, workers: int | None, worker_cpus: int | None) -> _Share:
    """The share of an actor in the nodes that are there now.

    Raises:
        InputError: see :func:`ray_engine`.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = int(sum(node.get("GPU", 0) for node in nodes))
    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"device: Ray chooses the card; give auto, cpu or cuda, got {device!r}.")
    if device == "cuda" and not gpus:
        raise InputError("device: no node of the Ray cluster has a GPU; give auto or cpu.")
    if gpus and device != "cpu":
        return _Share("cuda", worker_cpus or 2, 1, workers or gpus)
    largest = int(max(node.get("CPU", 0) for node in nodes))
    if worker_cpus is not None and worker_cpus > largest:
        raise InputError(f"worker_cpus: the largest node of the Ray cluster has {largest} CPUs, got {worker_cpus}.")
    cpus = worker_cpus or max(1, min(_CPUS, largest))
    room = sum(int(node.get("CPU", 0)) // cpus for node in nodes)
    return _Share(device, cpus, 0, workers or max(1, room))


class RayEngine:
    """Runs a labeller in the actors of a Ray cluster.

    Args:
        ray: the module, connected.
        settings: of the labeller.
        share: what an actor has.
    """

    def __init__(self, ray: Any, settings: Mapping[str, Any], share: _Share) -> None:
        self._ray, self._share = ray, share
        self._settings = {**settings, "models": {**settings["models"], "device": share.device}}
        self._key: dict[str, Any] = {}
        self._memory = Memory()

    def key(self) -> dict[str, Any]:
        """The labeller's, on a node that has what an actor needs: this machine may have no GPU, and no models.

        Raises:
            as :meth:`~zsavs.labelling.labeller.Labeller.key`.
            OutputError: no worker came to it.
        """
        asked = self._ray.remote(**self._share.actor, max_retries=RETRIES)(_key)
        try:
            found, warned = self._ray.get(asked.remote(self._settings))
        except self._ray.exceptions.RayError as error:
            raise OutputError(f"no worker of the Ray cluster could load the models ({first_line(error)}).") from error
        for warning in warned:
            log.warning("%s", warning)
        if isinstance(found, ZsavsError):
            raise found
        self._key = json.loads(json.dumps(found))
        return self._key

    def run(self, chunks: Sequence[Sequence[Item]]) -> Iterator[tuple[Sequence[Item], list[list[Row]]]]:
        """Each chunk with the rows of its items; of one whose workers died again and again, item by item.

        Raises:
            OutputError: a worker has other models or other code, or none can be started.
        """
        lost = yield from self._once(chunks)
        alone = [[item] for chunk in lost for item in chunk]
        for (item,) in (yield from self._once(alone)):
            rows = [{"id": item.id, "strategy": name, **item.named} for name in self._settings["strategies"]]
            yield [item], [[{**row, "status": "failed", "error": _DIED} for row in rows]]

    def memory(self) -> Memory:
        """Of the actor that has had the most."""
        return self._memory

    def _once(
        self, chunks: Sequence[Sequence[Item]]
    ) -> Generator[tuple[Sequence[Item], list[list[Row]]], None, list[Sequence[Item]]]:
        """Each chunk whose workers live; gives back the others."""
        if not chunks:
            return []
        lost = dict(enumerate(chunks))
        for answer in self._answers(chunks):
            if answer["wrong"]:
                raise OutputError(answer["wrong"])
            self._memory |= Memory(*json.loads(answer["memory"]))
            yield lost.pop(answer["number"]), json.loads(answer["rows"])
        return [*lost.values()]

    def _answers(self, chunks: Sequence[Sequence[Item]]) -> Iterator[Mapping[str, Any]]:
        """What the actors say of each chunk, by its number, as soon as it is known."""
        try:
            yield from self._dataset(chunks).iter_rows()
        except self._ray.exceptions.RayError as error:
            raise OutputError(
                f"the workers of the Ray cluster cannot go on ({first_line(error)}); what was finished is kept."
            ) from error

    def _dataset(self, chunks: Sequence[Sequence[Item]]) -> Any:
        """The stages: chunks, which are read by tasks, and answered by actors."""
        data, share = self._ray.data, self._share
        rows = [{"number": number, "chunk": _Chunk(tuple(chunk))} for number, chunk in enumerate(chunks)]
        # Of Ray's own settings, as they are copied; and of the retries, which have no other way in yet.
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            context = data.DataContext.get_current().copy()
            context.enable_progress_bars = False
            context.max_errored_blocks = -1  # a chunk that is lost is missed by its number
            with data.DataContext.current(context):
                # A block for each chunk: it is lost, done again and handed back by itself.
                found = data.from_items(rows, override_num_blocks=len(rows))
                found = found.map_batches(
                    _read, batch_size=1, compute=data.TaskPoolStrategy(), max_retries=RETRIES, **share.reader
                )
                return found.map_batches(
                    _Worker,
                    fn_constructor_args=(self._settings, self._key),
                    batch_size=1,
                    compute=data.ActorPoolStrategy(min_size=1, max_size=share.most, initial_size=share.most),
                    max_task_retries=RETRIES,
                    **share.actor,
                )


def _key(settings: Mapping[str, Any]) -> tuple[dict[str, Any] | ZsavsError, list[str]]:
    """The key of a labeller, or why it has none; and what was warned of while its models were loaded."""
    warned: list[str] = []
    heard = logging.Handler(logging.WARNING)
    heard.emit = lambda record: warned.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("zsavs")
    logger.addHandler(heard)
    try:
        return Labeller(settings).key(), warned
    except ZsavsError as error:
        return error, warned
    finally:
        logger.removeHandler(heard)


@dataclass(frozen=True)
class _Chunk:
    """Items on their way, one value for Ray.

    Args:
        items: the items.
        read: what of them has been read; None where that is too large to be sent.
    """

    items: tuple[Item, ...]
    read: list[ReadItem] | None = None


def _read(rows: dict[str, Any]) -> dict[str, Any]:
    """Read the items of a chunk."""
    (chunk,) = rows["chunk"]
    read = read_items(chunk.items)
    small = sum(each.size_bytes for each in read) <= _MOST_BYTES
    return {"number": rows["number"], "chunk": [replace(chunk, read=read if small else None)]}


class _Worker:
    """An actor: a labeller whose models are loaded once.

    Args:
        settings: of the labeller.
        key: that of the job.
    """

    def __init__(self, settings: Mapping[str, Any], key: Mapping[str, Any]) -> None:
        self._labeller = Labeller(settings)
        self._wrong = _difference(self._labeller, key)

    def __call__(self, rows: dict[str, Any]) -> dict[str, Any]:
        (chunk,) = rows["chunk"]
        read = read_items(chunk.items) if chunk.read is None else [*map(_protected, chunk.read)]
        found = [] if self._wrong else self._labeller(read)
        told = {"rows": json.dumps(found), "memory": json.dumps(astuple(peak_memory())), "wrong": self._wrong}
        return {"number": rows["number"], **{name: [value] for name, value in told.items()}}


def _protected(read: ReadItem) -> ReadItem:
    """With read-only arrays, as a sample has: that is lost on the way, and what is remembered goes by it."""
    sample = read.sample
    return read if sample is None else replace(read, sample=replace(sample, audio=replace(sample.audio)))


def _difference(labeller: Labeller, key: Mapping[str, Any]) -> str:
    """What is other on this node than where the key of the job was made; "" for nothing that changes an answer."""
    try:
        own = labeller.key()
    except ZsavsError as error:
        return f"a node of the Ray cluster cannot load the models: {error}"
    # Copies of a checkpoint have times of writing of their own.
    mine, theirs = ({**each, "weights": sizes_only(each["weights"])} for each in (own, key))
    changed = differences(theirs, json.loads(json.dumps(mine)), (*NESTED, "models", "banks"))
    if not changed:
        return ""
    return f"the nodes of the Ray cluster differ ({listed(changed)}); install the same zsavs and models on all of them."
