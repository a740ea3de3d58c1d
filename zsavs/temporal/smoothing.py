"""Temporal smoothing: the evidence of a frame, averaged with that of the frames around it.

A source goes on sounding, and keeps its label; for a second it can be quiet, or masked by another sound. So the
evidence of each frame is averaged with that of its neighbours, nearer ones weighing more, before it is decided what is
heard. Frames of another video never count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.calibration.abstention import evidence_to_query
from zsavs.errors import InputError
from zsavs.types import Query, Times

__all__ = ["Smoother"]

#: A frame that weighs less than this share of the frame itself is left out.
_LEAST = 0.01


class Smoother:
    """A frame's query, smoothed over those of the frames around it.

    A frame d frames away weighs ``smooth ** d`` times as much as the frame itself; the weights are scaled to add up to
    1 over the frames that there are. Where queries carry the evidence that they were chosen from, its mean is taken
    phrase by phrase, and the query is chosen from that by the strategy's own thresholds; a phrase that was not
    considered in a frame, or was ruled out, counts as usual there (0). Where they do not, frames vote: a phrase that
    most of them have stays, with the mean of its weights.

    A phrase's embedding is the mean of those that it has, unit length again, and so is its meaning; a row without any
    is left out where others have one. Priors, maps, times, notes and seconds stay the frame's own, as they are about
    its image, its audio clip, and what the strategy did for it.

    Args:
        smooth: in [0, 1); 0 leaves every query as it is.

    Attributes:
        reach: frames on either side that count.

    Raises:
        InputError: out of range.
    """

    def __init__(self, smooth: float) -> None:
        try:
            in_range = 0 <= smooth < 1
        except TypeError:
            in_range = False
        if not in_range:
            raise InputError(f"smooth must be at least 0 and below 1, got {smooth!r}; 0 is off.")
        self.smooth = float(smooth)
        self.reach = math.floor(math.log(_LEAST) / math.log(smooth)) if smooth else 0

    def __call__(self, frame: int, queries: Mapping[int, Query]) -> Query:
        """The query of one frame.

        Args:
            frame: its number.
            queries: of the frames of its video, by their numbers, itself among them; those out of reach do not count,
                and there may be gaps.
        """
        own = queries[frame]
        near = [number for number in sorted(queries) if abs(number - frame) <= self.reach]
        if near == [frame]:
            return own
        counts = np.array([self.smooth ** abs(number - frame) for number in near])
        counts /= counts.sum()
        # The frame's own phrases come first, so that equal scores keep its order.
        around = [own, *(queries[number] for number in near if number != frame)]
        place = near.index(frame)
        shares = np.concatenate([counts[place : place + 1], np.delete(counts, place)])
        chosen = _vote(around, shares) if all(query.evidence is None for query in around) else _mean(around, shares)
        # The frame's own prior; of priors for rows, which may be others now, what any of them leaves open.
        prior = own.prior.max(axis=0) if own.prior is not None and own.prior.ndim == 3 else own.prior
        kept = _embedded(chosen, around, shares)
        return replace(
            kept, prior=prior, maps=_maps(around, kept), times=_times(own, kept), notes=own.notes, seconds=own.seconds
        )


def _times(own: Query, chosen: Query) -> tuple[Times, ...] | None:
    """The frame's own times, for the rows that it has; of others they are not known."""
    if own.times is None:
        return None
    of_phrase = dict(zip(own.phrases, own.times, strict=True))
    return tuple(of_phrase.get(phrase, ()) for phrase in chosen.phrases)


def _maps(queries: list[Query], chosen: Query) -> NDArray[np.float32] | None:
    """The first frame's own maps, for the rows that it has; those of rows of other frames are 0 everywhere."""
    shapes = [query.maps.shape[1:] for query in queries if query.maps is not None]
    if not shapes or not len(chosen):
        return None
    own = queries[0]
    of_phrase = {} if own.maps is None else dict(zip(own.phrases, own.maps, strict=True))
    nowhere = np.zeros(shapes[0], np.float32)
    return np.stack([of_phrase.get(phrase, nowhere) for phrase in chosen.phrases])


def _mean(queries: list[Query], shares: NDArray[np.float64]) -> Query:
    """The query that is chosen from mean evidence."""
    known = [query.evidence for query in queries]
    phrases = list(dict.fromkeys(phrase for each in known if each is not None for phrase in each.phrases))
    places = {phrase: place for place, phrase in enumerate(phrases)}
    z, considered = np.zeros(len(phrases)), np.zeros(len(phrases), np.bool_)
    for each, share in zip(known, shares, strict=True):
        if each is not None and each.phrases:
            at = np.array([places[phrase] for phrase in each.phrases])
            finite = np.isfinite(each.z)
            z[at[finite]] += share * each.z[finite]
            considered[at[finite]] = True
    z[~considered] = -np.inf
    rule = next(each for each in known if each is not None)
    return evidence_to_query(phrases, z.astype(np.float32), top_k=rule.top_k, min_z=rule.min_z, max_gap=rule.max_gap)


def _vote(queries: list[Query], shares: NDArray[np.float64]) -> Query:
    """The phrases that most frames have, with the mean of their weights."""
    votes: dict[str, float] = {}
    weights: dict[str, float] = {}
    for query, share in zip(queries, shares, strict=True):
        for phrase, weight in zip(query.phrases, query.weights, strict=True):
            votes[phrase] = votes.get(phrase, 0.0) + share
            weights[phrase] = weights.get(phrase, 0.0) + share * float(weight)
    kept = [phrase for phrase, share in votes.items() if share > 0.5]
    means = np.array([min(1.0, weights[phrase] / votes[phrase]) for phrase in kept], np.float32)
    return Query(tuple(kept), means).top(max(map(len, queries)))


def _embedded(chosen: Query, queries: list[Query], shares: NDArray[np.float64]) -> Query:
    """The query with mean embeddings and meanings, where the frames' queries have any."""
    space = next((query.space for query in queries if query.space is not None), None)
    if space is None:
        return chosen
    means = {name: _means(name, queries, shares) for name in ("embeddings", "meanings")}
    given: dict[str, Any] = {name: rows for name, rows in means.items() if rows}
    whole = [phrase for phrase in chosen.phrases if given and all(phrase in rows for rows in given.values())]
    kept = chosen.rows([chosen.phrases.index(phrase) for phrase in whole])
    if not len(kept):
        return kept
    stacked: dict[str, Any] = {name: np.stack([rows[phrase] for phrase in whole]) for name, rows in given.items()}
    return replace(kept, space=space, **stacked)


def _means(name: str, queries: list[Query], shares: NDArray[np.float64]) -> dict[str, NDArray[np.float32]]:
    """By phrase, the mean of its embeddings or meanings, of unit length."""
    sums: dict[str, NDArray[Any]] = {}
    for query, share in zip(queries, shares, strict=True):
        rows = getattr(query, name)
        for phrase, row, weight in zip(query.phrases, () if rows is None else rows, query.weights, strict=False):
            sums[phrase] = sums.get(phrase, 0.0) + share * float(weight) * row.astype(np.float64)
    return {phrase: (row / max(float(np.linalg.norm(row)), 1e-12)).astype(np.float32) for phrase, row in sums.items()}
