"""A machine without timm, as transformers and zsavs find it."""

from __future__ import annotations

import importlib.util

import pytest

__all__ = ["without_timm"]


def without_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let timm be found neither by zsavs nor by transformers."""
    from transformers.utils import import_utils

    find, found = importlib.util.find_spec, dict(import_utils.BACKENDS_MAPPING)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "timm" else find(name, *rest))
    monkeypatch.setattr(import_utils, "BACKENDS_MAPPING", {**found, "timm": (lambda: False, found["timm"][1])})
