"""The settings of a run: all that its numbers depend on. A run is resumed, and its shards are merged, under equal ones.

They are the content of ``settings.json``: the plan, and the key of what it runs (:mod:`zsavs.build.pipeline_key`). The
files of the items stand with the batches that they went into (:mod:`zsavs.evaluation.input_files`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zsavs.build import NESTED, described, pipeline_key
from zsavs.datasets.base import Dataset
from zsavs.evaluation.input_files import InputFiles
from zsavs.evaluation.plan import AUDIO, CEILING, WHOLE_VIDEO, Plan
from zsavs.models.runtime import resolve_device
from zsavs.pipeline import Pipeline
from zsavs.storage.source_code import digest
from zsavs.version import __version__

__all__ = ["KEY", "MAPPINGS", "answer_keys", "run_settings"]

#: Settings that say what the run was computed from, to compare and not to read.
KEY = (*NESTED, "annotations", "objects", "labels")
#: Settings that are mappings, to be compared entry by entry.
MAPPINGS = (*NESTED, "annotations", "objects", "models", "banks")

#: The code that scores, and that puts results together.
_SCORING = ("zsavs.evaluation.batch_runner", "zsavs.evaluation.video_runner")


def run_settings(
    dataset: Dataset,
    items: Sequence[str],
    plan: Plan,
    pipes: Mapping[str, Pipeline],
    suites: Sequence[str],
    batches: int | None = None,
) -> dict[str, Any]:
    """The settings of a run, plain JSON values.

    Args:
        dataset: what is scored on.
        items: all ids, in order, of which the plan may take the first ones only.
        plan: what is run.
        pipes: the pipeline of each strategy.
        suites: names of the metric suites.
        batches: of whole videos, how many there are in all shards; None for single frames.

    Raises:
        InputError: the source of a component was edited after this process had loaded it.
    """
    return {
        "zsavs": __version__,
        "dataset": dataset.name,
        "root": str(Path(dataset.root).resolve()) if hasattr(dataset, "root") else "",
        "split": getattr(dataset, "split", ""),
        "dataset_options": dict(getattr(dataset, "options", {})),
        "classes": list(getattr(dataset, "classes", ()) or ()),
        "items": len(items),
        # Batches are stored by number: with another list, of the same length too, a number means other items.
        "items_digest": hashlib.blake2b(json.dumps(list(items)).encode(), digest_size=8).hexdigest(),
        **{key: value for key, value in vars(plan).items() if key not in ("suites", "whole_video")},
        "strategies": list(plan.named),
        "decomposition": plan.decomposition if isinstance(plan.decomposition, str | None) else "an object",
        "parts": {role: part if isinstance(part, str) else type(part).__name__ for role, part in plan.parts.items()},
        "objects": {name: described(given) for name, given in _objects(plan).items()},
        **({} if batches is None else _of_whole_videos(plan, pipes, batches)),
        # What "auto" came to: numbers differ between kinds of devices, and not between two cards that share the work.
        "device": resolve_device(plan.device).type,
        "suites": list(suites),
        "models": {name: pipe.meta["models"] for name, pipe in pipes.items()},
        "banks": {name: pipe.meta["banks"] for name, pipe in pipes.items()},
        **pipeline_key(pipes.values(), plan.preset, plan.vocabulary, (dataset, *_SCORING)),
        "annotations": InputFiles(dataset, AUDIO[2] in plan.audio).annotations(),
    }


def answer_keys(plan: Plan, pipes: Mapping[str, Pipeline]) -> dict[str, str]:
    """By strategy, a digest of all that its answers depend on beside what it is asked about."""
    common = (plan.preset, resolve_device(plan.device).type, plan.dtype, plan.stereo, str(plan.decomposition))
    described_objects = {name: described(given) for name, given in _objects(plan).items()}
    keys = {}
    for name, pipe in pipes.items():
        objects = {key: held for key, held in described_objects.items() if key == name or key not in plan.named}
        facts = [__version__, common, pipe.meta["settings"], pipe.meta["models"], pipe.meta["banks"]]
        facts += [pipeline_key([pipe], plan.preset, plan.vocabulary), objects]
        keys[name] = digest(json.dumps(facts, sort_keys=True, default=str).encode())
    return keys


def _objects(plan: Plan) -> dict[str, Any]:
    """What the plan has that is no name, by what it is for."""
    given = {**plan.named, **plan.parts, "decomposition": plan.decomposition}
    return {name: value for name, value in given.items() if not isinstance(value, str | None)}


def _of_whole_videos(plan: Plan, pipes: Mapping[str, Pipeline], batches: int) -> dict[str, Any]:
    """The settings that only a run over whole videos has."""
    tracker = next(iter(pipes.values())).tracker
    named = plan.parts.get("tracker")
    if not isinstance(named, str):
        named = "none" if tracker is None else type(tracker).__name__
    return {"protocol": WHOLE_VIDEO, "tracker": named, "batches": batches, "ceiling": CEILING in pipes}
