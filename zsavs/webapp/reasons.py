"""Why a region was chosen, in sentences: what was heard, what was seen, and how far the next one is behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zsavs.types import when
from zsavs.webapp.answers import ImageAnswer, VideoAnswer

if TYPE_CHECKING:
    from zsavs.webapp.answers import Answer

__all__ = ["Reason", "reason_of"]


class Reason(NamedTuple):
    """Why: a heading, and for each word such as "heard" what is to be said."""

    title: str
    rows: tuple[tuple[str, str], ...]


def reason_of(answer: Answer, key: int) -> Reason | None:
    """Why a region is in the answer; None where it is not."""
    region = next((region for region in answer.regions() if region.key == key), None)
    if region is None:
        return None
    if isinstance(answer, VideoAnswer):
        return _of_track(answer, key, region.label)
    return Reason(f"Why {region.label}?", (_heard(answer, key), _seen(answer, key), _next(answer, key)))


def _heard(answer: ImageAnswer, key: int) -> tuple[str, str]:
    query = answer.looked_at.query
    source = int(answer.looked_at.proposals.sources[key])
    told = f"{query.phrases[source]} {query.weights[source]:.2f}{when(query.times[source] if query.times else ())}. "
    others = sorted(
        ((float(weight), phrase) for row, (weight, phrase) in enumerate(zip(query.weights, query.phrases, strict=True))
         if row != source),
        reverse=True,
    )  # fmt: skip
    if not others:
        return "Heard", f"{told}Nothing else was heard."
    weight, phrase = others[0]
    gap = float(query.weights[source]) - weight
    told += f"{'The next' if gap >= 0 else 'The surest'} sound is {phrase} {weight:.2f}, "
    return "Heard", told + (f"{gap:.2f} behind." if gap >= 0 else f"{-gap:.2f} ahead.")


def _seen(answer: ImageAnswer, key: int) -> tuple[str, str]:
    found = answer.looked_at.proposals
    phrase = answer.looked_at.query.phrases[int(found.sources[key])]
    score, evidence = float(found.scores[key]), float(found.evidence[key])
    if not answer.gives_evidence:
        return "Seen", f"Score {score:.2f}. These models take the detector's word that it is “{phrase}”."
    return "Seen", (
        f"Score {score:.2f}. The evidence that it is “{phrase}” is {evidence:+.1f}: above 0 speaks for it, below 0 "
        "against it."
    )


def _next(answer: ImageAnswer, key: int) -> tuple[str, str]:
    found, selected = answer.looked_at.proposals, set(answer.shown.rows.tolist())
    rivals = np.flatnonzero((found.sources == found.sources[key]) & (np.arange(len(found)) != key))
    phrase = answer.looked_at.query.phrases[int(found.sources[key])]
    if not len(rivals):
        return "Next", f"No other region was considered for {phrase}."
    row = int(rivals[np.argmax(found.scores[rivals])])
    gap = float(found.scores[key] - found.scores[row])
    fate = "marked, too" if row in selected else "not marked"
    place = f"{gap:.2f} behind" if gap >= 0 else f"{-gap:.2f} ahead"
    return "Next", f"Of {len(rivals)} more for {phrase}, the best has score {found.scores[row]:.2f}, {place}: {fate}."


def _of_track(answer: VideoAnswer, key: int, label: str) -> Reason:
    result = answer.result
    track = next(track for track in result.tracks if track.id == key)
    weights = dict(zip(result.queries.phrases, map(float, result.queries.weights), strict=True))
    own = weights.pop(track.phrase, None)
    heard = f"{track.phrase}{'' if own is None else f' {own:.2f}'}{when(track.times)}. "
    if not weights:
        heard += "Nothing else was heard."
    else:
        phrase = max(weights, key=weights.__getitem__)
        heard += f"The surest other sound is {phrase} {weights[phrase]:.2f}."
    frames = f"Followed through {len(track)} of {len(result)} frames; at best it has score {track.scores.max():.2f}."
    others = sorted(float(t.scores.max()) for t in result.tracks if t.id != key and t.phrase == track.phrase)
    rival = (
        f"Another {track.phrase} has score {others[-1]:.2f}." if others else f"No other {track.phrase} was followed."
    )
    return Reason(f"Why {label}?", (("Heard", heard), ("Seen", frames), ("Next", rival)))
