"""The pipelines of the page, each built once, and the presets that are on this machine."""

from __future__ import annotations

import inspect
import math
import threading
from collections import OrderedDict
from typing import Any

from zsavs.build import build_pipeline
from zsavs.build.availability import mb_to_fetch, missing_weights, strategies_of
from zsavs.pipeline import Pipeline
from zsavs.presets import FOR_OWN_FILES, PRESETS, find_preset
from zsavs.registry import find_component
from zsavs.storage.weights import format_mb

__all__ = ["Models", "own_threshold"]

#: Pipelines that are kept; those of one preset share their models.
_MOST = 24
#: How much quieter a sound may be where fainter ones are looked for: in standard deviations, and as a share.
_FAINTER_Z, _FAINTER_SHARE = 1.5, 0.4
_MOST_SOURCES = 8


class Models:
    """The pipelines by preset and strategy. One is built when it is first asked for, by one thread at a time.

    Args:
        device: where they run.
        first: the preset to offer first, whether it is here or not; the best for a user's own files if left out.

    Raises:
        UnknownName: there is no such preset.
    """

    def __init__(self, device: str = "auto", first: str | None = None) -> None:
        self.device = device
        if first is not None:
            find_preset(first)
        self._first = first
        self._built: OrderedDict[tuple[str, str, bool], Pipeline] = OrderedDict()
        self._lock = threading.Lock()

    def presets(self) -> list[str]:
        """The presets whose weights are on this machine, the one to begin with first."""
        order = [*FOR_OWN_FILES, *(name for name in PRESETS if name not in FOR_OWN_FILES and name != "toy")]
        here = [name for name in order if not missing_weights(name, self.device)]
        return list(dict.fromkeys([self._first, *here])) if self._first else here

    def strategies(self, preset: str) -> list[str]:
        """The strategies that a preset has all parts for, its own first."""
        own = find_preset(preset).strategy
        return sorted(strategies_of(preset), key=lambda name: (name != own, name))

    def offer(self) -> str:
        """The command that fetches models for a user's own photographs; "" where some are here."""
        if self._first or any(name in FOR_OWN_FILES for name in self.presets()):
            return ""
        size = format_mb(sum(map(mb_to_fetch, missing_weights("pocket", self.device))))
        return f"zsavs download pocket ({size} MB)"

    def pipeline(self, preset: str, strategy: str, fainter: bool = False) -> Pipeline:
        """The pipeline of a strategy.

        Args:
            preset, strategy: names.
            fainter: look for more sources than the strategy is sure of, by its settings; see :func:`own_threshold`.

        Raises:
            as :func:`zsavs.build_pipeline`.
        """
        key = preset, strategy, fainter
        with self._lock:
            if key not in self._built:
                settings = _fainter(strategy, preset) if fainter else {}
                self._built[key] = build_pipeline(strategy, preset, device=self.device, **settings)
                while len(self._built) > _MOST:
                    self._built.popitem(last=False)
            self._built.move_to_end(key)
            return self._built[key]


def own_threshold(strategy: str, preset: str, fainter: bool) -> float:
    """The weight from which a source is kept where no fainter ones are looked for, in [0, 1]."""
    own = _own_settings(strategy, preset)
    if not fainter:
        return 0.0
    if "min_z" in own:  # a weight is the sigmoid of what the evidence has beyond min_z
        return round(1 / (1 + math.exp(-_FAINTER_Z)), 2)
    return float(own.get("min_probability", 0.0))


def _own_settings(strategy: str, preset: str) -> dict[str, Any]:
    """The settings of a strategy as a preset has them."""
    parameters = inspect.signature(find_component("strategy", strategy)).parameters
    own = find_preset(preset).settings_of(strategy)
    return {name: own.get(name, known.default) for name, known in parameters.items()}


def _fainter(strategy: str, preset: str) -> dict[str, Any]:
    """Settings of a strategy with which it keeps more sources."""
    own = _own_settings(strategy, preset)
    changed: dict[str, Any] = {}
    if "min_z" in own:
        changed["min_z"] = own["min_z"] - _FAINTER_Z
    if "max_gap" in own:
        changed["max_gap"] = own["max_gap"] + _FAINTER_Z
    if "min_probability" in own:
        changed["min_probability"] = own["min_probability"] * _FAINTER_SHARE
    if "min_share" in own:
        changed["min_share"] = own["min_share"] * _FAINTER_SHARE
    if "top_k" in own:
        changed["top_k"] = max(own["top_k"], _MOST_SOURCES)
    return changed
