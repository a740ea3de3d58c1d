"""``zsavs list``: every name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zsavs.cli import console, options, parsing

if TYPE_CHECKING:
    from zsavs.storage.weights import WeightCard

__all__ = ["list_names"]


def _kinds() -> list[str]:
    """All kinds of names, in the order that they are listed in."""
    from zsavs.registry import ROLES

    return ["strategy", "preset", *ROLES, "decomposition", "dataset", "vocabulary"]


def _complete(incomplete: str) -> list[str]:
    return [kind for kind in _kinds() if kind.startswith(incomplete)]


_Kind = Annotated[
    str | None,
    typer.Argument(
        metavar="KIND",
        parser=parsing.text,
        autocompletion=_complete,
        help="strategy, preset, decomposition, dataset, vocabulary or a role such as grounder; all if left out",
    ),
]


def list_names(kind: _Kind = None, json: options.Json = False, verbose: options.Verbose = 0) -> None:
    """List strategies, presets with their weights and licences, components and vocabularies."""
    from zsavs.registry import list_components

    known = {kind: list_components(kind) for kind in ([kind] if kind else _kinds())}
    if json:
        console.answer_json(known)
    elif console.is_terminal():
        _draw(known)
    else:
        _print(known)


def _cards(preset: str) -> dict[str, WeightCard]:
    from zsavs.build.availability import preset_cards

    return preset_cards(preset)


def _draw(known: dict[str, list[str]]) -> None:
    """The names as a table, and a table of each preset's weights."""
    from zsavs.presets import PRESETS
    from zsavs.storage.weights import format_mb

    console.table({"kind": "bold cyan", "names": ""}, [(kind, ", ".join(names)) for kind, names in known.items()])
    for name in known.get("preset", ()):
        rows = [(role, card.source, format_mb(card.size_mb), card.licence) for role, card in _cards(name).items()]
        title = f"{name}: {PRESETS[name].summary}"
        if rows:
            console.table({"role": "cyan", "weights": "", "MB": "", "licence": ""}, rows, title)
        else:
            console.answer(title)


def _print(known: dict[str, list[str]]) -> None:
    """The same in lines, for a file or a pipe."""
    from zsavs.presets import PRESETS
    from zsavs.storage.weights import format_mb

    for kind, names in known.items():
        console.answer(f"{kind}: {', '.join(names)}")
        for name in names if kind == "preset" else ():
            console.answer(f"  {name}: {PRESETS[name].summary}")
            cards = _cards(name)
            width = max(map(len, cards), default=0)
            for role, card in cards.items():
                console.answer(f"    {role:>{width}}: {card.source}, {format_mb(card.size_mb)} MB, {card.licence}")
