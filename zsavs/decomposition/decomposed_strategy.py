"""A strategy that is asked about each component of a clip beside the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.decomposition.component import Component, Decomposer
from zsavs.errors import ContractError
from zsavs.media.activity import unite
from zsavs.protocols import Strategy
from zsavs.types import AVSample, Query

__all__ = ["Decomposed", "merge"]


class Decomposed:
    """A strategy's query of the whole clip and of each of its components with the same image, merged into one.

    Rows with the same phrase become one: the weight is the largest; embedding and prior are those of the component
    with the largest weight, as they are that source's own; times are those of all components with the phrase. A row of
    the whole clip alone stays as it is, with such times as the strategy knows. Notes are those on the whole clip, with
    those on the components beside them; seconds are those of all.

    M components are M opportunities for a false positive. So the odds of a row that the whole clip does not have are
    divided by M, and it stays if it is still more likely than not.

    Args:
        strategy: the strategy.
        decomposer: gives the components.
    """

    def __init__(self, strategy: Strategy, decomposer: Decomposer) -> None:
        self.strategy, self.decomposer = strategy, decomposer

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """One query for each sample; the strategy gets whole clips and components in one batch."""
        decomposed = self.decomposer.decompose([sample.audio for sample in samples])  # 1. components
        asked = [
            replace(sample, audio=clip)
            for sample, components in zip(samples, decomposed, strict=True)
            for clip in (sample.audio, *(component.clip for component in components))
        ]
        answers = self.strategy.query(asked)  # 2. a query of the whole, then of each component
        if len(answers) != len(asked):
            raise ContractError(f"query: {len(answers)} answers for {len(asked)} samples; a query for each.")
        ends = np.cumsum([1 + len(components) for components in decomposed], dtype=int)
        return [  # 3. one query, each phrase once
            merge(answers[end - len(components) - 1], answers[end - len(components) : end], components)
            for components, end in zip(decomposed, ends, strict=True)
        ]


def merge(whole: Query, parts: Sequence[Query], components: Sequence[Component]) -> Query:
    """One query from that of a clip and those of its components.

    Args:
        whole: the query of the whole clip.
        parts: that of each component.
        components: M of them; without any, the answer is ``whole``.

    Returns:
        The rows of the whole in their order, then those of components only, heaviest first; always with times where
        there are components.

    Raises:
        ContractError: the queries' embeddings or priors cannot stand beside each other.
    """
    if not components:
        return whole
    rows: dict[str, list[tuple[int, int]]] = {}  # phrase to (component, row of its query)
    for number, query in enumerate(parts):
        for row, phrase in enumerate(query.phrases):
            rows.setdefault(phrase, []).append((number, row))
    corrected = {
        phrase: max(_corrected(parts[m].weights[row], len(parts)) for m, row in at) for phrase, at in rows.items()
    }
    news = [phrase for phrase in rows if phrase not in whole.phrases and corrected[phrase] > 0.5]
    weights = dict(zip(whole.phrases, map(float, whole.weights), strict=True))
    weights = {phrase: max(weight, corrected.get(phrase, 0.0)) for phrase, weight in weights.items()}
    weights |= {phrase: corrected[phrase] for phrase in sorted(news, key=lambda phrase: -corrected[phrase])}

    best: list[Query] = []  # of one row each
    times = []
    for phrase in weights:
        at = sorted(rows.get(phrase, []), key=lambda place: -parts[place[0]].weights[place[1]])
        best.append(parts[at[0][0]].rows([at[0][1]]) if at else whole.rows([whole.phrases.index(phrase)]))
        known = () if at or whole.times is None else whole.times[whole.phrases.index(phrase)]
        times.append(unite(chain(known, *(components[number].times for number, _ in at))))
    maps = [row.maps for row in best if row.maps is not None]
    embeddings, space = _rows(best, "embeddings")
    meanings, space_of_meanings = _rows(best, "meanings")
    return Query(
        tuple(weights),
        np.array(list(weights.values()), np.float32),
        embeddings,
        space or space_of_meanings,
        prior=_priors(best),
        maps=np.concatenate(maps) if len(maps) == len(best) > 0 else None,
        times=tuple(times),
        meanings=meanings,
        notes=_notes(whole, parts),
        seconds=dict(sum((Counter(query.seconds) for query in (whole, *parts)), Counter())),
    )


def _notes(whole: Query, parts: Sequence[Query]) -> dict[str, Any]:
    """The notes on the whole, and under "components" those on each component, where there are any."""
    of_components = [dict(query.notes) for query in parts]
    return {**whole.notes, **({"components": of_components} if any(of_components) else {})}


def _corrected(weight: float, tries: int) -> float:
    """A probability, corrected for multiple tries: its odds are divided by their number."""
    return float(weight) / (float(weight) + tries * (1.0 - float(weight)))


def _rows(rows: Sequence[Query], name: str) -> tuple[NDArray[np.float32] | None, str | None]:
    """The embeddings or meanings of queries of one row each, (K, D), and their space; None where there are none."""
    spaces = {row.space for row in rows}
    if len(spaces) > 1:
        raise ContractError(f"a strategy's queries have embeddings of several spaces, {spaces}, and cannot be merged.")
    given = [getattr(row, name) for row in rows if getattr(row, name) is not None]
    return (np.concatenate(given), spaces.pop()) if given else (None, None)


def _priors(rows: Sequence[Query]) -> NDArray[np.float32] | None:
    """The priors of queries of one row each, (K, h, w); a row without one favours no place."""
    given = [None if row.prior is None else row.prior.reshape(row.prior.shape[-2:]) for row in rows]
    shapes = {prior.shape for prior in given if prior is not None}
    if len(shapes) > 1:
        raise ContractError(f"a strategy's priors for one image have several shapes, {shapes}, and cannot be merged.")
    if not shapes:
        return None
    free = np.ones(shapes.pop(), np.float32)
    return np.stack([free if prior is None else prior for prior in given])
