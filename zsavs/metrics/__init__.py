"""Metrics, with numpy and nothing else: pure functions, streaming versions of them, and the suites of each benchmark.

- :mod:`~zsavs.metrics.functional`: metrics as pure functions.
- :mod:`~zsavs.metrics.f_measure_curve`: the F-measure at each of 255 thresholds.
- :mod:`~zsavs.metrics.semantic`: metrics of label maps.
- :mod:`~zsavs.metrics.tracking`: metrics of videos: contours, identities, and when sources sound.
- :mod:`~zsavs.metrics.streaming`: the same metrics for sets that do not fit in memory.
- :mod:`~zsavs.metrics.suites`: the suites of the benchmarks, by name.
- :mod:`~zsavs.metrics.base_suite`: the base of every suite.
- :mod:`~zsavs.metrics.binary_suites`: AVSBench-object and AVSBench-Robust.
- :mod:`~zsavs.metrics.localisation_suites`: the BAaV table and sound source localisation.
- :mod:`~zsavs.metrics.label_suites`: AVSBench-semantic, VPO, open vocabulary and TAViS.
- :mod:`~zsavs.metrics.tracking_suite`: whole videos.
- :mod:`~zsavs.metrics.exact_sums`: sums that do not depend on the order.
- :mod:`~zsavs.metrics.input_checks`: checks of the arrays that metrics are given.
"""

from zsavs.metrics import functional, streaming, suites, tracking

__all__ = ["functional", "streaming", "suites", "tracking"]
