"""The checks of grounders, verifiers and segmenters pass for what keeps its contract, and name what breaks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from zsavs import testing
from zsavs.errors import ContractError
from zsavs.grounding.full_frame import FullFrame
from zsavs.testing import toy
from zsavs.types import AVSample, Proposals, Query
from zsavs.verification.clip_rescoring import ClipVerifier
from zsavs.verification.selection import TrustGrounder

COLOURS = tuple(toy.COLOURS)


@pytest.mark.parametrize("grounder", [toy.ToyGrounder(), FullFrame()])
def test_grounders(grounder: Any) -> None:
    testing.check_grounder(grounder)


@pytest.mark.parametrize("verifier", [TrustGrounder(), ClipVerifier(toy.ToyImageText(), COLOURS, silent=())])
def test_verifiers(verifier: Any) -> None:
    testing.check_verifier(verifier)


def test_example_samples_are_what_the_checks_need() -> None:
    samples = testing.example_samples()
    assert len({sample.size_hw for sample in samples}) > 1, "two sizes, as a batch may have"
    assert np.array_equal(samples[0].image, samples[1].image)
    assert not np.array_equal(samples[0].audio.waveform, samples[1].audio.waveform)
    proposals = testing.example_proposals(samples)
    assert {0, 2} <= {len(found) for found in proposals}
    for sample, found in zip(samples, proposals, strict=True):
        assert (found.boxes_xyxy >= 0).all()
        assert (found.boxes_xyxy <= np.array(sample.size_hw[::-1] * 2)).all()


def test_toy_segmenter_and_captioner() -> None:
    testing.check_segmenter(toy.ToySegmenter())
    testing.check_captioner(toy.ToyCaptioner())


# --------------------------------------------------------------------------------- grounders
class Grounder(toy.ToyGrounder):
    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        found = super().ground(samples, queries)
        return [self.one(p, s, q) for p, s, q in zip(found, samples, queries, strict=True)]

    def one(self, found: Proposals, sample: AVSample, asked: Query) -> Proposals:
        return found


class OutsideTheImage(Grounder):
    def one(self, found: Proposals, sample: AVSample, asked: Query) -> Proposals:
        return replace(found, boxes_xyxy=found.boxes_xyxy + np.float32(40))


class LeftOfTheImage(Grounder):
    def one(self, found: Proposals, sample: AVSample, asked: Query) -> Proposals:
        return replace(found, boxes_xyxy=found.boxes_xyxy - np.array([100, 0, 0, 0], np.float32))


class WrongRow(Grounder):
    def one(self, found: Proposals, sample: AVSample, asked: Query) -> Proposals:
        return replace(found, sources=found.sources + 1)


class FindsForNothing(Grounder):
    def one(self, found: Proposals, sample: AVSample, asked: Query) -> Proposals:
        return found if len(asked) else Proposals(np.array([[0, 0, 1, 1]]), np.ones(1), np.zeros(1, int))


class LeaksAcrossItems(Grounder):
    """Scores are softened by whoever is in the batch, as through shared padding."""

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        found = super().ground(samples, queries)
        return [replace(p, scores=p.scores / np.float32(1 + 0.01 * len(samples))) for p in found]


class GivesTheNeighboursBoxes(Grounder):
    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        found = super().ground(samples, queries)
        return [found[3], *found[1:]] if len(found) > 3 else found


class GroundsAtRandom(Grounder):
    def one(self, found: Proposals, sample: AVSample, asked: Query) -> Proposals:
        jitter = np.random.default_rng().uniform(0, 5e-4, len(found)).astype(np.float32)
        return replace(found, scores=found.scores - jitter)


class GroundsOneTooFew(Grounder):
    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        return super().ground(samples, queries)[1:]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (OutsideTheImage(), "boxes lie within the image"),
        (LeftOfTheImage(), "boxes lie within the image"),
        (WrongRow(), "every box answers a row of the query"),
        (FindsForNothing(), "an empty query finds nothing"),
        (LeaksAcrossItems(), "a batch equals its samples one by one"),
        (GivesTheNeighboursBoxes(), "a batch equals its samples one by one"),
        (GroundsAtRandom(), "the same call twice gives the same bits"),
        (GroundsOneTooFew(), "ground: one answer for each of 5 samples, got 4"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_broken_grounder_is_found_out(broken: Any, says: str) -> None:
    testing.check_grounder(Grounder())
    with pytest.raises(ContractError, match=says):
        testing.check_grounder(broken)


# --------------------------------------------------------------------------------- verifiers
class InventsRegions(TrustGrounder):
    def verify(self, samples: Any, queries: Any, proposals: Any) -> Any:
        return [
            replace(found, boxes_xyxy=found.boxes_xyxy + np.float32(0.5))
            for found in super().verify(samples, queries, proposals)
        ]


class JudgesByTheBatch(TrustGrounder):
    def verify(self, samples: Any, queries: Any, proposals: Any) -> Any:
        judged = super().verify(samples, queries, proposals)
        return [replace(found, scores=found.scores / np.float32(len(samples))) for found in judged]


class VerifiesOneTooFew(TrustGrounder):
    def verify(self, samples: Any, queries: Any, proposals: Any) -> Any:
        return super().verify(samples, queries, proposals)[1:]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (InventsRegions(), "verify: no new regions"),
        (JudgesByTheBatch(), "verify: a batch equals its samples one by one"),
        (VerifiesOneTooFew(), "verify: one answer for each of 5 samples, got 4"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_broken_verifier_is_found_out(broken: Any, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        testing.check_verifier(broken)


class Reorders(TrustGrounder):
    """A verifier may drop and reorder."""

    def verify(self, samples: Any, queries: Any, proposals: Any) -> Any:
        return [found.rows(range(len(found) - 1, 0, -1)) for found in super().verify(samples, queries, proposals)]


def test_a_verifier_may_drop_and_reorder() -> None:
    testing.check_verifier(Reorders())


# -------------------------------------------------------------------------------- segmenters
@dataclass
class Segmenter:
    """A soft blob in the middle of each box; ``breaks`` names what to do wrong."""

    breaks: str = ""

    def segment(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
        answers = [self.one(s, p, len(samples)) for s, p in zip(samples, proposals, strict=True)]
        return answers[1:] if self.breaks == "count" else answers

    def one(self, sample: AVSample, found: Proposals, count: int) -> NDArray[np.float32]:
        height, width = sample.size_hw
        down, right = np.mgrid[:height, :width]
        maps = np.zeros((len(found), height, width), np.float32)
        for row, (x0, y0, x1, y1) in zip(maps, found.boxes_xyxy, strict=True):
            if self.breaks == "box":
                x0, y0, x1, y1 = 0, 0, width, height
            across, along = (right - (x0 + x1) / 2) / (x1 - x0), (down - (y0 + y1) / 2) / (y1 - y0)
            row[:] = 4 - 16 * (across**2 + along**2)
        if self.breaks == "nan":
            maps[..., 0, 0] = np.nan
        elif self.breaks == "batch":
            maps += 0.05 * count
        elif self.breaks == "random":
            maps += np.random.default_rng().normal(0, 1e-4, maps.shape).astype(np.float32)
        elif self.breaks == "size":
            maps = maps[:, ::2, ::2]
        elif self.breaks == "dtype":
            return maps > 0  # type: ignore[return-value]
        elif self.breaks == "one map":
            maps = maps[:1]
        return maps


def test_the_honest_segmenter_passes() -> None:
    testing.check_segmenter(Segmenter())


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        ("box", "different boxes give different masks"),
        ("nan", "NaN or infinity in mask logits"),
        ("batch", "a batch equals its samples one by one"),
        ("random", "the same call twice gives the same bits"),
        ("size", r"segment: float32 \(2, 60, 80\), got \(2, 30, 40\)"),
        ("dtype", r"segment: float32 \(2, 60, 80\)"),
        ("one map", r"segment: float32 \(2, 60, 80\), got \(1, 60, 80\)"),
        ("count", "segment: one answer for each of 5 samples, got 4"),
    ],
)
def test_a_broken_segmenter_is_found_out(breaks: str, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        testing.check_segmenter(Segmenter(breaks))
