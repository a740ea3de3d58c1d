"""Samples and queries for the tests of detectors and segmenters, and whether two answers are the same."""

from __future__ import annotations

import numpy as np
from adapter_helpers import noise, noise_images

from zsavs import AVSample, Proposals, Query

__all__ = ["assert_same", "query", "sample"]


def sample(height: int, width: int, seed: int = 0) -> AVSample:
    """A noise image with next to no audio."""
    return AVSample(noise_images((height, width), seed=seed)[0], noise(0.01))


def query(*phrases: str) -> Query:
    """A query for phrases of equal weight."""
    return Query(phrases, np.ones(len(phrases), np.float32))


def assert_same(one: Proposals, other: Proposals, pixels: float, scores: float) -> None:
    """The same rows in the same order, to a tolerance for boxes and one for scores."""
    np.testing.assert_array_equal(one.sources, other.sources)
    np.testing.assert_allclose(one.scores, other.scores, atol=scores)
    np.testing.assert_allclose(one.boxes_xyxy, other.boxes_xyxy, atol=pixels)
