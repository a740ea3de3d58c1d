"""The check of strategies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zsavs.errors import ContractError
from zsavs.protocols import Strategy
from zsavs.testing.requirements import require, verb
from zsavs.testing.samples import example_samples, fresh, mono_and_dual
from zsavs.types import AudioClip, AVSample, Query

__all__ = ["check_strategy"]


def check_strategy(
    strategy: Strategy,
    samples: Sequence[AVSample] | None = None,
    *,
    tolerance: float = 1e-4,
    silence_is_empty: bool = True,
) -> None:
    """Check a strategy: the audio decides, nothing but image and audio is read, and the batch does not matter.

    One query for each sample; the same answer twice; a batch equals its samples one by one, in any order, within
    ``tolerance``; other audio with the same image changes the answer somewhere; nothing is read from a sample but
    its image, audio and size (no target, no mask, no answer hidden in its name); mono equals dual mono; digital
    silence finds nothing.

    Args:
        strategy: what to check.
        samples: at least two, with different audio.
        tolerance: on weights and embeddings.
        silence_is_empty: leave out the silence check, for models with random weights, whose answers mean nothing.

    Raises:
        ContractError: what the strategy does otherwise.
    """
    samples = list(samples) if samples is not None else example_samples()
    ask = verb(strategy, "query")
    queries = ask(samples)
    require(isinstance(queries, list) and all(isinstance(q, Query) for q in queries), "query: returns a list of Query.")
    require(len(queries) == len(samples), f"query: one for each of {len(samples)} samples, got {len(queries)}.")
    for query, again in zip(queries, ask(samples), strict=True):
        _same_query(query, again, 0.0, "query: the same samples twice give the same answer")
    for sample, query in zip(samples, queries, strict=True):
        last = max((row[-1][1] for row in query.times or () if row), default=0.0)
        require(last <= sample.audio.duration_s + 1e-6, f"query: nothing sounds after its clip, got {query!r}.")
    for sample, query in zip(samples, queries, strict=True):
        alone = ask([fresh(sample)])[0]
        _same_query(query, alone, tolerance, "query: a batch equals its samples one by one")
    backwards = ask([fresh(sample) for sample in reversed(samples)])[::-1]
    for query, back in zip(queries, backwards, strict=True):
        _same_query(query, back, tolerance, "query: the order of a batch does not matter")

    # The audio decides: give the first image every clip of the set.
    answers = ask([replace(samples[0], audio=sample.audio) for sample in samples])
    if all(_difference(answers[0], other) <= tolerance for other in answers[1:]):
        raise ContractError("query: one image with different audio always gives the same answer; is the audio used?")

    sealed = [_Sealed(sample.image, sample.audio, name="") for sample in samples]
    hidden = ask(sealed)
    for query, blind in zip(queries, hidden, strict=True):
        _same_query(query, blind, tolerance, "query: the answer must not depend on a sample's name")

    pairs = [[replace(s, audio=clip) for clip in mono_and_dual(s.audio)] for s in samples]
    one, two = ask([mono for mono, _ in pairs]), ask([dual for _, dual in pairs])
    for query, double in zip(one, two, strict=True):
        _same_query(query, double, 0.0, "query: mono equals dual mono")

    silent = [replace(s, audio=AudioClip(np.zeros((1, 16_000), np.float32), 16_000)) for s in samples]
    for query in ask(silent):
        require(not (silence_is_empty and len(query)), f"query: digital silence finds nothing, got {query!r}.")


class _Sealed(AVSample):
    """A sample that reports whoever asks it for anything beyond a sample's own attributes."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ContractError(f"a component asked a sample for {name!r}: it may use the image and the audio only.")


def _difference(one: Query, other: Query) -> float:
    """Largest difference of two queries in numbers of any kind; infinite if they ask for other things."""
    if sorted(one.phrases) != sorted(other.phrases):
        return float("inf")
    a, b = (query.rows(np.argsort(np.array(query.phrases), kind="stable")) for query in (one, other))
    worst = float(np.abs(a.weights - b.weights).max(initial=0))
    for rows, others in ((a.embeddings, b.embeddings), (a.meanings, b.meanings)):
        if (rows is None) != (others is None):
            return float("inf")
        if rows is not None and others is not None:
            worst = max(worst, float(np.abs(rows - others).max(initial=0)))
    if (a.times is None) != (b.times is None) or list(map(len, a.times or ())) != list(map(len, b.times or ())):
        return float("inf")
    for row, same_row in zip(a.times or (), b.times or (), strict=True):
        worst = max(worst, float(np.abs(np.subtract(row, same_row)).max(initial=0)))
    for where, there in ((a.prior, b.prior), (a.maps, b.maps)):
        if (where is None) != (there is None):
            return float("inf")
        if where is not None and there is not None:
            same = where.shape == there.shape
            worst = max(worst, float(np.abs(where - there).max(initial=0))) if same else float("inf")
    return worst


def _same_query(one: Query, other: Query, tolerance: float, rule: str) -> None:
    worst = _difference(one, other)
    require(worst <= tolerance, f"{rule} within {tolerance:g}; got {one!r} and {other!r}.")
