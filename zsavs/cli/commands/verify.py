"""``zsavs verify``: whether the models of a preset answer right where the answer is known."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zsavs.cli import console, options, parsing
from zsavs.cli.model_choice import Models, with_settings
from zsavs.cli.overrides import read_parts

if TYPE_CHECKING:
    from zsavs.evaluation.known_answers import Check
    from zsavs.pipeline import Pipeline

__all__ = ["verify"]

_Preset = Annotated[
    str,
    typer.Argument(
        metavar="PRESET",
        parser=parsing.text,
        autocompletion=options.complete("preset"),
        help="one of 'zsavs list preset', with its weights on this machine",
    ),
]
_Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        metavar="FILE",
        parser=parsing.place,
        help="a file for the text too, to paste into a report",
        rich_help_panel=options.OUTPUT,
    ),
]
#: What the versions are told of, where they are installed.
_PACKAGES = ("torch", "transformers", "open_clip_torch", "numpy", "onnxruntime", "ai-edge-litert")


def verify(
    preset: _Preset,
    strategy: options.Strategies = None,
    setting: options.Settings = None,
    part: options.Parts = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    out: _Out = None,
    verbose: options.Verbose = 0,
) -> int:
    """Run every strategy of a preset on pairs with known answers, and say which are missed; fetches nothing."""
    from zsavs.presets import find_preset

    find_preset(preset)
    models = Models(preset, device, dtype, None, None, None, False, read_parts(part))
    names, left_out = (list(dict.fromkeys(strategy)), []) if strategy else _divided(models)
    models = with_settings(models, names, setting)
    try:
        missed, report = _run(models, names, left_out)
    except KeyboardInterrupt:
        return console.complain("not all checks were run, and none is reported", 130)
    console.answer(report.rstrip())
    if out:
        from zsavs.storage.files import write_atomically

        write_atomically(Path(out), lambda file: file.write(report.encode()))
        console.say(f"wrote: {out}")
    return 1 if missed else 0


def _run(models: Models, names: Sequence[str], left_out: Sequence[str]) -> tuple[int, str]:
    """The number of checks that are missed, and the report."""
    from zsavs.build import build_pipeline
    from zsavs.evaluation.known_answers import run_checks
    from zsavs.evaluation.known_answers_report import failed, text

    checks, arguments = _checks(models.preset), models.for_each(names)
    used: dict[str, Mapping[str, Any]] = {}

    def build(name: str) -> Pipeline:
        bar.describe(f"running {name}")
        pipe = build_pipeline(name, **arguments[name])
        used[name] = pipe.meta["models"]
        return pipe

    with console.progress("loading models", len(names) * len(checks)) as bar:
        outcomes = run_checks(checks, names, build, lambda _: bar.advance())
    return failed(outcomes), text(outcomes, models.preset, _about(models), used, left_out)


def _checks(preset: str) -> list[Check]:
    """The checks of a preset; those of the toy world are scenes of its own."""
    from zsavs.evaluation.known_answers import Case, Check
    from zsavs.evaluation.known_pairs import checks_for

    if preset != "toy":
        return checks_for(preset)
    from zsavs.cli.demo.scenes import toy_scenes

    return [
        Check(
            scene.title.lower(),
            f"the toy world: {scene.story}",
            " and ".join(scene.sources) or "nothing",
            (Case(scene.sample, scene.target, scene.sources),),
        )
        for scene in toy_scenes()
    ]


def _divided(models: Models) -> tuple[list[str], list[str]]:
    """The strategies that the preset has all parts for; and a line for each other one, with what would add it."""
    from zsavs.build import described_components, missing_roles
    from zsavs.registry import list_components

    names, lines = [], []
    for name in list_components("strategy"):
        roles = missing_roles(name, models.preset, models.parts)
        if roles:
            added = " ".join(f"--part {role}=NAME[:CHECKPOINT]" for role in roles)
            known = "; ".join(f"{role}: {described_components(role)}" for role in roles)
            lines.append(f"{name}: the preset has no {' and no '.join(roles)} for it; {added} adds it ({known}).")
        else:
            names.append(name)
    return names, lines


def _about(models: Models) -> str:
    """Versions, the machine, the device, and what was asked for, in a line."""
    from importlib.metadata import PackageNotFoundError, version

    from zsavs.version import __version__

    words = [f"zsavs {__version__}", f"Python {platform.python_version()}", platform.platform()]
    for name in _PACKAGES:
        try:
            words.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    words += [f"preset {models.preset}", f"device {models.device}{_device(models)}", f"dtype {models.dtype}"]
    words += [f"--part {role}={name}" for role, name in models.parts.items()]
    words += [f"--set {name}={value}" for name, value in models.settings.items()]
    return ", ".join(words) + "."


def _device(models: Models) -> str:
    """What "auto" came to."""
    from importlib.util import find_spec

    if models.device != "auto" or find_spec("torch") is None:
        return ""
    from zsavs.models.runtime import resolve_device

    return f" ({resolve_device(models.device)})"
