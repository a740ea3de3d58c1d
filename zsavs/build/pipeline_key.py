"""The key of some pipelines: all that their answers depend on beside their inputs, as plain values to compare later."""

from __future__ import annotations

import functools
import inspect
import json
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from zsavs.language.vocabulary import load_vocabulary
from zsavs.pipeline import Pipeline
from zsavs.presets import find_preset
from zsavs.storage.run_key import weight_states
from zsavs.storage.source_code import code_digests, digest, is_own_code

__all__ = ["NESTED", "described", "pipeline_key"]

#: The entries of a key that are mappings, to be compared entry by entry.
NESTED = ("code", "weights", "preset_parts", "preset_settings")

#: How far within a component another one may lie; longer values and lists are known by a digest, or not looked into.
_DEPTH, _LONG, _MANY = 3, 120, 64
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
    preset_parts = {**plan.parts, **{f"{role} on a CPU": part for role, part in plan.on_cpu.items()}}
    set_by_preset = {**plan.settings, **{f"of {name}": own for name, own in plan.strategy_settings.items()}}
    labels = load_vocabulary(plan.vocabulary if vocabulary is None else vocabulary)
    cards = [component.card for component in components if hasattr(component, "card")]
    return {
        "code": {**code_digests([*components, *further, *_EVERY]), **_tables()},
        "weights": weight_states(cards),
        "preset_parts": {role: json.dumps(asdict(part), default=str) for role, part in preset_parts.items()},
        "preset_settings": {name: json.dumps(value, default=str) for name, value in set_by_preset.items()},
        "labels": digest("\n".join([*labels, "", plan.silent]).encode()),
    }


def _components(pipe: Pipeline) -> list[Any]:
    stages = (pipe.strategy, pipe.grounder, pipe.verifier, pipe.segmenter, pipe.tracker)
    known = [component for component in (*stages, *pipe.components) if component is not None]
    return [*known, *(inner for component in known for inner in _held(component) if is_own_code(inner))]


def described(component: Any) -> dict[str, Any]:
    """What an object holds, as plain JSON values by the names of its attributes: its settings, as they are now.

    Texts and numbers are as they are, private ones too; arrays, long values, and lists and tables of others, by a
    digest. Of another object it is what that holds. What was computed once (``cached_property``), and private flags,
    lists and tables that the constructor has no parameter for, are memory and no settings.
    """
    return _described(component, 0)


def _described(component: Any, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {"class": f"{type(component).__module__}:{type(component).__qualname__}"}
    try:
        asked = frozenset(inspect.signature(type(component)).parameters)
    except (TypeError, ValueError):  # a class that is not written in Python
        asked = frozenset()
    for name, value in sorted(_attributes(component).items()):
        if name.startswith("_") and name.lstrip("_") not in asked and _is_memory(value):
            continue
        if isinstance(value, bool | int | float | str | None):
            found[name] = value if len(repr(value)) < _LONG else digest(repr(value).encode())
        elif isinstance(value, np.ndarray):
            found[name] = digest(f"{value.dtype} {value.shape} ".encode() + np.ascontiguousarray(value).tobytes())
        elif isinstance(value, list | tuple | set | frozenset | Mapping):
            texts = [
                json.dumps(_plain(one), sort_keys=True)
                for one in (value.items() if isinstance(value, Mapping) else value)
            ]
            found[name] = digest("\n".join(texts if isinstance(value, list | tuple) else sorted(texts)).encode())
        elif isinstance(value, type | types.FunctionType):
            found[name] = value.__qualname__
        elif is_own_code(value) and depth < _DEPTH:
            found[name] = _described(value, depth + 1)
        else:
            found[name] = type(value).__qualname__
    return found


def _is_memory(value: Any) -> bool:
    """Whether a private attribute changes as the object is used: flags, lists and tables, and the memos of zsavs."""
    stored = type(value).__module__.startswith(("zsavs.storage.", "zsavs.models.text_memo"))
    return value is None or stored or isinstance(value, bool | list | dict | set)


def _plain(value: Any) -> Any:
    """A value in a list: plain ones as they are, others by their kind."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, bool | int | float | str | None) else type(value).__qualname__


def _attributes(component: Any) -> dict[str, Any]:
    """The attributes of an object, without those that it has computed for itself."""
    return {
        name: value
        for name, value in getattr(component, "__dict__", {}).items()
        if not isinstance(inspect.getattr_static(type(component), name, None), functools.cached_property)
    }


def _held(component: Any, depth: int = 0) -> Iterator[Any]:
    """The objects that an object holds, and those that they hold."""
    for value in _attributes(component).values():
        for inner in value if isinstance(value, list | tuple) and len(value) < _MANY else (value,):
            if hasattr(inner, "__dict__") and not isinstance(inner, type):
                yield inner
                if depth < _DEPTH and is_own_code(inner):
                    yield from _held(inner, depth + 1)


def _tables() -> dict[str, str]:
    """Digests of the labels, prompts and words that come with zsavs."""
    home = Path(str(resources.files("zsavs"))) / "data"
    files = [*home.glob("*.json"), *home.glob("labels/*"), *home.glob("vocabularies/*")]
    return {
        f"zsavs/data/{path.relative_to(home).as_posix()}": digest(path.read_bytes())
        for path in sorted(files)
        if path.name != "published.json"  # what others have reported, for the page of a report
    }
