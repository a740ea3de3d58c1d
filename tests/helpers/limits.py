"""Running a few lines of Python where they can neither hang nor take all the memory."""

from __future__ import annotations

import subprocess
from pathlib import Path

from warm_process import run_warm

ROOT = Path(__file__).parents[2]

#: Set once everything is imported: libraries reserve addresses of their own.
_LIMIT = """
import resource as _resource
_size = int(open("/proc/self/statm").read().split()[0]) * _resource.getpagesize() + {mebibytes} * 2**20
_resource.setrlimit(_resource.RLIMIT_AS, (_size, _size))
"""


def bounded(
    code: str, *arguments: object, imports: str = "", mebibytes: int = 512, seconds: int = 120
) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a process that may take so much more memory than ``imports`` did, and so long.

    The seconds are generous, for a machine that is busy: they are there to end what would never end.

    Raises:
        TimeoutError: it hangs.
    """
    return run_warm(_LIMIT.format(mebibytes=mebibytes) + code, *arguments, imports=imports, seconds=seconds)
