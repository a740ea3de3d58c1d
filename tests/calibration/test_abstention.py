"""What is heard at all: phrases above both thresholds, and an empty query where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsavs.calibration.abstention import evidence_to_query


def query(z: Sequence[float], **settings: Any) -> Any:
    names = [f"p{number}" for number in range(len(z))]
    return evidence_to_query(names, np.array(z, np.float32), **({"top_k": 3, "min_z": 2.0, "max_gap": 2.0} | settings))


def test_evidence_is_absolute_and_relative() -> None:
    found = query([5.0, 1.9, 2.9, 3.1, 4.0])
    assert found.phrases == ("p0", "p4", "p3")
    assert found.weights == pytest.approx([1 / (1 + np.exp(-3)), 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-1.1))])


def test_a_score_at_the_threshold_is_not_above_it() -> None:
    assert query([2.0]).phrases == ()
    assert query([np.nextafter(np.float32(2), np.float32(3))]).phrases == ("p0",)


def test_equal_scores_keep_the_order_of_the_phrases() -> None:
    assert query([3.0, 4.0, 3.0, 4.0], top_k=4).phrases == ("p1", "p3", "p0", "p2")


def test_what_top_k_leaves_out_is_noted() -> None:
    assert query([5.0, 4.5, 1.0, 4.0, 4.2], top_k=2).notes == {
        "top_k": {"kept": 2, "left_out": 2, "next": ["p4", "p3"]}
    }
    assert query([5.0, 4.5, 1.0], top_k=2).notes == {}
    assert query(range(3, 100), top_k=3, max_gap=1000.0).notes["top_k"]["left_out"] == 94
    assert len(query(range(3, 100), top_k=3, max_gap=1000.0).notes["top_k"]["next"]) == 10


@pytest.mark.parametrize("z", [[], [-np.inf] * 3, [np.nan] * 3, [-1e30, -np.inf], [0.0, 1.0, 2.0]])
def test_no_evidence_is_an_empty_query(z: list[float]) -> None:
    with np.errstate(all="raise"):
        assert len(query(z)) == 0


@given(
    st.lists(st.floats(-(2.0**99), 2.0**99, width=32) | st.just(-np.inf), max_size=12),
    st.integers(0, 5),
    st.floats(-3, 3),
    st.floats(0, 5),
)
def test_a_query_never_breaks_its_promises(z: list[float], top_k: int, min_z: float, max_gap: float) -> None:
    found = query(z, top_k=top_k, min_z=min_z, max_gap=max_gap)
    assert len(found) <= top_k
    assert ((found.weights >= 0.5) & (found.weights <= 1)).all()
    assert (np.diff(found.weights) <= 0).all(), "heaviest first"
    kept = [z[int(name[1:])] for name in found.phrases]
    assert all(score > min_z and score >= np.float32(max(z)) - max_gap - 1e-3 for score in kept)
    if top_k and max(z, default=-np.inf) > min_z + 1e-3:
        assert max(z) in kept
