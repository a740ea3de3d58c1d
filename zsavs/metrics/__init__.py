"""Metrics, with numpy and nothing else: pure functions, their streaming twins, and the suites of each benchmark.

- :mod:`~zsavs.metrics.functional`: metrics as pure functions.
- :mod:`~zsavs.metrics.streaming`: the same for sets that do not fit in memory.
- :mod:`~zsavs.metrics.suites`: the suites of the benchmarks, by name.
- :mod:`~zsavs.metrics.suite`: what every suite can do.
- :mod:`~zsavs.metrics.binary_suites`: suites of score maps against masks.
- :mod:`~zsavs.metrics.label_suites`: suites of label maps.
- :mod:`~zsavs.metrics.semantic`: metrics of label maps.
- :mod:`~zsavs.metrics.threshold_curves`: precision, recall and F at each of 255 thresholds.
- :mod:`~zsavs.metrics.exact`: sums that do not depend on the order.
- :mod:`~zsavs.metrics.arrays`: what the metrics accept.
"""

from zsavs.metrics import functional, streaming, suites

__all__ = ["functional", "streaming", "suites"]
