"""Pairs of components, sources and regions: one to one by least cost, or in shares by optimal transport."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["assign", "jensen_shannon", "transport"]


def jensen_shannon(log_p: NDArray[np.floating[Any]], log_q: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Jensen-Shannon divergence of every pair of distributions, in bits (Lin, IEEE Trans. Information Theory 1991).

    Args:
        log_p: (A, L) log probabilities of A distributions over L labels; minus infinity for a label that is ruled out.
        log_q: (B, L) likewise.

    Returns:
        (A, B) in [0, 1]: 0 where both are the same, 1 where they have no label in common.
    """
    p, q = np.exp(log_p)[:, None], np.exp(log_q)[None]
    both = _entropy(0.5 * (p + q)) - 0.5 * (_entropy(p) + _entropy(q))
    divergence: NDArray[np.float64] = np.clip(both, 0.0, 1.0)
    return divergence


def assign(costs: NDArray[np.floating[Any]]) -> list[tuple[int, int]]:
    """The one-to-one pairs of least total cost (Kuhn, "The Hungarian method", 1955), as many as the shorter side has.

    Row by row, the cheapest chain of exchanges makes room for one more (Dijkstra's shortest path on costs that
    prices of rows and columns keep from being negative): cubic in the longer side.

    Args:
        costs: (A, B), finite.

    Returns:
        min(A, B) pairs of a row and a column, by row.
    """
    costs = np.asarray(costs, np.float64)
    rows, columns = costs.shape
    if rows > columns:
        return sorted((row, column) for column, row in assign(costs.T))
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    holder = np.full(columns, -1)  # the row that has each column
    for new in range(rows):
        distance, before = np.full(columns, np.inf), np.full(columns, -1)
        settled = np.zeros(columns, np.bool_)
        row, reached, last = new, 0.0, -1
        while row >= 0:
            through = reached + costs[row] - row_price[row] - column_price
            shorter = ~settled & (through < distance)
            distance[shorter], before[shorter] = through[shorter], last
            last = int(np.where(settled, np.inf, distance).argmin())
            reached, settled[last] = float(distance[last]), True
            row = int(holder[last])
        held = settled & (holder >= 0)
        row_price[new] += reached
        row_price[holder[held]] += reached - distance[held]
        column_price[settled] -= reached - distance[settled]
        while last >= 0:  # each column of the chain goes to the row before it
            step = int(before[last])
            holder[last] = new if step < 0 else holder[step]
            last = step
    return sorted((int(row), column) for column, row in enumerate(holder) if row >= 0)


def transport(gains: NDArray[np.floating[Any]], *, steps: int = 50) -> NDArray[np.float64]:
    """Shares of rows that go to columns by most gain, no column being given more than the evidence says it can hold.

    Entropic optimal transport (Cuturi, "Sinkhorn Distances", NeurIPS 2013) at a temperature of 1, that of log evidence.
    Every row has a mass of 1. The masses of columns are those of the rows' softmax, at least 1 for each but the last,
    so that a column for which no row is the best still gets one.

    Args:
        gains: (R, K) log evidence, finite; the last column is "nothing".
        steps: of alternate scaling of columns and rows.

    Returns:
        (R, K), each row's shares, which add up to 1.
    """
    gains = np.asarray(gains, np.float64)
    gains = np.clip(gains - gains.max(axis=1, keepdims=True), -50.0, 0.0)
    shares: NDArray[np.float64] = np.exp(gains)
    shares /= shares.sum(axis=1, keepdims=True)
    held = shares.sum(axis=0)
    held[:-1] = np.maximum(held[:-1], 1.0)
    held *= len(gains) / held.sum()
    for _ in range(steps):
        shares = shares * (held / shares.sum(axis=0))
        shares /= shares.sum(axis=1, keepdims=True)
    return shares


def _entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., L) to (...), in bits."""
    logs = np.log2(np.where(p > 0, p, 1.0))
    entropy: NDArray[np.float64] = -(p * logs).sum(axis=-1)
    return entropy
