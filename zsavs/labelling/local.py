"""The local engine: chunk after chunk in this process; the next one is read while the models work on this one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from zsavs.labelling.items import Item
from zsavs.labelling.labeller import Labeller, Row
from zsavs.labelling.memory import Memory, peak_memory
from zsavs.labelling.read import read_items
from zsavs.storage.prefetch import prefetch

__all__ = ["LocalEngine"]


class LocalEngine:
    """Asks a labeller of its own.

    Args:
        settings: of the labeller.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._labeller = Labeller(settings)

    def key(self) -> dict[str, Any]:
        """The labeller's."""
        return self._labeller.key()

    def run(self, chunks: Sequence[Sequence[Item]]) -> Iterator[tuple[Sequence[Item], list[list[Row]]]]:
        """Each chunk with the rows of its items, in order; two chunks are held at the most."""
        for chunk, read in prefetch((chunk, read_items(chunk)) for chunk in chunks):
            yield chunk, self._labeller(read)

    def memory(self) -> Memory:
        """Of this process."""
        return peak_memory()
