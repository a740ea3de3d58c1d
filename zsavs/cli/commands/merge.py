"""``zsavs merge``: the shards of one evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsavs.cli import console, options, parsing

__all__ = ["merge"]

_Runs = Annotated[list[str], typer.Argument(metavar="RUN...", parser=str, help="folders of the shards")]
_Whole = Annotated[
    str,
    typer.Option(
        "--out", metavar="RUN", parser=parsing.place, help="folder of the whole", rich_help_panel=options.OUTPUT
    ),
]


def merge(runs: _Runs, out: _Whole, verbose: options.Verbose = 0) -> None:
    """Put the shards of one evaluation together, with the images that they have drawn."""
    from zsavs.evaluation import merge as put_together
    from zsavs.evaluation.summary import table

    console.answer(table(put_together(runs, out)))
    console.answer(f"wrote: {Path(out) / 'report.html'} and the run beside it")
