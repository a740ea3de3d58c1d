"""Any strategy, hearing a recording source by source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.decomposition.activity import unite
from zsavs.decomposition.component import Component, Decomposer
from zsavs.errors import ContractError
from zsavs.protocols import Strategy
from zsavs.types import AVSample, Query

__all__ = ["Decomposed", "merge"]


class Decomposed:
    """Asks a strategy about the whole recording and about each of its components, with the same image.

    Rows that ask for the same phrase become one: the weight is the largest; embedding and prior are those of the
    component that hears the phrase best, as they are that source's own; times are those of all components that do.
    What the whole recording alone hears keeps its row, with such times as the strategy knows. Notes are those on the
    whole recording, with those on the components beside them; seconds are those of all.

    Looking into M components gives chance M opportunities. So a row that the whole recording does not hear pays for
    them: its odds are divided by M, and it stays if it is still more likely than not.

    Args:
        strategy: what to ask.
        decomposer: takes recordings apart.
    """

    def __init__(self, strategy: Strategy, decomposer: Decomposer) -> None:
        self.strategy, self.decomposer = strategy, decomposer

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """One query for each sample; whole recordings and components are asked about in one batch."""
        apart = self.decomposer.decompose([sample.audio for sample in samples])  # 1. components
        asked = [
            replace(sample, audio=clip)
            for sample, components in zip(samples, apart, strict=True)
            for clip in (sample.audio, *(component.clip for component in components))
        ]
        answers = self.strategy.query(asked)  # 2. what to look for: the whole first, then each component
        if len(answers) != len(asked):
            raise ContractError(f"query: {len(answers)} answers for {len(asked)} samples; a query for each.")
        ends = np.cumsum([1 + len(components) for components in apart], dtype=int)
        return [  # 3. each phrase once
            merge(answers[end - len(components) - 1], answers[end - len(components) : end], components)
            for components, end in zip(apart, ends, strict=True)
        ]


def merge(whole: Query, heard: Sequence[Query], components: Sequence[Component]) -> Query:
    """One query from that of a recording and those of its components.

    Args:
        whole: what the recording as a whole asks for.
        heard: what each component asks for.
        components: M of them; without any, the answer is ``whole``.

    Returns:
        The rows of the whole in their order, then what only components hear, heaviest first; always with times where
        there are components.

    Raises:
        ContractError: the queries' embeddings or priors cannot stand beside each other.
    """
    if not components:
        return whole
    rows: dict[str, list[tuple[int, int]]] = {}  # phrase to (component, row of its query)
    for number, query in enumerate(heard):
        for row, phrase in enumerate(query.phrases):
            rows.setdefault(phrase, []).append((number, row))
    paid = {phrase: max(_paid(heard[m].weights[row], len(heard)) for m, row in at) for phrase, at in rows.items()}
    news = [phrase for phrase in rows if phrase not in whole.phrases and paid[phrase] > 0.5]
    weights = dict(zip(whole.phrases, map(float, whole.weights), strict=True))
    weights = {phrase: max(weight, paid.get(phrase, 0.0)) for phrase, weight in weights.items()}
    weights |= {phrase: paid[phrase] for phrase in sorted(news, key=lambda phrase: -paid[phrase])}

    best: list[Query] = []  # of one row each
    times = []
    for phrase in weights:
        at = sorted(rows.get(phrase, []), key=lambda place: -heard[place[0]].weights[place[1]])
        best.append(heard[at[0][0]].rows([at[0][1]]) if at else whole.rows([whole.phrases.index(phrase)]))
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
        notes=_notes(whole, heard),
        seconds=dict(sum((Counter(query.seconds) for query in (whole, *heard)), Counter())),
    )


def _notes(whole: Query, heard: Sequence[Query]) -> dict[str, Any]:
    """The notes on the whole, and under "components" those on each component, where there are any."""
    of_components = [dict(query.notes) for query in heard]
    return {**whole.notes, **({"components": of_components} if any(of_components) else {})}


def _paid(weight: float, looks: int) -> float:
    """A probability with its odds divided by the number of looks it took."""
    return float(weight) / (float(weight) + looks * (1.0 - float(weight)))


def _rows(rows: Sequence[Query], name: str) -> tuple[NDArray[np.float32] | None, str | None]:
    """The embeddings or meanings of queries of one row each, (K, D), and their space; None where there are none."""
    spaces = {row.space for row in rows}
    if len(spaces) > 1:
        raise ContractError(f"a strategy's queries have embeddings of several spaces, {spaces}, and cannot be merged.")
    given = [getattr(row, name) for row in rows if getattr(row, name) is not None]
    return (np.concatenate(given), spaces.pop()) if given else (None, None)


def _priors(rows: Sequence[Query]) -> NDArray[np.float32] | None:
    """The priors of queries of one row each, (K, h, w); a row without one has nothing against any place."""
    given = [None if row.prior is None else row.prior.reshape(row.prior.shape[-2:]) for row in rows]
    shapes = {prior.shape for prior in given if prior is not None}
    if len(shapes) > 1:
        raise ContractError(f"a strategy's priors for one image have several shapes, {shapes}, and cannot be merged.")
    if not shapes:
        return None
    free = np.ones(shapes.pop(), np.float32)
    return np.stack([free if prior is None else prior for prior in given])
