"""Checks that anyone can run on a component, and toy-size parts to run them with.

A check raises :class:`~zsavs.errors.ContractError` with what is wrong, or returns nothing::

    from zsavs.testing import check_strategy
    check_strategy(MyStrategy(audio_text=zsavs.testing.toy.ToyAudioText()))

The default samples are scenes of the toy world (:mod:`zsavs.testing.toy`); a component with real weights is better
checked with samples of its own world. Toy-size models of the real classes with random weights are in
:mod:`zsavs.testing.tiny`.

- :mod:`~zsavs.testing.toy`: a world of humming colours, without weights.
- :mod:`~zsavs.testing.tiny`: toy-size models of the real classes.
- :mod:`~zsavs.testing.rules`: how a check says what is wrong.
- :mod:`~zsavs.testing.pseudo_words`: the check of text towers that read words given as vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ContractError
from zsavs.protocols import (
    AudioCaptioner,
    AudioTagger,
    Captioner,
    Grounder,
    Segmenter,
    Strategy,
    Verifier,
)
from zsavs.testing import toy
from zsavs.testing.pseudo_words import check_pseudo_words
from zsavs.testing.rules import close as _close
from zsavs.testing.rules import require as _require
from zsavs.testing.rules import verb as _verb
from zsavs.types import AudioClip, AVSample, Proposals, Query

__all__ = [
    "check_audio_tagger",
    "check_captioner",
    "check_encoder",
    "check_grounder",
    "check_pseudo_words",
    "check_segmenter",
    "check_strategy",
    "check_verifier",
    "example_proposals",
    "example_samples",
]


def example_samples() -> list[AVSample]:
    """Toy scenes of two sizes: the same image with several sounds, several images with the same sound."""
    small, wide = (60, 80), (50, 120)
    return [
        toy.scene(("red", "blue"), ("red",), size_hw=small)[0],
        toy.scene(("red", "blue"), ("blue",), size_hw=small)[0],
        toy.scene(("red", "blue"), ("green",), size_hw=small)[0],
        toy.scene(("green", "yellow", "purple"), ("green", "purple"), size_hw=wide, seed=1)[0],
        toy.scene(("blue",), ("blue",), size_hw=wide, seed=2)[0],
    ]


def example_proposals(samples: Sequence[AVSample]) -> list[Proposals]:
    """Two boxes for each sample but the second one, which has none: counts differ within the batch."""
    shares = np.array([[0.05, 0.1, 0.45, 0.9], [0.5, 0.2, 0.95, 0.8]], np.float32)
    found = []
    for number, sample in enumerate(samples):
        height, width = sample.size_hw
        boxes = shares * np.array([width, height, width, height], np.float32)
        found.append(
            Proposals.nothing() if number == 1 else Proposals(boxes, np.array([0.8, 0.6], np.float32), np.array([0, 1]))
        )
    return found


# --------------------------------------------------------------------------------- checks
def check_encoder(
    encoder: Any,
    *,
    clips: Sequence[AudioClip] | None = None,
    images: Sequence[NDArray[np.uint8]] | None = None,
    tolerance: float = 1e-5,
) -> None:
    """Check an :class:`AudioTextEncoder`, an :class:`ImageTextEncoder` or both.

    Unit float32 rows in one space, one for each item in order, none for none; the same bits twice; a batch equals its
    items one by one within ``tolerance``; mono equals dual mono exactly; different items and texts differ; a phrase's
    embedding does not depend on its neighbours.

    Raises:
        ContractError: what the encoder does otherwise.
    """
    if not isinstance(getattr(encoder, "space", None), str) or not encoder.space:
        raise ContractError("an encoder names its embedding space in a non-empty string `space`.")
    phrases = ["red", "blue thing", "a dog barking", "piano"]
    sides: list[tuple[str, list[Any]]] = [("encode_text", phrases)]
    samples = example_samples()
    if hasattr(encoder, "encode_audio"):
        sounds = list(clips) if clips is not None else [sample.audio for sample in samples]
        sides.append(("encode_audio", sounds))
    if hasattr(encoder, "encode_image"):
        views = list(images) if images is not None else [sample.image for sample in samples]
        sides.append(("encode_image", views))
    if len(sides) == 1:
        raise ContractError("an encoder has encode_audio, encode_image or both beside encode_text.")
    widths = set()
    for verb, items in sides:
        encode = _verb(encoder, verb)
        rows = encode(items)
        _require(isinstance(rows, np.ndarray) and rows.dtype == np.float32, f"{verb}: answers are float32 arrays.")
        _require(rows.ndim == 2 and len(rows) == len(items), f"{verb}: one row for each of {len(items)} items.")
        _require(bool(np.isfinite(rows).all()), f"{verb}: NaN or infinity in an embedding.")
        _require(bool(np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-4)), f"{verb}: rows have unit length.")
        _require(np.array_equal(rows, encode(items)), f"{verb}: the same call twice gives the same bits.")
        _require(bool((np.ptp(rows, axis=0) > tolerance).any()), f"{verb}: different items have different embeddings.")
        alone = np.concatenate([encode([_fresh(item)]) for item in items])
        _close(rows, alone, tolerance, f"{verb}: a batch equals its items one by one")
        back = encode([_fresh(item) for item in reversed(items)])[::-1]
        _close(rows, back, tolerance, f"{verb}: the order of a batch does not matter")
        none = encode([])
        _require(none.shape == (0, rows.shape[1]), f"{verb}: no items give (0, D), got {none.shape}.")
        widths.add(rows.shape[1])
    _require(len(widths) == 1, f"both sides of a space have the same width, got {sorted(widths)}.")
    if hasattr(encoder, "encode_audio"):
        clip = sides[1][1][0]
        same = np.array_equal(*(_verb(encoder, "encode_audio")([one]) for one in _mono_and_dual(clip)))
        _require(same, "encode_audio: mono and dual mono give the same bits.")


def check_strategy(
    strategy: Strategy,
    samples: Sequence[AVSample] | None = None,
    *,
    tolerance: float = 1e-4,
    silence_is_empty: bool = True,
) -> None:
    """Check a strategy: it hears, it looks at nothing but the image, and the batch does not matter.

    One query for each sample; the same answer twice; a batch equals its samples one by one, in any order, within
    ``tolerance``; another sound with the same image changes the answer somewhere; nothing is read from a sample but
    its image, sound and size (no target, no mask, no answer hidden in its name); mono equals dual mono; digital
    silence finds nothing.

    Args:
        strategy: what to check.
        samples: at least two, with different sounds.
        tolerance: on weights and embeddings.
        silence_is_empty: leave out the silence check, for models with random weights, whose answers mean nothing.

    Raises:
        ContractError: what the strategy does otherwise.
    """
    samples = list(samples) if samples is not None else example_samples()
    ask = _verb(strategy, "query")
    queries = ask(samples)
    _require(
        isinstance(queries, list) and all(isinstance(q, Query) for q in queries), "query: returns a list of Query."
    )
    _require(len(queries) == len(samples), f"query: one for each of {len(samples)} samples, got {len(queries)}.")
    for query, again in zip(queries, ask(samples), strict=True):
        _same_query(query, again, 0.0, "query: the same samples twice give the same answer")
    for sample, query in zip(samples, queries, strict=True):
        last = max((row[-1][1] for row in query.times or () if row), default=0.0)
        _require(last <= sample.audio.duration_s + 1e-6, f"query: nothing sounds after its recording, got {query!r}.")
    for sample, query in zip(samples, queries, strict=True):
        alone = ask([_fresh(sample)])[0]
        _same_query(query, alone, tolerance, "query: a batch equals its samples one by one")
    backwards = ask([_fresh(sample) for sample in reversed(samples)])[::-1]
    for query, back in zip(queries, backwards, strict=True):
        _same_query(query, back, tolerance, "query: the order of a batch does not matter")

    # The sound decides: give the first image every sound of the set.
    answers = ask([replace(samples[0], audio=sample.audio) for sample in samples])
    if all(_difference(answers[0], other) <= tolerance for other in answers[1:]):
        raise ContractError("query: one image with different sounds always gives the same answer; is the sound used?")

    sealed = [_Sealed(sample.image, sample.audio, name="") for sample in samples]
    hidden = ask(sealed)
    for query, blind in zip(queries, hidden, strict=True):
        _same_query(query, blind, tolerance, "query: the answer must not depend on a sample's name")

    pairs = [[replace(s, audio=clip) for clip in _mono_and_dual(s.audio)] for s in samples]
    one, two = ask([mono for mono, _ in pairs]), ask([dual for _, dual in pairs])
    for query, double in zip(one, two, strict=True):
        _same_query(query, double, 0.0, "query: mono equals dual mono")

    silent = [replace(s, audio=AudioClip(np.zeros((1, 16_000), np.float32), 16_000)) for s in samples]
    for query in ask(silent):
        _require(not (silence_is_empty and len(query)), f"query: digital silence finds nothing, got {query!r}.")


def check_grounder(
    grounder: Grounder,
    samples: Sequence[AVSample] | None = None,
    queries: Sequence[Query] | None = None,
    *,
    tolerance: float = 1e-3,
) -> None:
    """Check a grounder: boxes lie in their image and answer a row of their query; the batch does not matter.

    Args:
        grounder: what to check.
        samples, queries: as many of one as of the other.
        tolerance: on boxes in pixels and on scores.

    Raises:
        ContractError: what the grounder does otherwise.
    """
    samples = list(samples) if samples is not None else example_samples()
    if queries is None:
        both = Query(("red", "blue thing"), np.array([0.9, 0.6], np.float32), maps=np.ones((2, 2, 3), np.float32))
        queries = [both if number % 2 == 0 else both.rows([1]) for number in range(len(samples))]
    ground = _verb(grounder, "ground")
    found = ground(samples, queries)
    _require(len(found) == len(samples), f"ground: one answer for each of {len(samples)} samples, got {len(found)}.")
    for sample, query, proposals in zip(samples, queries, found, strict=True):
        height, width = sample.size_hw
        inside = (proposals.boxes_xyxy >= 0) & (proposals.boxes_xyxy <= np.array([width, height, width, height]))
        _require(bool(inside.all()), "ground: boxes lie within the image.")
        _require(bool((proposals.sources < len(query)).all()), "ground: every box answers a row of the query.")
        alone = ground([_fresh(sample)], [query])[0]
        _same_proposals(proposals, alone, tolerance, "ground: a batch equals its samples one by one")
    for proposals, again in zip(found, ground(samples, queries), strict=True):
        _same_proposals(proposals, again, 0.0, "ground: the same call twice gives the same bits")
    nothing = ground(samples, [Query.nothing()] * len(samples))
    _require(all(not len(proposals) for proposals in nothing), "ground: an empty query finds nothing.")


def check_verifier(
    verifier: Verifier,
    samples: Sequence[AVSample] | None = None,
    *,
    tolerance: float = 1e-4,
) -> None:
    """Check a verifier: it judges the regions it is given and invents none; the batch does not matter.

    Raises:
        ContractError: what the verifier does otherwise.
    """
    samples = list(samples) if samples is not None else example_samples()
    queries = [Query(("red", "blue"), np.array([0.9, 0.6], np.float32)) for _ in samples]
    given = example_proposals(samples)
    verify = _verb(verifier, "verify")
    judged = verify(samples, queries, given)
    _require(len(judged) == len(samples), f"verify: one answer for each of {len(samples)} samples, got {len(judged)}.")
    for number, (before, after) in enumerate(zip(given, judged, strict=True)):
        known = {box.tobytes() for box in before.boxes_xyxy}
        _require(all(box.tobytes() in known for box in after.boxes_xyxy), "verify: no new regions.")
        one = verify([_fresh(samples[number])], [queries[number]], [before])[0]
        _same_proposals(after, one, tolerance, "verify: a batch equals its samples one by one")


def check_segmenter(
    segmenter: Segmenter,
    samples: Sequence[AVSample] | None = None,
    proposals: Sequence[Proposals] | None = None,
    *,
    tolerance: float = 1e-3,
) -> None:
    """Check a segmenter: finite logits of the image's size for each box; the box matters, the batch does not.

    Args:
        segmenter: what to check.
        samples, proposals: as many of one as of the other.
        tolerance: on mask probabilities.

    Raises:
        ContractError: what the segmenter does otherwise.
    """
    samples = list(samples) if samples is not None else example_samples()
    proposals = list(proposals) if proposals is not None else example_proposals(samples)
    segment = _verb(segmenter, "segment")
    maps = segment(samples, proposals)
    _require(len(maps) == len(samples), f"segment: one answer for each of {len(samples)} samples, got {len(maps)}.")
    differ = []
    for sample, found, logits in zip(samples, proposals, maps, strict=True):
        shape = (len(found), *sample.size_hw)
        _require(logits.shape == shape and logits.dtype == np.float32, f"segment: float32 {shape}, got {logits.shape}.")
        _require(bool(np.isfinite(logits).all()), "segment: NaN or infinity in mask logits.")
        alone = segment([_fresh(sample)], [found])[0]
        _close(_sigmoid(logits), _sigmoid(alone), tolerance, "segment: a batch equals its samples one by one")
        if len(found) > 1:
            differ.append(not np.allclose(logits[0], logits[1]))
    _require(not differ or any(differ), "segment: different boxes give different masks.")
    for logits, again in zip(maps, segment(samples, proposals), strict=True):
        _require(np.array_equal(logits, again), "segment: the same call twice gives the same bits.")


def check_captioner(captioner: Captioner | AudioCaptioner, items: Sequence[Any] | None = None) -> None:
    """Check a captioner of images, or of clips if ``items`` are clips: a string for each, the same in any batch.

    Raises:
        ContractError: what the captioner does otherwise.
    """
    views: list[Any] = list(items) if items is not None else [sample.image for sample in example_samples()]
    what = "clips" if views and isinstance(views[0], AudioClip) else "pictures"
    caption = _verb(captioner, "caption")
    captions = caption(views)
    _require(len(captions) == len(views), f"caption: one for each of {len(views)} {what}, got {len(captions)}.")
    _require(all(isinstance(caption, str) for caption in captions), "caption: returns strings.")
    alone = [caption([_fresh(view)])[0] for view in views]
    _require(alone == list(captions), f"caption: a batch equals its {what} one by one.")
    _require(caption([]) == [], f"caption: no {what} give no captions.")
    if what == "clips":
        mono, dual = (caption([clip]) for clip in _mono_and_dual(views[0]))
        _require(mono == dual, "caption: mono and dual mono give the same caption.")


def check_audio_tagger(tagger: AudioTagger, clips: Sequence[AudioClip] | None = None, tolerance: float = 1e-4) -> None:
    """Check a sound tagger: each label once, surest first, probabilities in [0, 1]; sounds differ; no batch matters.

    Raises:
        ContractError: what the tagger does otherwise.
    """
    sounds = list(clips) if clips is not None else [sample.audio for sample in example_samples()]
    tag = _verb(tagger, "tag")
    answers = tag(sounds)
    _require(len(answers) == len(sounds), f"tag: one list for each of {len(sounds)} clips, got {len(answers)}.")
    for tags, clip in zip(answers, sounds, strict=True):
        together, alone = dict(tags), dict(tag([_fresh(clip)])[0])
        _require(len(together) == len(tags), "tag: each label once.")
        _require(all(0 <= p <= 1 for p in together.values()), "tag: probabilities lie in [0, 1].")
        _require(all(a >= b for (_, a), (_, b) in pairwise(tags)), "tag: the most probable label comes first.")
        _require(together.keys() == alone.keys(), "tag: the labels do not depend on the batch.")
        p, q = (np.array([side[label] for label in together], np.float64) for side in (together, alone))
        _close(p, q, tolerance, "tag: a batch equals its clips one by one")
    _require(answers == tag(sounds), "tag: the same clips twice give the same bits.")
    _require(any(tags != answers[0] for tags in answers[1:]), "tag: different sounds have different probabilities.")
    mono, dual = (tag([clip]) for clip in _mono_and_dual(sounds[0]))
    _require(mono == dual and tag([]) == [], "tag: mono and dual mono give the same bits, and no clips no tags.")


# -------------------------------------------------------------------------------- helpers
def _mono_and_dual(clip: AudioClip) -> tuple[AudioClip, AudioClip]:
    """A clip's one channel, and the same channel twice."""
    mono = AudioClip(clip.mono()[None], clip.sample_rate_hz)
    return mono, AudioClip(np.repeat(mono.waveform, 2, axis=0), clip.sample_rate_hz)


class _Sealed(AVSample):
    """A sample that reports whoever asks it for anything beyond a sample's own attributes."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ContractError(f"a component asked a sample for {name!r}: it may use the image and the sound only.")


def _fresh(item: Any) -> Any:
    """A copy that no memo knows, so that a single call is computed and not remembered."""
    if isinstance(item, str):
        return item
    if isinstance(item, np.ndarray):
        return item.copy()
    if isinstance(item, AudioClip):
        return AudioClip(item.waveform.copy(), item.sample_rate_hz)
    return AVSample(item.image.copy(), _fresh(item.audio), item.name)


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
    _require(worst <= tolerance, f"{rule} within {tolerance:g}; got {one!r} and {other!r}.")


def _same_proposals(one: Proposals, other: Proposals, tolerance: float, rule: str) -> None:
    _require(len(one) == len(other), f"{rule}; got {len(one)} and {len(other)} regions.")
    for name in ("boxes_xyxy", "scores", "sources", "evidence", "selected"):
        _close(getattr(one, name).astype(np.float64), getattr(other, name).astype(np.float64), tolerance, rule)


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits.astype(np.float64), -60, 60))))
