"""``zsavs download``: the weights of a preset; no other command fetches anything, but for the demo after a yes.

From the network, or from the mirror that ``ZSAVS_MIRROR`` names (:mod:`zsavs.storage.download`). A repository or a file
that zsavs has no card of is fetched all the same, after what the hub says of it, and after the question that a
non-commercial licence leads to: nobody here has read its licence.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from zsavs.cli import console, options, parsing
from zsavs.errors import UnknownName

if TYPE_CHECKING:
    from zsavs.storage.weights import WeightCard

__all__ = ["download"]

_Name = Annotated[
    str,
    typer.Argument(
        metavar="PRESET|REPOSITORY",
        parser=parsing.text,
        autocompletion=options.complete("preset"),
        help="one of 'zsavs list preset', or a hub repository org/name, or the address of a file",
    ),
]
_DryRun = Annotated[
    bool, typer.Option("--dry-run", metavar="", help="show size, licence and what is missing; fetch nothing")
]
_AcceptLicense = Annotated[
    bool,
    typer.Option(
        "--accept-license",
        metavar="",
        help="accept licences that are non-commercial or not known to zsavs, which are asked about otherwise",
    ),
]


_CpuOnly = Annotated[bool, typer.Option("--cpu-only", metavar="", help="leave out what a preset takes on a GPU alone")]


def download(
    name: _Name,
    dry_run: _DryRun = False,
    cpu_only: _CpuOnly = False,
    accept_license: _AcceptLicense = False,
    verbose: options.Verbose = 0,
) -> int:
    """Fetch the weights of a preset; shows size and licence first."""
    from zsavs.storage.download import conditions, describe, download_all, has_to_be_accepted
    from zsavs.storage.weights import format_mb

    cards = _cards(name, "cpu" if cpu_only else "")
    if not cards:
        console.answer(f"{name}: nothing to fetch, it has no weights")
    elif len(cards) > 1:
        megabytes = format_mb(sum(card.size_mb for card in cards))
        console.answer(f"{name}: {len(cards)} checkpoints, about {megabytes} MB in all")
    if dry_run:
        for card in cards:
            console.answer(describe(card))
            for line in conditions(card):
                console.answer(line)
        return 0
    accepted = accept_license or _accepts([card for card in cards if has_to_be_accepted(card)])
    try:
        download_all(cards, console.answer, accept_license=accepted)
    except KeyboardInterrupt:
        return console.complain("what has come is kept; the same command fetches what is missing", 130)
    return 0


def _cards(name: str, device: str) -> list[WeightCard]:
    """The checkpoints that a preset takes on a device ("" for any), each once; or the one of a repository, of the
    address of a file, or of a tag.

    Raises:
        UnknownName: it is none of these.
    """
    from zsavs.build.availability import preset_cards
    from zsavs.build.known_cards import find_card, plain_name
    from zsavs.presets import PRESETS
    from zsavs.storage.download import unknown_card
    from zsavs.storage.weights import is_address

    plain = plain_name(name)
    if plain.lower() in PRESETS:
        return list({card.source: card for card in preset_cards(plain.lower(), device).values()}.values())
    if card := find_card(name):
        return [card]
    if is_address(plain):
        return [unknown_card(name.strip())]
    if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", plain):
        return [unknown_card(plain)]
    raise UnknownName("preset", name, PRESETS, "Or give a hub repository, org/name, or the address of a file.")


def _accepts(cards: list[WeightCard]) -> bool:
    """Ask on a terminal whether the user accepts these licences; without one the answer is no."""
    from zsavs.storage.download import describe

    if not cards or not sys.stdin.isatty():
        return False
    for card in cards:
        if card.is_restricted:
            console.answer(f"{card.source} has the licence {card.licence}: NON-COMMERCIAL use only ({card.verified}).")
        else:
            console.answer(
                f"zsavs does not know this checkpoint, and nobody here has read its licence. {describe(card)}"
            )
    try:
        return input("Do you accept it? Type yes to go on: ").strip().lower() == "yes"
    except EOFError:
        return False
