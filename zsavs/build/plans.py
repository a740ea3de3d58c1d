"""A preset as it is on a device: some take another part where the models run on a CPU."""

from __future__ import annotations

import inspect

from zsavs.models.runtime import resolve_device
from zsavs.presets import Part, Preset, find_preset
from zsavs.registry import find_component

__all__ = ["inner_part", "plan_for"]


def plan_for(preset: str, device: str = "auto") -> Preset:
    """The preset of a name, with the parts that it takes on a device. torch is imported only where these differ.

    Raises:
        UnknownName: no such preset, or no such device on this machine.
    """
    plan = find_preset(preset)
    return plan.for_cpu() if plan.on_cpu and resolve_device(device).type == "cpu" else plan


def inner_part(plan: Preset, role: str, part: Part) -> Part | None:
    """The part that another one of the same role goes around: the one that it names, or the preset's; None for none.

    Raises:
        UnknownName, BrokenInstallation: as :func:`zsavs.registry.find_component`.
    """
    cls = find_component(role, part.name)
    asked = inspect.signature(cls).parameters.get(role)
    if part.around or hasattr(cls, "load") or asked is None:
        return part.around
    if part.checkpoint:
        return Part.named(part.checkpoint)
    own = plan.parts.get(role)
    return own if asked.default is not None and own is not None and own.name != part.name else None
