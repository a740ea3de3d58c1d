"""A preset as it is on a device: some take another part where the models run on a CPU."""

from __future__ import annotations

from zsavs.models.runtime import resolve_device
from zsavs.presets import Preset, find_preset

__all__ = ["plan_for"]


def plan_for(preset: str, device: str = "auto") -> Preset:
    """The preset of a name, with the parts that it takes on a device. torch is imported only where these differ.

    Raises:
        UnknownName: no such preset, or no such device on this machine.
    """
    plan = find_preset(preset)
    return plan.for_cpu() if plan.on_cpu and resolve_device(device).type == "cpu" else plan
