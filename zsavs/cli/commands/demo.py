"""``zsavs demo``: a page to look at and to listen to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsavs.cli import console, options, parsing

__all__ = ["demo"]

_Folder = Annotated[
    str,
    typer.Option(
        "--out", metavar="DIR", parser=parsing.place, help="folder for the page", rich_help_panel=options.OUTPUT
    ),
]


def demo(out: _Folder = "zsavs-demo", verbose: options.Verbose = 0) -> None:
    """Show the strategies at work on scenes that come with zsavs; needs no network."""
    from zsavs.cli.demo import run

    for line in run(Path(out)):
        console.answer(line)
