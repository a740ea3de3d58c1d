"""``zsavs export``: a folder of results as files that other tools load."""

from __future__ import annotations

from typing import Annotated

import typer

from zsavs.cli import console, options, parsing
from zsavs.formats.names import FORMATS

__all__ = ["export"]

_Run = Annotated[
    str, typer.Argument(metavar="RUN", parser=str, help="a folder that zsavs segment, compare or label wrote")
]
_To = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="FORMAT",
        parser=parsing.text,
        autocompletion=lambda: list(FORMATS),
        help=f"one of {', '.join(FORMATS)}",
        rich_help_panel=options.OUTPUT,
    ),
]
_Files = Annotated[
    str,
    typer.Option(
        "--out", metavar="FOLDER", parser=parsing.place, help="folder for the files", rich_help_panel=options.OUTPUT
    ),
]
_Strategy = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        metavar="NAME",
        parser=parsing.text,
        help="the answers of this strategy alone; needed where a folder has those of several to the same files",
        rich_help_panel=options.DATA,
    ),
]
_Compressed = Annotated[
    bool,
    typer.Option(
        "--compressed",
        help="masks as COCO's compressed strings in place of lists of run lengths; of coco and youtube_vis",
        rich_help_panel=options.OUTPUT,
    ),
]
_Categories = Annotated[
    str | None,
    typer.Option(
        "--categories",
        metavar="VOCABULARY",
        parser=parsing.text,
        help="all labels in the order of their numbers: a file, a name, or 'maracas, dog'; the labels that occur, in "
        "the alphabet's order, if left out",
        rich_help_panel=options.OUTPUT,
    ),
]


def export(
    run: _Run,
    to: _To,
    out: _Files,
    strategy: _Strategy = None,
    compressed: _Compressed = False,
    categories: _Categories = None,
    verbose: options.Verbose = 0,
) -> None:
    """Write a folder of results as files that other tools load."""
    from zsavs.formats.export import export as write
    from zsavs.language.vocabulary import load_vocabulary

    labels = None if categories is None else load_vocabulary(categories)
    files = write(run, to, out, strategy=strategy, compressed=compressed, categories=labels)
    more = len(files) - 1
    console.answer(f"wrote: {files[0]}" + (f" and {more} file{'s'[: more != 1]} beside it" if more else ""))
