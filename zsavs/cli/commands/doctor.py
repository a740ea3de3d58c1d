"""``zsavs doctor``: whether zsavs can run here."""

from __future__ import annotations

from typing import Annotated

import typer

from zsavs.cli import console, options, parsing
from zsavs.presets import PRESETS, find_preset

__all__ = ["doctor"]

#: The colour of a line by the mark that it begins with.
_STYLES = {"ok": "", "--": "yellow", "!!": "bold red"}


_Deep = Annotated[
    bool,
    typer.Option("--deep", metavar="", help="load each checkpoint that is here, and check that it tells things apart"),
]
_Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        parser=parsing.text,
        autocompletion=options.complete("preset"),
        help="with --deep: the checkpoints of this preset alone",
    ),
]


def doctor(deep: _Deep = False, preset: _Preset = None, verbose: options.Verbose = 0) -> int:
    """Check the installation: versions, devices, cache, presets; with --deep the models too."""
    from zsavs.cli.doctor import examine

    if preset is not None and not deep:
        raise typer.BadParameter("only --deep looks at one preset alone", param_hint="--preset")
    if preset is not None:
        find_preset(preset)
    healthy, lines = examine()
    if console.is_terminal():
        rows = [(line[:2], line[4:]) for line in lines]
        console.table({"": "green", "what was found": ""}, rows, row_styles=[_STYLES[mark] for mark, _ in rows])
    else:
        for line in lines:
            console.answer(line)
    if deep:
        healthy &= _look_deep(preset)
    return 0 if healthy else 1


def _look_deep(preset: str | None) -> bool:
    """Check the checkpoints, each a line as soon as it is known; whether all are sound."""
    from zsavs.build.self_check import check_checkpoints

    findings = []
    with console.progress("loading checkpoints"):
        for finding in check_checkpoints([preset] if preset else list(PRESETS)):
            console.answer(f"{'ok' if finding.sound else '!!'}  {finding}")
            findings.append(finding)
    if not findings:
        console.answer(f"--  preset {preset} has no checkpoint on this machine, so none was loaded")
    return all(finding.sound for finding in findings)
