"""Segmenters that give the mask at a point, which some grounders are built around."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zsavs.grounding.checks import check_part
from zsavs.types import AVSample

__all__ = ["PointSegmenter", "check_point_segmenter"]


class PointSegmenter(Protocol):
    """A segmenter that can be asked for the mask at a point, as :class:`zsavs.models.sam2.Sam2Segmenter` can."""

    def segment_points(
        self, samples: Sequence[AVSample], points: Sequence[NDArray[np.float32]], *, full_size: bool
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """For each sample the logits (P, h, w) of its (P, 1, 2) points, of any size, and their predicted IoU (P,)."""
        ...


def check_point_segmenter(what: str, segmenter: Any) -> None:
    """Refuse a segmenter that cannot be asked for the mask at a point.

    Raises:
        ContractError: ``what`` needs one that can.
    """
    check_part(what, "segmenter", segmenter, "segment_points", "; use segmenter='sam2', or another grounder")
