"""Merges the shards of one run into a run folder whose numbers are those of a run that was never cut."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zsavs.errors import InputError
from zsavs.evaluation.resumable_run import ResumableRun
from zsavs.evaluation.run_files import read_batches, read_json, summing_up
from zsavs.evaluation.summary import report_of, write_report
from zsavs.evaluation.visuals import copy_cases, drawn_cases
from zsavs.storage.run_key import sizes_only

__all__ = ["merge"]


def merge(folders: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> dict[str, Any]:
    """Merge the shards of one run; the numbers are those of a run that was never cut.

    Nothing is drawn: the best and worst items are among those of their own shards, and the images are copied from the
    shards that have them.

    Args:
        folders: run folders with all shards of one plan, also of copies of the data set in several places; the settings
            of the whole then list every root.
        out: the folder of the whole.

    Returns:
        The report of the whole, plain JSON values.

    Raises:
        ResultFileError: a folder does not hold a run.
        InputError: the shards do not belong together, or one is missing or unfinished.
        OutputError: ``out`` holds another run, or cannot be written.
    """
    settings, batches = _read_shards(folders)
    with summing_up(*folders):
        items = min(settings["items"], settings["limit"] or settings["items"])
        count = settings.get("batches") or math.ceil(items / settings["batch_size"])  # a batch may be a whole video
        missing = sorted(set(range(count)) - set(batches))
        cases, images = drawn_cases(folders)
        report = {} if missing else report_of(settings, batches, cases) if cases else report_of(settings, batches)
    if missing:
        raise InputError(f"{len(missing)} batches are missing, the first is {missing[0]}; run and name every shard.")
    with ResumableRun(out, settings) as whole:
        for number in sorted(set(batches) - set(whole.batches)):
            whole.append(number, {key: value for key, value in batches[number].items() if key != "batch"})
        copy_cases(report, images, whole.folder)
        write_report(report, whole.folder)
    return report


def _read_shards(folders: Sequence[str | os.PathLike[str]]) -> tuple[dict[str, Any], dict[int, Any]]:
    """The settings of the whole, and the batches of all shards by number.

    Raises:
        ResultFileError: a folder does not hold a run.
        InputError: there are no folders, or their settings differ in more than shard and root, or a batch is in two.
    """
    settings: dict[str, Any] | None = None
    roots: list[Any] = []
    batches: dict[int, Any] = {}
    for folder in map(Path, folders):
        own = {**read_json(folder / "settings.json"), "shard": [0, 1]}
        root = own.pop("root", None)  # a copy of the same data on every machine, written there at another time
        own |= {key: sizes_only(own[key]) for key in ("weights", "annotations") if isinstance(own.get(key), dict)}
        roots += [root] if root not in roots else []
        if settings is not None and own != settings:
            changed = [key for key in sorted({*own, *settings}) if own.get(key) != settings.get(key)]
            raise InputError(f"{folder}: is a shard of another run, it differs in {', '.join(changed)}.")
        settings = own
        for number, batch in read_batches(folder / "batches.jsonl")[0].items():
            if number in batches:
                raise InputError(f"{folder}: batch {number} is in another shard too; name each shard once.")
            batches[number] = batch
    if settings is None:
        raise InputError("name the folders of the shards to merge.")
    return {**settings, "root": roots[0] if len(roots) == 1 else roots}, batches
