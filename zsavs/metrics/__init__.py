"""Metrics, with numpy and nothing else: pure functions, their streaming twins, and the suites of each benchmark."""

from zsavs.metrics import functional, streaming, suites

__all__ = ["functional", "streaming", "suites"]
