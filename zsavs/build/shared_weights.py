"""One copy of a model's weights, however many pipelines of this process name it."""

from __future__ import annotations

import json
import weakref
from collections.abc import Mapping
from typing import Any

__all__ = ["loaded_once"]

#: Components alive in this process, by their class and what they were loaded with.
_alive: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


def loaded_once(cls: Any, settings: Mapping[str, Any]) -> Any:
    """A component loaded from a checkpoint: the one that is alive in this process, or a new one.

    Args:
        cls: the component's class; its ``load`` is called with the settings.
        settings: checkpoint, device, dtype and what else ``load`` takes.

    Raises:
        MissingWeights, WeightsError: as the class's ``load``.
    """
    key = json.dumps([cls.__module__, cls.__qualname__, settings], sort_keys=True, default=repr)
    component = _alive.get(key)
    if component is None:
        component = cls.load(**settings)
        _alive[key] = component
    return component
