"""``--part ROLE=NAME[:CHECKPOINT]`` and ``--set NAME=VALUE``: parts and settings, checked before anything runs.

A value has the type that the parameter's annotation names, or its default has.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from zsavs.errors import UnknownName

__all__ = ["complete_part", "read_parts", "read_settings", "typed"]

#: What --vocabulary and others are for, to be told where somebody sets the same by name.
_OPTIONS = ("vocabulary", "bank", "decomposition", "device", "dtype", "preset", "stereo")


def complete_part(incomplete: str) -> list[str]:
    """How a word after ``--part`` can go on: the roles, and after "role=" its components."""
    from zsavs.registry import ROLES, list_components

    role, equals, name = incomplete.partition("=")
    if equals and role in ROLES:
        return [f"{role}={known}" for known in list_components(role) if known.startswith(name)]
    return [f"{known}=" for known in ROLES if known.startswith(role)]


def read_parts(given: Sequence[str] | None) -> dict[str, str]:
    """Parts by their role, each as "name" or "name:checkpoint".

    Args:
        given: texts ROLE=NAME or ROLE=NAME:CHECKPOINT. A checkpoint that begins with ~ is a folder at home.

    Raises:
        typer.BadParameter: a text of another form, or two for one role.
        UnknownName: no such role, or no such component.
    """
    if not given:
        return {}
    from zsavs.registry import ROLES, list_components

    parts: dict[str, str] = {}
    for text in given:
        role, component = _halves(text, "--part", "ROLE=NAME or ROLE=NAME:CHECKPOINT, for example grounder=owlv2")
        if role not in ROLES:
            raise UnknownName("role of a part", role, ROLES)
        if role in parts:
            raise typer.BadParameter(f"there is one part for a role, and {role} was given twice", param_hint="--part")
        name, colon, checkpoint = component.partition(":")
        known = list_components(role)
        if name not in known:
            raise UnknownName(role, name, known)
        home = checkpoint.startswith("~")
        parts[role] = f"{name}{colon}{Path(checkpoint).expanduser() if home else checkpoint}"
    return parts


def read_settings(
    given: Sequence[str] | None,
    strategies: Sequence[str],
    preset: str,
    parts: Mapping[str, str],
    device: str = "auto",
) -> dict[str, Any]:
    """Settings by their name, or by "role.name" for those of a part.

    Args:
        given: texts NAME=VALUE.
        strategies, preset: that are run.
        parts: that stand in place of the preset's, by role.
        device: where the models run.

    Raises:
        typer.BadParameter: a text of another form, or a value of another kind than the setting's.
        UnknownName: none of the strategies and of their parts has such a setting.
    """
    if not given:
        return {}
    from zsavs.build import settable

    known: dict[str, inspect.Parameter] = {}
    for strategy in strategies:
        known = {**settable(strategy, preset, parts, device), **known}
    settings: dict[str, Any] = {}
    for text in given:
        name, value = _halves(text, "--set", "NAME=VALUE, for example top_k=5 or grounder.threshold=0.2")
        if name not in known:
            if name in _OPTIONS:
                raise typer.BadParameter(f"{name} has an option of its own: --{name} {value}", param_hint="--set")
            raise UnknownName(f"setting of {', '.join(strategies)}", name, known)
        try:
            settings[name] = typed(known[name], value)
        except ValueError as error:
            raise typer.BadParameter(f"{name}={value}: {error}", param_hint="--set") from None
    return settings


def _halves(text: str, option: str, form: str) -> tuple[str, str]:
    name, equals, value = (half.strip() for half in text.partition("="))
    if not (name and equals and value):
        raise typer.BadParameter(f"expected {form}; got {text!r}", param_hint=option)
    return name, value


def typed(parameter: inspect.Parameter, text: str) -> Any:
    """A value for a parameter of a constructor, from its text.

    Args:
        parameter: annotated with plain types, their unions, tuples or sequences of them; without an annotation, of
            the type of its default.
        text: "true", "3", "0.5", "0.1,0.2", "none" or words.

    Raises:
        ValueError: the text is of no such kind; says which would be.
    """
    kinds = _kinds(parameter)
    for kind in kinds:
        try:
            return _READ[kind](text)
        except ValueError:
            continue
    choices = re.findall(r"Literal\[(.*?)\]", str(parameter.annotation))
    words = [word.strip(" '\"") for each in choices for word in each.split(",")]
    if text in words:
        return text
    wanted = [_TOLD[kind] for kind in kinds] + ([f"one of {', '.join(words)}"] if words else [])
    if not wanted:
        raise ValueError("it is neither a text nor a number, and can be set in Python alone")
    raise ValueError(f"it must be {' or '.join(wanted)}")


def _kinds(parameter: inspect.Parameter) -> list[str]:
    """The kinds that a parameter takes, the narrowest first."""
    annotation = parameter.annotation
    if annotation is inspect.Parameter.empty:
        default = parameter.default
        annotation = "Sequence[float]" if isinstance(default, tuple | list) else type(default).__name__
    words = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    found = []
    for one in re.split(r"\s*\|\s*(?![^\[]*\])", words.replace("Optional[", "None | ")):
        kind = one.rpartition(".")[2] if "[" not in one else one.partition("[")[0].rpartition(".")[2]
        inside = one.partition("[")[2]
        if kind in ("Sequence", "tuple", "list"):
            found.append("numbers" if "float" in inside or "int" in inside else "texts")
        elif kind in ("bool", "int", "float", "None", "NoneType", "str", "Path"):
            found.append({"NoneType": "None", "Path": "str"}.get(kind, kind))
    return sorted(set(found), key=list(_READ).index)


def _read_bool(text: str) -> bool:
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        raise ValueError from None


def _read_none(text: str) -> None:
    if text.lower() != "none":
        raise ValueError


def _read_float(text: str) -> float:
    number = float(text)
    if math.isnan(number):
        raise ValueError
    return number


def _read_numbers(text: str) -> tuple[float, ...]:
    return tuple(_read_float(one) for one in text.split(","))


def _read_texts(text: str) -> tuple[str, ...]:
    if "," not in text:
        raise ValueError
    return tuple(one.strip() for one in text.split(","))


#: How a text is read as each kind, the narrowest first.
_READ: dict[str, Any] = {
    "None": _read_none,
    "bool": _read_bool,
    "int": int,
    "float": _read_float,
    "numbers": _read_numbers,
    "texts": _read_texts,
    "str": str,
}
#: What each kind is called.
_TOLD = {
    "None": "none",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "numbers": "numbers with commas between them",
    "texts": "words with commas between them",
    "str": "a text",
}
