"""Optimal transport of regions to sources."""

from __future__ import annotations

import numpy as np

from zsavs.algebra.assignment import transport


def test_rows_are_given_away_whole() -> None:
    shares = transport(np.random.default_rng(0).normal(0, 3, (7, 4)))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares >= 0).all()


def test_a_column_may_have_several_rows() -> None:
    """Two regions of the same source; the third is of none."""
    shares = transport(np.array([[5.0, -3.0, 0.0], [5.0, -3.0, 0.0], [-5.0, -3.0, 0.0]]))
    assert shares.argmax(axis=1)[:2].tolist() == [0, 0]


def test_what_two_columns_want_goes_to_the_one_with_nothing_else() -> None:
    """By each row alone both would go to the first column."""
    gains = np.array([[2.0, 1.8, 0.0], [2.0, -9.0, 0.0]])
    assert gains.argmax(axis=1).tolist() == [0, 0]
    assert transport(gains).argmax(axis=1).tolist() == [1, 0]
