"""The key of some pipelines: all that their answers depend on beside their inputs, as plain values to compare later."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from zsavs.language.vocabulary import load_vocabulary
from zsavs.pipeline import Pipeline
from zsavs.presets import find_preset
from zsavs.storage.run_key import weight_states
from zsavs.storage.source_code import code_digests, digest

__all__ = ["NESTED", "pipeline_key"]

#: The entries of a key that are mappings, to be compared entry by entry.
NESTED = ("code", "weights", "preset_parts", "preset_settings")

#: Modules that every pipeline runs.
_EVERY = ("zsavs.pipeline", "zsavs.build.pipelines")


def pipeline_key(
    pipes: Iterable[Pipeline],
    preset: str,
    vocabulary: str | Path | Sequence[str] | None,
    further: Iterable[Any] = (),
) -> dict[str, Any]:
    """The key of pipelines that were built from one preset and one vocabulary: plain JSON values.

    Args:
        pipes: the pipelines.
        preset, vocabulary: what they were built with.
        further: components beside theirs whose code matters, or modules by name; see
            :func:`zsavs.storage.source_code.code_digests`.

    Returns:
        ``code``, digests of every component's source and of the tables that come with zsavs, by module or file;
        ``weights``, the states of the checkpoints' files; ``preset_parts`` and ``preset_settings``, what the preset
        says now; ``labels``, a digest of the labels.

    Raises:
        InputError: the source of a component was edited after this process had loaded it.
        UnknownName, VocabularyError: as :func:`zsavs.build_pipeline`.
    """
    pipes = list(pipes)
    components = [component for pipe in pipes for component in _components(pipe)]
    plan = find_preset(preset)
    labels = load_vocabulary(plan.vocabulary if vocabulary is None else vocabulary)
    cards = [component.card for component in components if hasattr(component, "card")]
    return {
        "code": {**code_digests([*components, *further, *_EVERY]), **_tables()},
        "weights": weight_states(cards),
        "preset_parts": {role: json.dumps(asdict(part), default=str) for role, part in plan.parts.items()},
        "preset_settings": {name: json.dumps(value, default=str) for name, value in plan.settings.items()},
        "labels": digest("\n".join([*labels, "", plan.silent]).encode()),
    }


def _components(pipe: Pipeline) -> list[Any]:
    stages = (pipe.strategy, pipe.grounder, pipe.verifier, pipe.segmenter, pipe.tracker)
    return [component for component in (*stages, *pipe.components) if component is not None]


def _tables() -> dict[str, str]:
    """Digests of the labels, prompts and words that come with zsavs."""
    home = Path(str(resources.files("zsavs"))) / "data"
    files = [*home.glob("*.json"), *home.glob("labels/*"), *home.glob("vocabularies/*")]
    return {
        f"zsavs/data/{path.relative_to(home).as_posix()}": digest(path.read_bytes())
        for path in sorted(files)
        if path.name != "published.json"  # what others have reported, for the page of a report
    }
