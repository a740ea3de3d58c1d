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
_Yes = Annotated[
    bool,
    typer.Option(
        "--yes",
        "-y",
        metavar="",
        help="fetch small models for photographs, about which is asked on a terminal otherwise",
    ),
]


def demo(out: _Folder = "zsavs-demo", yes: _Yes = False, verbose: options.Verbose = 0) -> None:
    """Show the strategies at work on scenes that come with zsavs, and on photographs; needs no network."""
    from zsavs.cli.demo import PHOTOGRAPHS, run
    from zsavs.cli.demo.fetching import is_here_now

    photographs = PHOTOGRAPHS if is_here_now(PHOTOGRAPHS, yes=yes) else None
    for line in run(Path(out), photographs=photographs):
        console.answer(line)
