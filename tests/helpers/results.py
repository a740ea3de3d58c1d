"""Comparing results."""

from __future__ import annotations

from zsavs import AVSResult


def same_bits(one: AVSResult, other: AVSResult) -> bool:
    """Everything but the clock."""
    return (
        all(
            getattr(one, name).tobytes() == getattr(other, name).tobytes()
            for name in ("masks", "boxes_xyxy", "scores", "score_map")
        )
        and one.masks.shape == other.masks.shape
        and one.phrases == other.phrases
        and one.queries.phrases == other.queries.phrases
        and one.queries.weights.tobytes() == other.queries.weights.tobytes()
        and one.meta == other.meta
    )
