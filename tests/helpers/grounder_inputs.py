"""Images and queries that the tests of grounders share."""

from __future__ import annotations

import numpy as np

from zsavs.testing import toy
from zsavs.types import AVSample, Query

ONE = Query(("dog",), np.ones(1, np.float32))
TWO = Query(("dog", "piano"), np.array([0.9, 0.6], np.float32))


def sample(height: int = 40, width: int = 50, kind: int = 0) -> AVSample:
    """An image whose first value says what is in it."""
    return AVSample(np.full((height, width, 3), kind, np.uint8), toy.tone("red", seconds=0.1))
