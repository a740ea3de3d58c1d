"""How fast the metrics are, next to the loops of the published code.

Run: ``OMP_NUM_THREADS=1 python benchmarks/metrics_speed.py``. One core, 224 x 224 frames. The naive loop compares the
map with each of the 255 thresholds in turn, as the published code does; the histogram puts every pixel into its bin
once. Both give the same curve, which is checked before anything is timed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from zsavs.metrics import suites
from zsavs.metrics.f_measure_curve import f_curve, thresholds

SIDE = 224
S4_FRAMES = 3_700


def naive_f_curve(scores: NDArray[np.float32], target: NDArray[np.bool_]) -> NDArray[np.float64]:
    """F at 255 thresholds, one pass over the frame for each, in float32 as the published code; beta squared 0.3."""
    actual = target.astype(np.float32)
    curve = []
    for threshold in thresholds():
        predicted = (scores >= threshold).astype(np.float32)
        hits = float((predicted * actual).sum())
        curve.append(1.3 * hits / (0.3 * float(actual.sum()) + float(predicted.sum())))
    return np.array(curve)


def naive_semantic(labels: NDArray[np.int64], target: NDArray[np.int64]) -> list[float]:
    """IoU of 71 classes, three passes over the frame for each."""
    ious = []
    for c in range(71):
        predicted, actual = labels == c, target == c
        union = np.count_nonzero(predicted | actual)
        ious.append(np.count_nonzero(predicted & actual) / union if union else 0.0)
    return ious


def milliseconds(function: Callable[[], object], seconds: float = 1.0) -> float:
    """Median time of a call, repeated for about ``seconds``."""
    function()
    times: list[float] = []
    while sum(times) < seconds or len(times) < 3:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    scores = rng.random((SIDE, SIDE), np.float32)
    scores8 = (np.floor(scores * 255) / 255).astype(np.float32)
    target = np.zeros((SIDE, SIDE), bool)
    target[60:160, 40:180] = True
    labels, classes = rng.integers(0, 71, (SIDE, SIDE)), np.where(target, 38, 0)
    assert np.allclose(naive_f_curve(scores, target), f_curve(scores, target), rtol=0, atol=1e-12)

    def fed(name: str, *inputs: object, **options: object) -> Callable[[], None]:
        suite = suites.get(name)
        return lambda: suite.update(*inputs, **options)

    naive_f = milliseconds(lambda: naive_f_curve(scores, target))
    naive_c = milliseconds(lambda: naive_semantic(labels, classes))
    rows = [
        ("F at 255 thresholds, float map", milliseconds(lambda: f_curve(scores, target)), naive_f),
        ("F at 255 thresholds, 8-bit map", milliseconds(lambda: f_curve(scores8, target)), naive_f),
        ("suite avsbench, all its numbers", milliseconds(fed("avsbench", scores, target)), naive_f),
        ("suite robust", milliseconds(fed("robust", scores, target, condition="positive")), naive_f),
        ("suite baav", milliseconds(fed("baav", scores, target)), None),
        ("suite ssl", milliseconds(fed("ssl", scores, target, names="a_b_1_a")), None),
        ("suite avss, 71 classes", milliseconds(fed("avss", labels, classes)), naive_c),
        ("suite cavp, 22 classes", milliseconds(fed("cavp", labels % 22, classes % 22)), None),
    ]
    print(f"{'one frame of 224 x 224':<34}{'ms':>8}{'naive ms':>10}{'ratio':>8}")
    for what, mine, naive in rows:
        loop = f"{naive:>10.2f}{naive / mine:>7.0f}x" if naive else f"{'-':>10}{'-':>8}"
        print(f"{what:<34}{mine:>8.2f}{loop}")

    maps = rng.random((100, SIDE, SIDE), np.float32)
    suite = suites.get("avsbench")
    start = time.perf_counter()
    for index in range(S4_FRAMES):
        suite.update(maps[index % len(maps)], target)
    numbers = suite.compute()
    seconds = time.perf_counter() - start
    print(f"\nS4 test set, {numbers['n_frames']:.0f} frames, suite avsbench: {seconds:.1f} s")
    print(f"naive loop alone, extrapolated: {naive_f * S4_FRAMES / 1e3:.0f} s")


if __name__ == "__main__":
    main()
