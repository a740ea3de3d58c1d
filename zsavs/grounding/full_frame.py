"""The whole image as every phrase's box: no grounding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zsavs.types import AVSample, Proposals, Query

__all__ = ["FullFrame"]


class FullFrame:
    """One box as large as the image for each phrase: for segmenters that need none, and as a control."""

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """A whole-image box of score 1 for each row of each query."""
        return [
            Proposals(
                np.tile(np.array([0, 0, *sample.size_hw[::-1]], np.float32), (len(query), 1)),
                np.ones(len(query), np.float32),
                np.arange(len(query)),
            )
            for sample, query in zip(samples, queries, strict=True)
        ]
