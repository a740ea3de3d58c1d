"""Every checkpoint that zsavs has a card of, as a hub serves it: the published names, and other bytes, a few of them.

As a program, ``python -m published_checkpoints ROOT ARGUMENT...``, it is ``zsavs ARGUMENT...`` with cards that fit
these files in the folder ROOT.
"""

from __future__ import annotations

import dataclasses
import hashlib
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zsavs.storage.weights import SHIPPED, WeightCard, file_places, is_address

_WEIGHTS_BYTES = 200_000
#: More than one block of what a single file is read in.
_SINGLE_FILE_BYTES = 2_500_000


def publish(root: Path, cards: list[WeightCard]) -> None:
    """Write the files of some cards under a hub's root."""
    for card in cards:
        make = random.Random(card.source).randbytes
        if is_address(card.source):
            (root / file_places(card.source)[-1].name).write_bytes(make(_SINGLE_FILE_BYTES))
        elif not card.source.startswith(SHIPPED):
            folder = root / card.source
            folder.mkdir(parents=True, exist_ok=True)
            for name in _names(card):
                small = name.endswith((".json", ".txt"))
                (folder / name).write_bytes(f'"{card.source} {name}"'.encode() if small else make(_WEIGHTS_BYTES))


def _names(card: WeightCard) -> set[str]:
    """The files that a card needs: of each alternative, the last that is no index of shards."""
    alternatives = [[a for a in need.split(" | ") if not a.endswith(".index.json")][-1] for need in card.files]
    return {name for alternative in alternatives for name in alternative.split(" + ")} | {"config.json"}


def fitting_cards(root: Path) -> Iterator[tuple[dict[str, WeightCard], str, WeightCard]]:
    """For each single file under a hub's root: a table of cards, the key in it, and the card that fits the file."""
    from zsavs.build.known_cards import known_cards

    known_cards()  # imports every module that has any
    for module in [module for name, module in sys.modules.items() if name.startswith("zsavs.models.")]:
        table: dict[str, WeightCard] = getattr(module, "CARDS", {})
        for key, card in list(table.items()):
            path = root / file_places(card.source)[-1].name if is_address(card.source) else root / "none"
            if path.is_file():
                content = path.read_bytes()
                sha256 = hashlib.sha256(content).hexdigest() if card.sha256 else ""
                yield table, key, dataclasses.replace(card, size_mb=len(content) / 1e6, sha256=sha256)


def fit_cards(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    """Let the cards of single files fit those under a hub's root, in this process."""
    for table, key, card in fitting_cards(root):
        monkeypatch.setitem(table, key, card)


def _main(root: str, *arguments: Any) -> int:
    from zsavs.cli.main import main

    for table, key, card in fitting_cards(Path(root)):
        table[key] = card
    return main(arguments)


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
