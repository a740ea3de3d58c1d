"""A preset's weights, on this machine or fetched after a question: the demo runs either way."""

from __future__ import annotations

import sys
from pathlib import Path

from zsavs.build.availability import missing_weights
from zsavs.cli import console
from zsavs.errors import ZsavsError, first_line
from zsavs.presets import PRESETS
from zsavs.storage.download import download_all, find_mirror
from zsavs.storage.weights import WeightCard, format_mb

__all__ = ["is_here_now"]


def is_here_now(preset: str, *, yes: bool = False, where: str = "in this demo") -> bool:
    """Whether the weights of a preset are on this machine, after they were offered and fetched if they were not.

    A person at a terminal is asked, once, with sizes and licences; nobody else is. A fetch that fails is said in a
    line, and raises nothing.

    Args:
        preset: a name; one that there is no preset of is not here.
        yes: fetch without asking. Licences for non-commercial use only are not accepted by this.
        where: what the photographs are for, to follow the word.
    """
    if preset not in PRESETS:
        return False
    missing = missing_weights(preset)
    if not missing:
        return True
    try:
        offline = _is_offline()
    except ZsavsError as error:
        console.say(f"no photographs {where}: {first_line(error)}")
        return False
    if offline or not (yes or _agrees(preset, missing, where)):
        hint = ", with HF_HUB_OFFLINE off" if offline else ""
        console.answer(f"For photographs with their audio {where}, once{hint}: zsavs download {preset}")
        return False
    try:
        download_all(missing, console.answer)
    except ZsavsError as error:
        console.say(f"no photographs {where}: {first_line(error)}")
        return False
    return not missing_weights(preset)


def _is_offline() -> bool:
    """Whether nothing can be fetched: the hub is off, and no folder stands in place of the network."""
    from huggingface_hub import constants

    return constants.HF_HUB_OFFLINE and not isinstance(find_mirror(), Path)


def _agrees(preset: str, missing: list[WeightCard], where: str) -> bool:
    """Ask a person at a terminal whether to fetch these checkpoints; without one the answer is no."""
    if not console.is_terminal() or sys.stdin is None or not sys.stdin.isatty():
        return False
    size = sum(card.size_mb for card in missing)
    console.answer(f"Photographs {where} need preset {preset}. It lacks, about {format_mb(size)} MB in all:")
    for card in missing:
        console.answer(f"  {card.source} ({format_mb(card.size_mb)} MB, licence {card.licence})")
    try:
        return input("Fetch them now? Type yes to do so: ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
