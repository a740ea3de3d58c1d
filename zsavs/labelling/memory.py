"""The most memory that a process has had."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass

__all__ = ["Memory", "peak_memory"]

#: There the system tells memory in bytes, elsewhere in kilobytes.
_MAC = sys.platform == "darwin"


@dataclass(frozen=True)
class Memory:
    """Peaks, in MB.

    Args:
        process_mb: of the process.
        gpu_mb: of its GPU, what torch has allocated; None without one.
    """

    process_mb: float = 0.0
    gpu_mb: float | None = None

    def __or__(self, other: Memory) -> Memory:
        """The higher of two, each."""
        gpus = [own for own in (self.gpu_mb, other.gpu_mb) if own is not None]
        return Memory(max(self.process_mb, other.process_mb), max(gpus, default=None))


def peak_memory() -> Memory:
    """Of this process, from its start."""
    process = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if _MAC else 1e3)
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return Memory(round(process, 1))
    return Memory(round(process, 1), round(float(torch.cuda.max_memory_allocated()) / 1e6, 1))
