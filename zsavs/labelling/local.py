"""The local engine: chunk after chunk in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from zsavs.labelling.items import Item
from zsavs.labelling.labeller import Labeller, Row

__all__ = ["run_local"]


def run_local(labeller: Labeller, chunks: Iterable[Sequence[Item]]) -> Iterator[tuple[Sequence[Item], list[list[Row]]]]:
    """Each chunk with the rows of its items, as soon as they are known.

    Args:
        labeller: does the work.
        chunks: items that are worked on together, and kept together.
    """
    for chunk in chunks:
        yield chunk, labeller(chunk)
