"""What a preset can do on this machine: its checkpoints, which of them are missing, the strategies it has parts for."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence

from zsavs.build.plans import plan_for
from zsavs.errors import MissingWeights
from zsavs.models.runtime import resolve_device
from zsavs.presets import FOR_OWN_FILES, Part, find_preset
from zsavs.registry import ROLES, find_component, list_components
from zsavs.storage.completeness import approximate_mb
from zsavs.storage.weights import WeightCard, format_mb, is_local, lacking_files

__all__ = [
    "components_with_weights",
    "first_preset_here",
    "mb_to_fetch",
    "missing_roles",
    "missing_weights",
    "preset_cards",
    "strategies_of",
]


def preset_cards(name: str, device: str = "") -> dict[str, WeightCard]:
    """Role to weight card, for the roles of a preset that load a checkpoint; a second one of a role by its own name.

    Args:
        name: of the preset.
        device: for the parts that the preset takes there; for those of any device if left out.

    Raises:
        UnknownName: no such preset, or no such device on this machine.
    """
    cards: dict[str, WeightCard] = {}
    for role, part, card in components_with_weights(name, device):
        cards[role if role not in cards else f"{role} {part.name}"] = card
    return cards


def components_with_weights(name: str, device: str = "") -> Iterator[tuple[str, Part, WeightCard]]:
    """The parts of a preset that load a checkpoint, and those that they go around: role, part and its weight card.

    Args:
        name, device: as for :func:`preset_cards`.

    Raises:
        UnknownName: as :func:`preset_cards`.
    """
    plan = plan_for(name, device) if device else find_preset(name)
    yield from _of_roles(plan.parts)
    if not device:
        yield from _of_roles(plan.on_cpu)


def _of_roles(parts: Mapping[str, Part]) -> Iterator[tuple[str, Part, WeightCard]]:
    for role, part in parts.items():
        kind = role.partition(".")[0]
        for each in _with_inner(kind, part):
            cls = find_component(kind, each.name)
            if each.checkpoint and hasattr(cls, "load"):
                yield role, each, sys.modules[cls.__module__].CARDS[each.checkpoint]


def _with_inner(kind: str, part: Part) -> Iterator[Part]:
    """A part, and those of its role that it goes around."""
    yield part
    if part.around:
        yield from _with_inner(kind, part.around)
    elif part.checkpoint and not hasattr(find_component(kind, part.name), "load"):
        yield from _with_inner(kind, Part.named(part.checkpoint))


def missing_weights(name: str, device: str = "auto") -> list[WeightCard]:
    """Cards of the checkpoints of a preset that are not on this machine, or not with all their files, each once.

    Args:
        name: of the preset.
        device: where it is to run.

    Returns:
        None at all where those are here that the preset takes on that device; else all that ``zsavs download`` would
        fetch, for any device.

    Raises:
        UnknownName: as :func:`preset_cards`.
    """
    cards = {card.source: card for card in preset_cards(name).values()}
    missing = [card for card in cards.values() if not is_local(card.source, card.revision, card.files)]
    plan, lacking = find_preset(name), {card.source for card in missing}
    on_cpu = {card.source for _, _, card in _of_roles(plan.on_cpu)}
    on_gpu = {card.source for _, _, card in _of_roles({role: plan.parts[role] for role in plan.on_cpu})}
    # torch, which knows what "auto" is, is asked only where it matters.
    if lacking and (lacking <= on_cpu or lacking <= on_gpu):
        return missing if lacking <= (on_cpu if resolve_device(device).type == "cpu" else on_gpu) else []
    return missing


def mb_to_fetch(card: WeightCard) -> float:
    """About how much of a checkpoint is not on this machine, in units of 10**6 bytes; 0 where nobody knows."""
    lacks = lacking_files(card)
    return card.size_mb if lacks is None else approximate_mb(lacks, card.size_mb)


def first_preset_here(names: Sequence[str] = FOR_OWN_FILES, device: str = "auto") -> str:
    """The first of some presets whose weights are all on this machine.

    Args:
        names: of presets, the best first; those for a user's own files if left out.
        device: where it is to run.

    Raises:
        MissingWeights: none is here; offers the two smallest, each with its size and its command.
    """
    missing = {}
    for name in names:
        missing[name] = missing_weights(name, device)
        if not missing[name]:
            return name
    sizes = {name: sum(map(mb_to_fetch, cards)) for name, cards in missing.items()}
    offers = [
        f"zsavs download {name} ({format_mb(sizes[name])} MB)" for name in sorted(sizes, key=sizes.__getitem__)[:2]
    ]
    raise MissingWeights(
        f"no models for your own files are on this machine. Fetch some, once: {', or '.join(offers)}; "
        f"sizes and licences are shown first. Without any: zsavs demo"
    )


def missing_roles(strategy: str, preset: str, given: Mapping[str, str] | None = None) -> list[str]:
    """The roles that a strategy needs and a preset has no part for, so that somebody has to name one.

    A part without the methods that the strategy ``needs`` is none for it.

    Args:
        strategy, preset: names.
        given: by role, parts that are named in place of the preset's: "name" or "name:checkpoint".

    Raises:
        UnknownName, BrokenInstallation: as :func:`build_pipeline`.
    """
    cls = find_component("strategy", strategy)
    parts = {**find_preset(preset).parts, **{role: Part.named(text) for role, text in (given or {}).items()}}
    needs = getattr(cls, "needs", {})

    def serves(role: str) -> bool:
        part = parts.get(role)
        return part is not None and all(hasattr(find_component(role, part.name), verb) for verb in needs.get(role, ()))

    return [role for role in ROLES if role in inspect.signature(cls).parameters and not serves(role)]


def strategies_of(preset: str) -> list[str]:
    """Names of the strategies that a preset has all parts for, sorted.

    Raises:
        UnknownName: no such preset.
        BrokenInstallation: a strategy of another package cannot be imported.
    """
    return [name for name in list_components("strategy") if not missing_roles(name, preset)]
