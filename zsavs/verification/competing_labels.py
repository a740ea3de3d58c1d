"""The labels that compete for a region: a phrase must not compete with its own synonyms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs.language.meanings import Meanings

__all__ = ["competing"]


def competing(
    alternatives: Sequence[str], phrases: Sequence[str], meanings: Meanings
) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """The labels that compete for regions, and which of them stands for each phrase.

    An alternative that means the same as a phrase of the query is left out ("dog" where a "brown dog" is looked for).
    Of phrases that mean the same the first one stands for all.

    Args:
        alternatives: labels that a region may have instead, all different.
        phrases: K phrases of a query.
        meanings: of the encoder that embeds the labels.

    Returns:
        Alternatives, then phrases, one for each meaning; and for each phrase the place of its label among these, (K,).
    """
    taken = meanings.same(phrases, alternatives)
    labels = [label for place, label in enumerate(alternatives) if not taken[:, place].any()]
    alike = meanings.same(phrases, phrases)
    kept: list[int] = []
    places = []
    for row in range(len(phrases)):
        first = next((place for place, other in enumerate(kept) if alike[row, other]), len(kept))
        kept += [row] if first == len(kept) else []
        places.append(len(labels) + first)
    return (*labels, *(phrases[row] for row in kept)), np.array(places, np.intp)
