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
    """List strategies, components and presets with their weights and licences, and vocabularies."""
    from zsavs.registry import list_components

    known = {kind: list_components(kind) for kind in ([kind] if kind else _kinds())}
    if json:
        cards = {role: [{"component": name, **card.as_dict()} for name, card in _checkpoints(role)] for role in known}
        console.answer_json({**known, "checkpoints": {role: found for role, found in cards.items() if found}})
    elif console.is_terminal():
        _draw(known)
    else:
        _print(known)


def _checkpoints(role: str) -> list[tuple[str, WeightCard]]:
    """The checkpoints that the components of a role are known to load, with their components; none for other kinds."""
    from zsavs.build.known_cards import component_cards
    from zsavs.registry import ROLES, list_components

    names = list_components(role) if role in ROLES else ()
    return [(name, card) for name in names for card in component_cards(role, name).values()]


def _described(card: WeightCard) -> tuple[str, str, str, str]:
    """Source, size, licence, and "gated" where the owner of the repository has to let people in."""
    from zsavs.storage.weights import format_mb

    gated = "gated" if card.gate else ""
    return card.source, format_mb(card.size_mb) if card.size_mb else "unknown", card.licence, gated


def _line(card: WeightCard) -> str:
    source, size, licence, gated = _described(card)
    return f"{source}, {size} MB, {licence}{gated and f', {gated}'}"


def _cards(preset: str) -> dict[str, WeightCard]:
    from zsavs.build.availability import preset_cards

    return preset_cards(preset)


def _draw(known: dict[str, list[str]]) -> None:
    """The names as a table, and a table of the weights of each role and of each preset."""
    from zsavs.presets import PRESETS

    console.table({"kind": "bold cyan", "names": ""}, [(kind, ", ".join(names)) for kind, names in known.items()])
    columns = {"component": "cyan", "weights": "", "MB": "", "licence": "", "gate": ""}
    for role in known:
        if rows := [(name, *_described(card)) for name, card in _checkpoints(role)]:
            console.table(columns, rows, role)
    for name in known.get("preset", ()):
        weights = [(role, *_described(card)) for role, card in _cards(name).items()]
        title = f"{name}: {PRESETS[name].summary}"
        if weights:
            console.table({"role": "cyan", "weights": "", "MB": "", "licence": "", "gate": ""}, weights, title)
        else:
            console.answer(title)


def _print(known: dict[str, list[str]]) -> None:
    """The same in lines, for a file or a pipe."""
    from zsavs.presets import PRESETS

    for kind, names in known.items():
        console.answer(f"{kind}: {', '.join(names)}")
        for name, card in _checkpoints(kind):
            console.answer(f"  {name}: {_line(card)}")
        for name in names if kind == "preset" else ():
            console.answer(f"  {name}: {PRESETS[name].summary}")
            cards = _cards(name)
            width = max(map(len, cards), default=0)
            for role, card in cards.items():
                console.answer(f"    {role:>{width}}: {_line(card)}")
