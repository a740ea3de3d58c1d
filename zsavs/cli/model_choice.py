"""Which models and strategies a command runs, with what is taken where nothing was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from zsavs.cli import console
from zsavs.cli.overrides import read_settings

__all__ = ["Models", "preset_here", "strategies", "with_settings"]


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
    parts: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def for_each(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """By strategy, the arguments of :func:`zsavs.build_pipeline`.

        Raises:
            UnknownName: a setting that none of the strategies has.
        """
        from zsavs.build import settings_for

        common = {key: value for key, value in vars(self).items() if key not in ("parts", "settings")}
        own = settings_for(names, self.preset, {**self.settings, **self.parts}, self.device)
        return {name: {**common, **own[name]} for name in names}


def with_settings(models: Models, names: Sequence[str], given: Sequence[str] | None) -> Models:
    """The models with the settings that were given as texts; says where a part is used by none of the strategies.

    Args:
        models: with the parts.
        names: of the strategies that are run.
        given: texts NAME=VALUE.

    Raises:
        typer.BadParameter: a text that cannot be read.
        UnknownName: no such setting.
    """
    settings = read_settings(given, names, models.preset, models.parts, models.device)
    if models.parts:
        from zsavs.build import used_roles

        used = set().union(*(used_roles(name, models.preset, models.parts, models.device) for name in names))
        for role in models.parts.keys() - used:
            console.say(
                f"warning: --part {role}={models.parts[role]} changes nothing: no {role} is asked for by "
                f"{' or '.join(names)}"
            )
    return replace(models, settings=settings)


def preset_here(device: str) -> str:
    """The best preset for a user's own files whose weights are all on this machine, which is said.

    Args:
        device: where it is to run.

    Raises:
        MissingWeights: the weights of none are there.
    """
    from zsavs.build.availability import first_preset_here

    name = first_preset_here(device=device)
    console.say(f"using preset {name}")
    return name


def strategies(asked: Sequence[str] | None, preset: str, parts: Mapping[str, str] | None = None) -> list[str]:
    """The strategies that were asked for, each once; else all that the preset, or the parts given, serve.

    Raises:
        UnknownName, BrokenInstallation: as :func:`zsavs.build_pipeline`.
    """
    from zsavs.build import missing_roles
    from zsavs.registry import list_components

    names = list(dict.fromkeys(asked or list_components("strategy")))
    missing = {} if asked else {name: roles for name in names if (roles := missing_roles(name, preset, parts))}
    for name, roles in missing.items():
        added = " ".join(f"--part {role}=NAME[:CHECKPOINT]" for role in roles)
        console.say(f"left out {name}: the preset {preset!r} has no {' and no '.join(roles)} for it; add: {added}")
    return [name for name in names if name not in missing]
