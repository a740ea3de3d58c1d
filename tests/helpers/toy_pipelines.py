"""Pipelines of the toy world, on the CPU."""

from __future__ import annotations

from typing import Any

from zsavs.build import build_pipeline


def build(strategy: Any = "fused", **settings: Any) -> Any:
    """A pipeline of the toy world, but for what is given."""
    return build_pipeline(strategy, **({"preset": "toy", "device": "cpu"} | settings))
