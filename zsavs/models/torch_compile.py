"""torch.compile for the models of a pipeline: off unless asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["compile_towers"]

#: How far within a stage a model may lie: a decomposition around a strategy around its encoder.
_DEPTH = 4


def compile_towers(*stages: Any, **options: Any) -> list[str]:
    """Compile, in place, the towers of every model that stages of a pipeline hold.

    A component names in ``towers`` the parts of its ``model`` that do most of the work, on inputs of one
    size. Heads and decoders, whose inputs change with every query, would be compiled again and again. Compiling happens
    in the first calls, takes up to minutes, and happens again for sizes of a batch that were not seen yet. Pipelines
    that share a model share its compiled towers; a tower is compiled once, however often this is called.

    Args:
        stages: parts of a pipeline.
        options: of ``torch.compile`` (``mode="reduce-overhead"``, ``dynamic=True``, ``backend=...``).

    Returns:
        What is compiled now and was not before, as ``"Sam2Model.vision_encoder"``.
    """
    compiled = []
    for component in _with_towers(stages):
        for name in component.towers:
            tower = component.model.get_submodule(name)
            if tower._compiled_call_impl is None:
                tower.compile(**options)
                compiled.append(f"{type(component.model).__name__}.{name}")
    return compiled


def _with_towers(stages: tuple[Any, ...]) -> Iterator[Any]:
    """The components that name towers, among the stages and within them, each once."""
    seen: dict[int, Any] = {}
    level = list(stages)
    for _ in range(_DEPTH):
        new = [thing for thing in level if hasattr(thing, "__dict__") and id(thing) not in seen]
        new = [thing for thing in new if not isinstance(thing, type)]
        seen |= {id(thing): thing for thing in new}
        level = [value for thing in new for value in vars(thing).values()]
    yield from (thing for thing in seen.values() if getattr(thing, "towers", ()))
