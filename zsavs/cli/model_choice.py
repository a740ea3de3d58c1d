"""Which models and strategies a command runs, with what is taken where nothing was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zsavs.cli import console

__all__ = ["Models", "preset_here", "strategies"]


@dataclass(frozen=True)
class Models:
    """The settings of the models, by the names that :func:`zsavs.build_pipeline` has for them."""

    preset: str
    device: str
    dtype: str
    vocabulary: str | tuple[str, ...] | None
    bank: str | None
    decomposition: str | None
    stereo: bool


def preset_here() -> str:
    """The best preset for a user's own files whose weights are all on this machine, which is said.

    Raises:
        MissingWeights: the weights of none are there.
    """
    from zsavs.build.availability import first_preset_here

    name = first_preset_here()
    console.say(f"using preset {name}")
    return name


def strategies(asked: Sequence[str] | None, preset: str) -> list[str]:
    """The strategies that were asked for, each once; else all that the preset has the parts for.

    Raises:
        UnknownName, BrokenInstallation: as :func:`zsavs.build_pipeline`.
    """
    from zsavs.build import missing_roles
    from zsavs.registry import list_components

    names = list(dict.fromkeys(asked or list_components("strategy")))
    missing = {} if asked else {name: roles for name in names if (roles := missing_roles(name, preset))}
    for name, roles in missing.items():
        console.say(f"left out {name}: the preset {preset!r} has no {' and no '.join(roles)} for it")
    return [name for name in names if name not in missing]
