"""Texts of the command line to values. What cannot be read is refused with words that name it."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import typer

from zsavs.errors import InputError, UnknownName

__all__ = [
    "dataset_options",
    "moment",
    "not_negative",
    "number",
    "pairs",
    "place",
    "positive",
    "rate",
    "shard",
    "strategy",
    "text",
]


def text(value: str) -> str:
    """A text that is there: ``--out "$RUN"`` without such a variable would otherwise keep nothing.

    Raises:
        typer.BadParameter: it is empty, or the name of an option stands where a value should.
    """
    if not value.strip():
        raise typer.BadParameter("must not be empty")
    if value.startswith("--"):
        raise typer.BadParameter(f"needs a value, and got the option {value}")
    return value


def strategy(value: str) -> str:
    """The name of a strategy, or module:Class, of which modules in the working folder are found too, after all others.

    Raises:
        typer.BadParameter: as :func:`text`.
    """
    here = str(Path.cwd())
    if ":" in text(value) and not {here, ""} & set(sys.path):
        sys.path.append(here)
    return value


def place(value: str) -> str:
    """A folder to write to: in ``--out=~/run`` the shell leaves the ~ alone.

    Raises:
        typer.BadParameter: as :func:`text`, or there is no home folder.
    """
    try:
        return str(Path(text(value)).expanduser())
    except RuntimeError:
        raise typer.BadParameter(f"there is no home for the ~ in {value!r}; name the folder whole") from None


def positive(value: str) -> int:
    """A whole number of at least 1.

    Raises:
        typer.BadParameter: it is none.
    """
    number = _whole(value)
    if number < 1:
        raise typer.BadParameter("must be at least 1")
    return number


def not_negative(value: str) -> int:
    """A whole number: 0, which is off, or at least 1.

    Raises:
        typer.BadParameter: it is none.
    """
    return positive(value) if _whole(value) else 0


def _whole(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise typer.BadParameter(f"must be a whole number, and {value!r} is none") from None


def number(value: str) -> float:
    """A number.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        return float(value)
    except ValueError:
        raise typer.BadParameter(f"must be a number, and {value!r} is none") from None


def rate(value: str) -> float:
    """A number of times a second: above 0 and finite.

    Raises:
        typer.BadParameter: it is none.
    """
    times = number(value)
    if not 0 < times < math.inf:
        raise typer.BadParameter("must be above 0")
    return times


def moment(value: str) -> float:
    """A time in seconds from its text: ``90``, ``1:30`` or ``0:01:30``.

    Raises:
        typer.BadParameter: it is none, or before the start.
    """
    try:
        parts = [float(part) for part in value.split(":")]
    except ValueError:
        parts = []
    seconds = float(sum(part * 60.0**place for place, part in enumerate(reversed(parts))))
    if not 1 <= len(parts) <= 3 or not 0 <= min(parts) <= max(parts) < math.inf:
        raise typer.BadParameter(f"must be seconds, or minutes and seconds as in 1:30, and {value!r} is neither")
    return seconds


def shard(value: str) -> tuple[int, int]:
    """Which part of how many, the first being 0: ``2/8`` is the second of eight, (1, 8).

    Raises:
        typer.BadParameter: it is not of that form.
    """
    part, _, parts = value.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise typer.BadParameter("must be I/N with I from 1 to N, for example 2/8", param_hint="--shard")
    return int(part) - 1, int(parts)


def pairs(
    command: str,
    image: str | None,
    audio: str | None,
    img_path: str | None,
    wav_path: str | None,
    more: list[str] | None = None,
) -> list[tuple[str, str]]:
    """Image files with their audio files.

    Args:
        command: its name, for the messages.
        image, audio: the first pair.
        img_path, wav_path: the same pair, by its older spelling.
        more: further pairs, image and audio by turns.

    Raises:
        typer.BadParameter: one of a pair is missing, or was given twice.
    """
    more = more or []
    if (image and img_path) or (audio and wav_path):
        raise typer.BadParameter("give IMAGE AUDIO, or --img_path IMAGE --wav_path AUDIO, and not both")
    image, audio = image or img_path, audio or wav_path
    if not image or not audio:
        raise typer.BadParameter(f"give an image and an audio file: zsavs {command} IMAGE AUDIO")
    if len(more) % 2:
        raise typer.BadParameter(f"{more[-1]}: an image without an audio file; give both of each")
    return [(image, audio), *zip(more[::2], more[1::2], strict=True)]


def dataset_options(reader: Any, split: str | None, given: list[str] | None) -> dict[str, Any]:
    """What a data set is opened with beside its root, from texts NAME=VALUE.

    Raises:
        UnknownName: the data set has no such option.
        InputError: no value, or one of another kind than the option's.
    """
    options: dict[str, Any] = {} if split is None else {"split": split}
    known = reader.known_options() if hasattr(reader, "known_options") else {}
    for words in given or []:
        name, separator, value = words.partition("=")
        if not separator:
            raise InputError(f"--option {words}: expected NAME=VALUE, for example target_size=224.")
        if name not in known:
            raise UnknownName(f"option of the data set {reader.name!r}", name, known)
        try:
            options[name] = _of_kind(known[name], value)
        except (ValueError, KeyError):
            raise InputError(f"--option {words}: the value must be of the kind {known[name]}.") from None
    return options


def _of_kind(kind: str, value: str) -> Any:
    """A value from its text; ValueError or KeyError where it is not of that kind."""
    if "None" in kind and value.lower() == "none":
        return None
    if kind.startswith("bool"):
        return {"true": True, "false": False}[value.lower()]
    if kind.startswith("int"):
        return int(value)
    if kind.startswith("float"):
        return float(value)
    return tuple(value.split(",")) if kind.startswith("Sequence") else value
