"""The checks of grounders, verifiers and segmenters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs.protocols import Grounder, Segmenter, Verifier
from zsavs.testing.requirements import close, require, verb
from zsavs.testing.samples import example_proposals, example_samples, fresh
from zsavs.types import AVSample, Proposals, Query

__all__ = ["check_grounder", "check_segmenter", "check_verifier"]


def check_grounder(
    grounder: Grounder,
    samples: Sequence[AVSample] | None = None,
    queries: Sequence[Query] | None = None,
    *,
    tolerance: float = 1e-3,
) -> None:
    """Check a grounder: boxes lie in their image and answer a row of their query; the batch does not matter.

    Nor does it for masks, where it gives any.

    Args:
        grounder: what to check.
        samples, queries: as many of one as of the other.
        tolerance: on boxes in pixels, on scores, and on the share of a mask's pixels.

    Raises:
        ContractError: what the grounder does otherwise.
    """
    samples = list(samples) if samples is not None else example_samples()
    if queries is None:
        both = Query(("red", "blue thing"), np.array([0.9, 0.6], np.float32), maps=np.ones((2, 2, 3), np.float32))
        queries = [both if number % 2 == 0 else both.rows([1]) for number in range(len(samples))]
    ground = verb(grounder, "ground")
    found = ground(samples, queries)
    require(len(found) == len(samples), f"ground: one answer for each of {len(samples)} samples, got {len(found)}.")
    for sample, query, proposals in zip(samples, queries, found, strict=True):
        height, width = sample.size_hw
        inside = (proposals.boxes_xyxy >= 0) & (proposals.boxes_xyxy <= np.array([width, height, width, height]))
        require(bool(inside.all()), "ground: boxes lie within the image.")
        require(bool((proposals.sources < len(query)).all()), "ground: every box answers a row of the query.")
        alone = ground([fresh(sample)], [query])[0]
        _same_proposals(proposals, alone, tolerance, "ground: a batch equals its samples one by one")
    for proposals, again in zip(found, ground(samples, queries), strict=True):
        _same_proposals(proposals, again, 0.0, "ground: the same call twice gives the same bits")
    nothing = ground(samples, [Query.nothing()] * len(samples))
    require(all(not len(proposals) for proposals in nothing), "ground: an empty query finds nothing.")


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
    verify = verb(verifier, "verify")
    judged = verify(samples, queries, given)
    require(len(judged) == len(samples), f"verify: one answer for each of {len(samples)} samples, got {len(judged)}.")
    for number, (before, after) in enumerate(zip(given, judged, strict=True)):
        known = {box.tobytes() for box in before.boxes_xyxy}
        require(all(box.tobytes() in known for box in after.boxes_xyxy), "verify: no new regions.")
        one = verify([fresh(samples[number])], [queries[number]], [before])[0]
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
    segment = verb(segmenter, "segment")
    maps = segment(samples, proposals)
    require(len(maps) == len(samples), f"segment: one answer for each of {len(samples)} samples, got {len(maps)}.")
    differ = []
    for sample, found, logits in zip(samples, proposals, maps, strict=True):
        shape = (len(found), *sample.size_hw)
        require(logits.shape == shape and logits.dtype == np.float32, f"segment: float32 {shape}, got {logits.shape}.")
        require(bool(np.isfinite(logits).all()), "segment: NaN or infinity in mask logits.")
        alone = segment([fresh(sample)], [found])[0]
        close(_sigmoid(logits), _sigmoid(alone), tolerance, "segment: a batch equals its samples one by one")
        if len(found) > 1:
            differ.append(not np.allclose(logits[0], logits[1]))
    require(not differ or any(differ), "segment: different boxes give different masks.")
    for logits, again in zip(maps, segment(samples, proposals), strict=True):
        require(np.array_equal(logits, again), "segment: the same call twice gives the same bits.")


def _same_proposals(one: Proposals, other: Proposals, tolerance: float, rule: str) -> None:
    require(len(one) == len(other), f"{rule}; got {len(one)} and {len(other)} regions.")
    for name in ("boxes_xyxy", "scores", "sources", "evidence", "selected"):
        close(getattr(one, name).astype(np.float64), getattr(other, name).astype(np.float64), tolerance, rule)
    require((one.masks is None) == (other.masks is None), f"{rule}; got masks and none.")
    if one.masks is not None and other.masks is not None:
        require(one.masks.shape == other.masks.shape, f"{rule}; got masks {one.masks.shape} and {other.masks.shape}.")
        differ = float((one.masks != other.masks).mean()) if one.masks.size else 0.0
        require(differ <= tolerance, f"{rule}; masks differ in {differ:.2%} of their pixels.")


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits.astype(np.float64), -60, 60))))
