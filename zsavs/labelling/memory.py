"""The most memory that a process has had."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import Any

__all__ = ["Memory", "peak_memory"]


@dataclass(frozen=True)
class Memory:
    """Peaks, in MB.

    Args:
        process_mb: of the process; None on Windows, which does not tell.
        gpu_mb: of its GPU, what torch has allocated; None without one.
    """

    process_mb: float | None = None
    gpu_mb: float | None = None

    def __or__(self, other: Memory) -> Memory:
        """The higher of two, each."""
        return Memory(_higher(self.process_mb, other.process_mb), _higher(self.gpu_mb, other.gpu_mb))


def _higher(*peaks: float | None) -> float | None:
    return max((peak for peak in peaks if peak is not None), default=None)


def peak_memory() -> Memory:
    """Of this process, from its start."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return Memory(_process_mb())
    return Memory(_process_mb(), round(float(torch.cuda.max_memory_allocated()) / 1e6, 1))


def _process_mb() -> float | None:
    try:
        resource: Any = importlib.import_module("resource")
    except ImportError:
        return None
    in_bytes = sys.platform == "darwin"  # elsewhere in kilobytes
    return round(float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / (1e6 if in_bytes else 1e3), 1)
