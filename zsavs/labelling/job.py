"""A labelling job: a folder or a manifest in, a data set of answers out; goes on where it was stopped."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zsavs.build import NESTED, first_preset_here
from zsavs.errors import InputError, OutputError, ResultFileError
from zsavs.labelling.engine import Engine, check_engine, open_engine
from zsavs.labelling.inputs import read_inputs
from zsavs.labelling.items import Inputs, Item
from zsavs.labelling.labeller import Row
from zsavs.labelling.memory import Memory
from zsavs.labelling.parts import Parts
from zsavs.labelling.previews import sample_of, write_previews
from zsavs.labelling.shards import check_format, write_lines, write_shards
from zsavs.pipeline import check_batches
from zsavs.presets import find_preset
from zsavs.storage.files import read_text, remove_unfinished, write_atomically
from zsavs.storage.folder_lock import lock_folder
from zsavs.storage.progress_bar import Progress, telling
from zsavs.storage.run_key import differences, listed
from zsavs.storage.source_code import digest

__all__ = ["LabelReport", "label"]

log = logging.getLogger(__name__)

#: The settings that are mappings, compared entry by entry.
_NESTED = (*NESTED, "models", "banks")
_SETTINGS, _FAILURES, _REPORT = "settings.json", "failures.jsonl", "report.json"


@dataclass(frozen=True)
class LabelReport:
    """What came of a job; its entries are those of ``report.json``.

    Args:
        items: how many there are; each is ``done``, ``empty`` (nothing in view sounds) or ``failed``.
        refused: rows and files of the input that are no item; they stand with the failed ones in ``failures.jsonl``.
        computed_now: items that this call asked about; the others were known.
        seconds, items_per_s: of what was computed now, models loaded.
        peak_memory_mb, peak_gpu_memory_mb: the most memory that a process with models has had, None on Windows, which
            does not tell; of its GPU, what torch has allocated, or None.
    """

    items: int
    done: int
    empty: int
    failed: int
    refused: int
    computed_now: int
    seconds: float
    items_per_s: float | None
    peak_memory_mb: float | None
    peak_gpu_memory_mb: float | None


def label(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    strategies: Sequence[str] | None = None,
    preset: str | None = None,
    engine: str = "local",
    *,
    workers: int | None = None,
    worker_cpus: int | None = None,
    device: str = "auto",
    dtype: str = "auto",
    vocabulary: str | os.PathLike[str] | Sequence[str] | None = None,
    bank: str | os.PathLike[str] | None = None,
    decomposition: str | None = None,
    stereo: bool = False,
    batch_size: int = 8,
    fps: float | None = None,
    previews: int = 12,
    shard_size: int = 1000,
    form: str = "jsonl",
    retry_failed: bool = False,
    refresh: bool = False,
    progress: bool | Progress | None = None,
    **settings: Any,
) -> LabelReport:
    """Ask strategies about every item of a folder or a manifest, and write a data set of the answers.

    Whatever ends the process, finished chunks of ``batch_size`` items are kept, and the same call goes on after them,
    with the bytes of a job that was never interrupted. An item that is new, or whose files have changed, is asked about
    again. An item that fails costs itself alone.

    Args:
        source: a folder of videos, or of images with their audio files; or a manifest. See
            :mod:`zsavs.labelling.folder` and :mod:`zsavs.labelling.manifest`.
        out: folder for ``answers-*.jsonl``, ``failures.jsonl``, ``previews/``, ``report.json``, ``settings.json``, and
            ``parts/``, by which a job goes on.
        strategies: names; the preset's own if left out.
        preset: the best one on this machine if left out.
        engine: what carries the work: "local", this process; or "ray", actors on a Ray cluster, with the same answers.
        workers: of ray, actors at the most; as many as there is room for if left out.
        worker_cpus: of ray, CPUs of an actor and its reader where it has no GPU; 4 if left out, or all of a smaller
            node.
        device, dtype, vocabulary, bank, decomposition, stereo: as for :func:`zsavs.build_pipeline`.
        batch_size: items, or frames of a video, that go through the models together.
        fps: frames of a video that are looked at in a second, 8 if left out.
        previews: cards of so many items.
        shard_size: rows in a file, one for each item and strategy.
        form: of the files, "jsonl" or "parquet".
        retry_failed: ask again about items that failed before.
        refresh: where ``out`` holds a job with other settings, compute all of it again.
        progress: told how many items are done, and how many there are; True for a progress bar.
        settings: as for :func:`zsavs.compare`, plain values and names.

    Raises:
        InputError: nothing to label, or an argument that cannot be used.
        MissingExtra: Parquet, and pyarrow is not installed; or ray, and Ray is not.
        UnknownName, MissingWeights: as :func:`zsavs.build_pipeline`.
        OutputError: the folder cannot be written, another process writes to it, or it holds something else; a job with
            other settings is refused with the difference. Or the Ray cluster cannot do the work.
    """
    check_engine(engine, workers, worker_cpus)
    if isinstance(strategies, str):
        raise InputError(f"label takes a list of strategies, got the one name {strategies!r}; use [{strategies!r}].")
    for name, number in (("previews", previews), ("shard_size", shard_size)):
        if not isinstance(number, int) or number < (name == "shard_size"):
            raise InputError(f"{name}: expected a whole number, got {number!r}.")
    check_batches([], batch_size)
    check_format(form)
    inputs = read_inputs(source, out)
    preset = preset or first_preset_here(device=device)
    models = {"device": device, "dtype": dtype, "vocabulary": _path(vocabulary), "bank": _path(bank)}
    asked = _plain(
        {
            "strategies": list(dict.fromkeys(strategies or [find_preset(preset).strategy])),
            "preset": preset,
            "models": {**models, "decomposition": decomposition, "stereo": stereo},
            "settings": settings,
            "batch_size": batch_size,
            "fps": fps,
        }
    )
    folder = Path(out)
    with _own_folder(folder), open_engine(engine, asked, workers, worker_cpus) as carrier:
        remove_unfinished(folder)
        job_key = {"root": str(inputs.root.resolve()), **carrier.key()}
        parts = Parts(folder / "parts")
        _check_settings(folder / _SETTINGS, job_key, parts, refresh)
        if retry_failed:
            parts.drop_where(lambda rows: any(row["status"] == "failed" for row in rows))
        of_job = digest(json.dumps(job_key, sort_keys=True).encode())
        keys = {item.id: item.key(of_job) for item in inputs.items}
        with telling(progress, "labelling") as tell:
            computed, seconds = _compute(inputs.items, keys, of_job, carrier, parts, batch_size, tell)
        memory = carrier.memory()
        return _finish(folder, inputs, keys, parts, previews, shard_size, form, computed, seconds, memory)


def _compute(
    items: Sequence[Item],
    keys: dict[str, str],
    of_job: str,
    carrier: Engine,
    parts: Parts,
    batch_size: int,
    progress: Progress | None,
) -> tuple[int, float]:
    """Ask about the items that are not known; how many they were, and the seconds."""
    done = sum(keys[item.id] in parts.known for item in items)
    tell = progress or (lambda done, total: None)
    tell(done, len(items))
    known_before, start = done, time.perf_counter()
    # By the place of all items, known or not, so that a job that was stopped has the chunks of one that was not.
    chunks = (items[first : first + batch_size] for first in range(0, len(items), batch_size))
    pending = ([item for item in chunk if keys[item.id] not in parts.known] for chunk in chunks)
    for chunk, rows in carrier.run([chunk for chunk in pending if chunk]):
        rows = [_unless_changed(item, own, keys[item.id], of_job) for item, own in zip(chunk, rows, strict=True)]
        parts.add([(keys[item.id], own) for item, own in zip(chunk, rows, strict=True)])
        done += len(chunk)
        tell(done, len(items))
    return done - known_before, time.perf_counter() - start


def _unless_changed(item: Item, rows: list[Row], key: str, of_job: str) -> list[Row]:
    """The rows of an item, if its files are still those that its key was made of."""
    if item.key(of_job) == key:
        return rows
    why = {"status": "failed", "error": "its files were changed while it was labelled; run the same command again"}
    return [{"id": item.id, "strategy": row["strategy"], **item.named, **why} for row in rows]


def _finish(
    folder: Path,
    inputs: Inputs,
    keys: Mapping[str, str],
    parts: Parts,
    previews: int,
    shard_size: int,
    form: str,
    computed: int,
    seconds: float,
    memory: Memory,
) -> LabelReport:
    """Write what a finished job consists of."""
    counts = {"done": 0, "empty": 0, "failed": 0}
    failures: list[Row] = [{"refused": refused.where, "error": refused.why} for refused in inputs.refused]
    answers = 0
    for item in inputs.items:
        rows = parts.rows(keys[item.id])
        states = {row["status"] for row in rows}
        counts["failed" if "failed" in states else "done" if "done" in states else "empty"] += 1
        failures += [row for row in rows if row["status"] == "failed"]
        answers += sum(row["status"] != "failed" for row in rows)

    def answered() -> Iterator[Row]:
        for item in inputs.items:
            yield from (row for row in parts.rows(keys[item.id]) if row["status"] != "failed")

    write_shards(folder, answered(), answers, shard_size, form)
    write_lines(folder / _FAILURES, failures)
    shown = sample_of(inputs.items, previews)
    write_previews(folder / "previews", [(item, parts.rows(keys[item.id])) for item in shown])
    report = LabelReport(
        items=len(inputs.items),
        **counts,
        refused=len(inputs.refused),
        computed_now=computed,
        seconds=round(seconds, 3),
        items_per_s=round(computed / seconds, 3) if computed else None,
        peak_memory_mb=memory.process_mb,
        peak_gpu_memory_mb=memory.gpu_mb,
    )
    text = json.dumps(asdict(report), indent=2).encode()
    write_atomically(folder / _REPORT, lambda file: file.write(text))
    return report


def _own_folder(folder: Path) -> Any:
    """The lock of a folder that is new, empty, or that of a job.

    Raises:
        OutputError: it holds other things, or another process writes to it.
    """
    try:
        others = [path.name for path in folder.iterdir() if not path.name.startswith(".")] if folder.exists() else []
    except OSError as error:
        raise OutputError(f"{folder}: cannot be looked into ({error}); name another folder.") from error
    if {*others} - {"lock"} and _SETTINGS not in others:
        raise OutputError(f"{folder}: holds {min(others)} and no labelling job; name a new or an empty folder.")
    return lock_folder(folder)


def _check_settings(path: Path, settings: dict[str, Any], parts: Parts, refresh: bool) -> None:
    """Write the settings of a new job; compare them with those of one that goes on.

    Raises:
        OutputError: they are others, and no ``refresh``.
        ResultFileError: those of the job cannot be read.
    """
    settings = json.loads(json.dumps(settings))
    if path.exists():
        try:
            before = json.loads(read_text(path))
            changed = differences(before, settings, _NESTED)
            # What was asked for says more than what came of it, such as other models for other strategies.
            asked = differences(*({k: v for k, v in each.items() if k not in _NESTED} for each in (before, settings)))
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise ResultFileError(f"{path}: cannot be read ({error}); name another folder.") from error
        if changed and not refresh:
            raise OutputError(
                f"{path.parent}: holds a job with other settings ({listed(asked or changed)}). Give the same ones to "
                f"go on with it, compute all of it again with refresh (on the command line --refresh), or name another "
                f"folder."
            )
        if not changed:
            return
        parts.clear()
    text = json.dumps(settings, indent=2).encode()
    write_atomically(path, lambda file: file.write(text))


def _path(value: Any) -> Any:
    """A path as a text."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings as plain JSON values.

    Raises:
        InputError: there is an object among them.
    """
    try:
        value: dict[str, Any] = json.loads(json.dumps(settings))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"label takes names and plain values, as its work may be carried to other processes ({error}); name a "
            f"strategy of your own as module:Class."
        ) from error
    return value
