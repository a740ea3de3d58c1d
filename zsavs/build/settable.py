"""What can be set of strategies and of their parts, by name, where several of them are run with the same settings."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from zsavs.build.plans import inner_part, plan_for
from zsavs.errors import InputError, UnknownName, ZsavsError
from zsavs.presets import Part
from zsavs.registry import ROLES, find_component, list_components

__all__ = ["described_components", "settable", "settings_for", "settings_of", "split_settings", "used_roles"]

#: What a pipeline gives to every constructor itself.
_SUPPLIED = ("vocabulary", "silent", "card", "device", *ROLES)
#: The stages of every pipeline.
_STAGES = ("grounder", "verifier", "segmenter", "tracker")


def settable(
    strategy: str | Any, preset: str, parts: Mapping[str, Any], device: str = "auto"
) -> dict[str, inspect.Parameter]:
    """What can be set of a strategy, and under "role.name" of the parts that its pipeline is made of.

    Args:
        strategy, preset: names; of a strategy that is an object, nothing can be set any more but its pipeline's parts.
        parts: by role, what stands in place of the preset's parts: "name", "name:checkpoint" or an object, of which
            nothing can be set any more.
        device: where the models run; some presets take another part on a CPU.

    Returns:
        Name to the parameter of the constructor, with its annotation and its default. What a part that goes around
        another one does not have is set of that one.

    Raises:
        UnknownName, BrokenInstallation: as :func:`zsavs.build_pipeline`.
    """
    known = dict(settings_of(find_component("strategy", strategy))) if isinstance(strategy, str) else {}
    for role, classes in _classes(strategy, preset, parts, device).items():
        for cls in reversed(classes):
            known |= {f"{role}.{name}": parameter for name, parameter in settings_of(cls)}
    return known


def used_roles(strategy: str | Any, preset: str, parts: Mapping[str, Any], device: str = "auto") -> set[str]:
    """The roles of the parts that a strategy's pipeline is made of; arguments as for :func:`settable`."""
    return {*_classes(strategy, preset, parts, device), *(role for role in parts if role in _asked(strategy))}


def settings_for(
    strategies: Sequence[str] | Mapping[str, Any], preset: str, given: Mapping[str, Any], device: str = "auto"
) -> dict[str, dict[str, Any]]:
    """For each of several strategies, those of the given arguments of :func:`zsavs.build_pipeline` that it has.

    Args:
        strategies, preset: names; or strategies by the names that they have here, each a name or an object.
        given: parts by role, settings of strategies by name, and settings of parts by "role.name".
        device: where the models run.

    Raises:
        UnknownName: a setting that none of the strategies and none of their parts have.
    """
    named = strategies if isinstance(strategies, Mapping) else {name: name for name in strategies}
    parts = {role: part for role, part in given.items() if role in ROLES}
    settings = {name: value for name, value in given.items() if name not in ROLES}
    if not settings:
        return {name: dict(parts) for name in named}
    known = {name: settable(strategy, preset, parts, device) for name, strategy in named.items()}
    for name in settings:
        if not any(name in own for own in known.values()):
            raise UnknownName(f"setting of {', '.join(strategies)}", name, {n for own in known.values() for n in own})
    return {
        strategy: {**parts, **{name: value for name, value in settings.items() if name in own}}
        for strategy, own in known.items()
    }


def described_components(role: str) -> str:
    """The components of a role in words, each with the checkpoints that are known of it.

    >>> described_components("captioner")
    'blip (Salesforce/blip-image-captioning-base, Salesforce/blip-image-captioning-large), toy, yolox (yolox_nano.onnx)'
    """
    return ", ".join(_described(role, name) for name in list_components(role))


def _described(role: str, name: str) -> str:
    try:
        cls = find_component(role, name)
    except ZsavsError:  # a broken package of somebody else is no reason to say nothing of the others
        return name
    cards = getattr(sys.modules[cls.__module__], "CARDS", {}) if hasattr(cls, "load") else {}
    checkpoints = [checkpoint for checkpoint in cards if not checkpoint.startswith("zsavs:")]
    return f"{name} ({', '.join(checkpoints)})" if checkpoints else name


def _asked(strategy: str | Any) -> set[str]:
    """The roles that a strategy's constructor asks for, and the stages after it; of one that is built, these alone."""
    asked = inspect.signature(find_component("strategy", strategy)).parameters if isinstance(strategy, str) else ()
    return {*_STAGES, *asked} & {*ROLES}


def _classes(strategy: str | Any, preset: str, parts: Mapping[str, Any], device: str) -> dict[str, list[Any]]:
    """By role, the class of each part of a strategy's pipeline that is built from a name, and of one within it."""
    wanted = find_component("strategy", strategy) if isinstance(strategy, str) else strategy
    plan, stages = plan_for(preset, device), getattr(wanted, "stages", {})
    classes: dict[str, list[Any]] = {}
    waiting = sorted(_asked(strategy))
    while waiting:
        role = waiting.pop()
        given = parts.get(role)
        if role in classes or not isinstance(given, str | None):
            continue
        part = Part.named(given) if given else plan.parts.get(role)
        if role in stages and not given:
            part = plan.parts.get(f"{role}.{stages[role]}", Part(stages[role]))
        for one in (part, part and inner_part(plan, role, part)):
            if one is None:
                continue
            cls = find_component(role, one.name)
            classes.setdefault(role, []).append(cls)
            if not hasattr(cls, "load"):  # made of other parts
                asked = inspect.signature(cls).parameters.items()
                # One that it can do without is no reason to have it.
                waiting += [name for name, p in asked if name in ROLES and name != role and p.default is not None]
    return classes


def settings_of(cls: Any) -> Iterator[tuple[str, inspect.Parameter]]:
    """The settings of a class: what its constructor takes beside parts and labels."""
    for name, parameter in inspect.signature(cls).parameters.items():
        if hasattr(cls, "load") and parameter.kind is not parameter.KEYWORD_ONLY:
            continue  # a model's own parts, read from its checkpoint
        if name not in _SUPPLIED and parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            yield name, parameter


def split_settings(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, Any]]:
    """The keyword arguments of :func:`zsavs.build_pipeline` by what they are of.

    Returns:
        Parts by role; settings of parts, by role and name; settings of the strategy.

    Raises:
        InputError: settings of a part that is an object, and built already.
    """
    parts = {role: settings[role] for role in ROLES if role in settings}
    tuned: dict[str, dict[str, Any]] = {}
    own: dict[str, Any] = {}
    for name, value in settings.items():
        role, _, setting = name.partition(".")
        if setting and role in ROLES:
            if not isinstance(parts.get(role), str | None):
                raise InputError(f"{name}: the {role} that was given is built already; set it when you build it.")
            tuned.setdefault(role, {})[setting] = value
        elif name not in parts:
            own[name] = value
    return parts, tuned, own
