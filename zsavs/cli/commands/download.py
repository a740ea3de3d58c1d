"""``zsavs download``: the weights of a preset; no other command fetches anything, but for the demo after a yes.

From the network, or from the mirror that ``ZSAVS_MIRROR`` names (:mod:`zsavs.storage.download`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from zsavs.cli import console, options, parsing

if TYPE_CHECKING:
    from zsavs.storage.weights import WeightCard

__all__ = ["download"]

_Name = Annotated[
    str,
    typer.Argument(
        metavar="PRESET|REPOSITORY",
        parser=parsing.text,
        autocompletion=options.complete("preset"),
        help="one of 'zsavs list preset', or a hub repository org/name",
    ),
]
_DryRun = Annotated[bool, typer.Option("--dry-run", metavar="", help="show size and licence, fetch nothing")]
_AcceptLicense = Annotated[
    bool,
    typer.Option(
        "--accept-license", metavar="", help="accept non-commercial licences, which are asked about otherwise"
    ),
]


def download(
    name: _Name, dry_run: _DryRun = False, accept_license: _AcceptLicense = False, verbose: options.Verbose = 0
) -> None:
    """Fetch the weights of a preset; shows size and licence first."""
    from zsavs.storage.download import download as fetch
    from zsavs.storage.weights import format_mb

    cards = _cards(name)
    if not cards:
        console.answer(f"{name}: nothing to fetch, it has no weights")
    else:
        megabytes = format_mb(sum(card.size_mb for card in cards))
        console.answer(f"{name}: {len(cards)} checkpoints, about {megabytes} MB in all")
    if dry_run:
        for card in cards:
            about = f"{format_mb(card.size_mb)} MB, {card.licence} ({card.verified})"
            console.answer(f"{card.source} (revision {card.revision}): {about}")
        return
    accepted = accept_license or _accepts([card for card in cards if card.is_restricted])
    for card in sorted(cards, key=lambda card: not card.is_restricted):  # refused before anything is fetched
        console.answer(f"  in {fetch(card, accept_license=accepted)}")


def _cards(name: str) -> list[WeightCard]:
    """The checkpoints of a preset, or the one of a repository, each once.

    Raises:
        UnknownName: no such preset.
    """
    from zsavs.build.availability import preset_cards
    from zsavs.models.whisper_captioner import CARDS
    from zsavs.presets import PRESETS
    from zsavs.storage.weights import WeightCard

    if "/" not in name:
        return list({card.source: card for card in preset_cards(name).values()}.values())
    # Those of a component that no preset has, beside the presets'.
    known = {**CARDS, **{card.source: card for preset in PRESETS for card in preset_cards(preset).values()}}
    unknown = WeightCard(name, "not known to zsavs, see the repository", 0, "unknown", verified="no card")
    return [known.get(name, unknown)]


def _accepts(cards: list[WeightCard]) -> bool:
    """Ask on a terminal whether the user accepts non-commercial licences; without one the answer is no."""
    if not cards or not sys.stdin.isatty():
        return False
    for card in cards:
        console.answer(f"{card.source} has the licence {card.licence}: NON-COMMERCIAL use only ({card.verified}).")
    return input("Do you accept it? Type yes to go on: ").strip().lower() == "yes"
