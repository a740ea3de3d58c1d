"""``zsavs calibrate``: a bank of the user's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsavs.cli import console, options, parsing
from zsavs.cli.model_choice import preset_here
from zsavs.cli.overrides import read_parts

__all__ = ["calibrate"]

_AudioFolder = Annotated[
    str | None,
    typer.Option(
        "--audio",
        metavar="DIR",
        parser=parsing.text,
        help="audio files, also in folders below it",
        rich_help_panel=options.DATA,
    ),
]
_ImageFolder = Annotated[
    str | None,
    typer.Option(
        "--images",
        metavar="DIR",
        parser=parsing.text,
        help="images, also in folders below it",
        rich_help_panel=options.DATA,
    ),
]
_Limit = Annotated[
    int,
    typer.Option(
        "--limit",
        metavar="N",
        parser=parsing.positive,
        help="the most files of each kind",
        rich_help_panel=options.DATA,
    ),
]
_Bank = Annotated[
    str,
    typer.Option(
        "--out", metavar="DIR", parser=parsing.place, help="folder for the bank", rich_help_panel=options.OUTPUT
    ),
]


def calibrate(
    audio: _AudioFolder = None,
    images: _ImageFolder = None,
    limit: _Limit = 2000,
    preset: options.Preset = None,
    part: options.Parts = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    out: _Bank = "zsavs-bank",
    verbose: options.Verbose = 0,
) -> int:
    """Learn what is usual in your own audio files and images, without labels, for use with --bank."""
    from zsavs.build import build_encoders
    from zsavs.calibration.make_bank import make_banks

    if not audio and not images:
        raise typer.BadParameter("give your own files: --audio DIR, --images DIR, or both")
    parts = read_parts(part)
    preset = preset or preset_here(device)
    try:
        with console.progress("embedding") as bar:
            banks = make_banks(
                lambda: build_encoders(preset, device, dtype, parts),
                out,
                audio=audio,
                images=images,
                limit=limit,
                on_start=bar.begin,
                on_item=bar.advance,
                on_skip=_say_skipped,
            )
    except KeyboardInterrupt:
        return console.complain(f"{out} is as it was before, no bank was written", 130)
    named = "".join(f" --part {role}={component}" for role, component in parts.items())
    for bank in banks:
        console.answer(f"{bank.space}: {bank.source}")
    console.answer(f"wrote: {out}; use it with: zsavs segment IMAGE AUDIO --preset {preset}{named} --bank {out}")
    return 0


def _say_skipped(path: Path, reason: str) -> None:
    console.say(f"left out: {reason if str(path) in reason else f'{path}: {reason}'}")
