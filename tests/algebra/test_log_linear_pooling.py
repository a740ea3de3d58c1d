"""The softmax that score lists are pooled with."""

from __future__ import annotations

import numpy as np
import pytest

from zsavs.algebra.log_linear_pooling import log_softmax


def test_log_softmax() -> None:
    z = np.array([[1.0, 2.0, 3.0], [1000.0, 0.0, -1000.0]])
    log_p = log_softmax(z, 0.5)
    assert log_p.dtype == np.float64
    assert np.exp(log_p).sum(axis=1) == pytest.approx(np.ones(2))
    assert np.exp(log_p[0]) == pytest.approx(np.exp([2, 4, 6]) / np.exp([2, 4, 6]).sum())
    assert log_p[1].tolist() == [0, -2000, -4000], "improbable is not impossible: no -inf"
    assert log_softmax(z + 7, 0.5) == pytest.approx(log_p)
    assert log_softmax(np.zeros((0, 4))).shape == (0, 4)
