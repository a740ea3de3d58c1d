"""From tags and their translations to a query: the sources that enough of the wordings name."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zsavs.language.meanings import Meanings
from zsavs.media.activity import Times, unite
from zsavs.protocols import Scene, Translation, Translator
from zsavs.types import Query

__all__ = ["translated_query"]


def translated_query(
    tags: Query,
    seen: str,
    translator: Translator,
    wordings: int,
    min_agreement: float,
    name_of: Callable[[str], str] = str,
) -> Query:
    """What to look for, by what is heard and seen.

    A source has the probability of its tag times the share of the wordings that name it, its tag's times, and the first
    of its names. The notes hold what was heard and seen, what was agreed on and each exchange.

    Args:
        tags: labels that are heard, at least one, with probabilities as weights.
        seen: a caption of the image.
        translator: is asked.
        wordings: how often, each time in the next of its wordings.
        min_agreement: the share of the wordings that have to name a source, in [0, 1].
        name_of: the name to look for, of a phrase.

    Raises:
        ZsavsError: the translator cannot be asked.
    """
    scene = Scene(tuple(zip(tags.phrases, map(float, tags.weights), strict=True)), seen)
    start = time.perf_counter()
    asked = [translator.translate([scene], wording)[0] for wording in range(wordings)]
    seconds = time.perf_counter() - start
    query = _agreed(tags, [_renamed(each, name_of) for each in asked], min_agreement)
    told = {
        "heard": dict(scene.heard),
        "seen": scene.seen,
        **query.notes,
        "tokens": sum(each.notes.get("tokens", 0) for each in asked),
        "asked": [dict(each.notes) for each in asked],
    }
    return replace(query, notes={"translation": told}, seconds={"translation": seconds})


def _renamed(translation: Translation, name_of: Callable[[str], str]) -> Translation:
    return translation._replace(sources=tuple(s._replace(phrase=name_of(s.phrase)) for s in translation.sources))


def _agreed(tags: Query, asked: Sequence[Translation], min_agreement: float) -> Query:
    meanings = Meanings()
    named = [sought.phrase for translation in asked for sought in translation.sources]
    rows: list[tuple[str, float, Times]] = []
    told: list[dict[str, Any]] = []
    for phrase in meanings.distinct(named, looks=True):
        by_wording = [
            [sought for sought in each.sources if len(meanings.distinct([phrase, sought.phrase], looks=True)) == 1]
            for each in asked
        ]
        agreement = sum(map(bool, by_wording)) / len(asked)
        if agreement >= min_agreement:
            every = [sought for each in by_wording for sought in each]
            own = sorted({tags.phrases.index(sought.heard) for sought in every})
            times = unite(span for row in own for span in (tags.times or ((),) * len(tags))[row])
            rows.append((phrase, float(tags.weights[own].max()) * agreement, times))
            first = every[0]
            told.append({"phrase": phrase, "heard": first.heard, "reason": first.reason, "agreement": agreement})
    return Query(
        tuple(phrase for phrase, _, _ in rows),
        np.array([weight for _, weight, _ in rows], np.float32),
        times=tuple(times for _, _, times in rows) if tags.times and rows else None,
        notes={"sources": told},
    )
