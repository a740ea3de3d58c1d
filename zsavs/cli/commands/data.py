"""``zsavs data check``: whether a data set is complete."""

from __future__ import annotations

from typing import Annotated

import typer

from zsavs.cli import console, options, parsing

__all__ = ["data"]


def _action(value: str) -> str:
    if value != "check":
        raise typer.BadParameter(f"there is no {value!r}; did you mean 'check'?")
    return value


_What = Annotated[str, typer.Argument(metavar="check", parser=_action, help="what to do with it")]
_Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        parser=parsing.text,
        autocompletion=options.complete("dataset"),
        help="one of 'zsavs list dataset'",
    ),
]
_Root = Annotated[
    str | None,
    typer.Argument(metavar="ROOT", parser=str, help="where the data set is, unless it comes with zsavs"),
]
_Split = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="NAME",
        parser=parsing.text,
        help="which part of it; all parts if left out",
        rich_help_panel=options.DATA,
    ),
]
_Decode = Annotated[
    bool,
    typer.Option(
        "--decode",
        metavar="",
        help="read every item too, and count empty and full targets",
        rich_help_panel=options.DATA,
    ),
]


def data(
    what: _What,
    name: _Name,
    root: _Root = None,
    split: _Split = None,
    option: options.DataOptions = None,
    decode: _Decode = False,
    json: options.Json = False,
    verbose: options.Verbose = 0,
) -> int:
    """Check that a data set is where and what it should be, before a long run."""
    from zsavs.datasets.check import check
    from zsavs.registry import find_component

    reader = find_component("dataset", name)
    folder = root or getattr(reader, "shipped", None)
    if folder is None:
        raise typer.BadParameter(f"say where it is: zsavs data check {name} ROOT")
    opened = parsing.dataset_options(reader, split, option)
    with console.progress("checking") as bar:
        report = check(reader, folder, decode=decode, on_item=bar.advance, **opened)
    if json:
        console.answer_json(report.to_json())
    else:
        console.answer(report)
    return 0 if report.ok else 1
