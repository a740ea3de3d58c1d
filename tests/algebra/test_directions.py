"""What all texts of a space share, estimated from some of them."""

from __future__ import annotations

import numpy as np
import pytest

from zsavs.algebra.directions import common_part


@pytest.mark.parametrize("count", [2, 3, 10, 200])
def test_the_common_part_is_found_from_few_texts_as_from_many(count: int) -> None:
    """Texts that share a direction, each with an axis of its own besides: the mean alone would add a share of those."""
    shared, own = np.zeros(300), np.eye(300)[1 : count + 1]
    shared[0] = 1.0
    text = 0.8 * shared + 0.6 * own
    found = common_part(text)
    assert found @ shared == pytest.approx(0.8, abs=0.8 * 0.36 / (count * 0.64))
    # Less the common part, two different texts have nothing to do with each other; less the mean they are opposed.
    apart = text - found
    assert abs(apart[0] @ apart[1]) < 0.36 / count


def test_texts_without_anything_in_common_share_nothing() -> None:
    assert np.allclose(common_part(np.eye(6)), 0, atol=1e-12)
    assert np.allclose(common_part(np.array([[1.0, 0.0], [-1.0, 0.0]])), 0)
    assert np.array_equal(common_part(np.array([[0.6, 0.8]])), [0, 0]), "of one text nobody can tell"
