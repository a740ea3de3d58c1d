"""Score strategies against the masks of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zsavs.build import build_pipeline
from zsavs.errors import ZsavsError
from zsavs.metrics.functional import f_measure, false_positive_share, jaccard
from zsavs.types import AVSample
from zsavs.version import __version__

__all__ = ["Dataset", "evaluate", "table"]


class Dataset(Protocol):
    """Names of items, and how to read one."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[str]: ...

    def load(self, name: str) -> tuple[AVSample, NDArray[np.bool_]]:
        """The sample, and its (H, W) bool target."""
        ...


def evaluate(
    dataset: Dataset,
    strategies: Sequence[str],
    *,
    preset: str = "base",
    device: str = "auto",
    dtype: str = "auto",
    vocabulary: str | Path | Sequence[str] | None = None,
    limit: int | None = None,
    batch_size: int = 8,
    on_item: Callable[[], Any] = lambda: None,
) -> dict[str, Any]:
    """Run strategies over a data set in one pass and average J and F at the threshold 0.5 over its items.

    An item that cannot be read is recorded and left out for every strategy.

    Args:
        dataset: what to score on.
        strategies: names.
        preset, device, dtype, vocabulary: as for :func:`zsavs.build_pipeline`.
        limit: only the first items.
        batch_size: items that go through the models together.
        on_item: called after each item.

    Returns:
        A report of plain JSON values: settings, number of items, failures, for each strategy the means of ``J``,
        ``F`` (beta squared 0.3), ``false_positive_share`` and ``empty`` (share of empty answers), and every item.
    """
    pipes = {name: build_pipeline(name, preset, device, dtype, vocabulary) for name in strategies}
    items: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    names = iter(islice(dataset, limit))
    while batch := list(islice(names, batch_size)):
        loaded = []
        for name in batch:
            try:
                loaded.append((name, *dataset.load(name)))
            except ZsavsError as error:
                failures.append({"item": name, "error": str(error)})
        answers = {strategy: pipe.batch([sample for _, sample, _ in loaded]) for strategy, pipe in pipes.items()}
        for place, (name, _, target) in enumerate(loaded):
            scores = {strategy: _score(results[place].mask, target) for strategy, results in answers.items()}
            items.append({"item": name, "scores": scores})
        for _ in batch:
            on_item()
    return {
        "zsavs": __version__,
        "protocol": "J and F (beta^2 = 0.3) at the fixed threshold 0.5, at the picture's size, averaged over items",
        "preset": preset,
        "models": {name: pipe.meta["models"] for name, pipe in pipes.items()},
        "items": len(items),
        "failures": failures,
        "strategies": {
            strategy: {
                key: float(np.mean([item["scores"][strategy][key] for item in items])) if items else None
                for key in ("J", "F", "false_positive_share", "empty")
            }
            for strategy in pipes
        },
        "per_item": items,
    }


def _score(mask: NDArray[np.bool_], target: NDArray[np.bool_]) -> dict[str, float]:
    return {
        "J": float(jaccard(mask, target)),
        "F": float(f_measure(mask, target)),
        "false_positive_share": float(false_positive_share(mask, target)),
        "empty": float(not mask.any()),
    }


def table(report: dict[str, Any]) -> str:
    """The report's means as a text table, one strategy a line."""
    lines = [f"{'strategy':<20} {'J':>7} {'F':>7} {'FP share':>9} {'empty':>7}"]
    for name, means in report["strategies"].items():
        if means["J"] is None:
            lines.append(f"{name:<20} no items")
            continue
        lines.append(
            f"{name:<20} {means['J']:7.3f} {means['F']:7.3f} {means['false_positive_share']:9.3f} {means['empty']:7.2f}"
        )
    failed = f", {len(report['failures'])} failed" if report["failures"] else ""
    return "\n".join([*lines, f"{report['items']} items{failed}; {report['protocol']}"])
