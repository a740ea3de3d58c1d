"""A Ray cluster of two CPUs on this machine, and labelling jobs on it in processes of their own."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noting_strategy import NOTES

__all__ = ["Cluster", "start_cluster", "wait_for"]

_ROOT = Path(__file__).parents[2]

#: By which the cluster knows its jobs: nobody else on the network runs anything on it.
_TOKEN = secrets.token_hex(32)

_CLUSTER = """
import sys
import ray
for last in (False, False, True):  # on a busy machine Ray gives up early
    try:
        ray.init("local", num_cpus=2, object_store_memory=200 * 2**20, include_dashboard=False, log_to_driver=False)
        break
    except Exception:
        if last:
            raise
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""

#: Arguments: input, output, engine. Prints how many items are done whenever some are.
_LABEL = """
import sys
import zsavs
source, out, engine = sys.argv[1:]
workers = {"worker_cpus": 1} if engine == "ray" else {}
report = zsavs.label(source, out, ["noting_strategy:Noting"], "toy", engine, device="cpu", batch_size=4, shard_size=25,
                     previews=3, progress=lambda done, total: print(done, flush=True), **workers)
print("computed", report.computed_now, "failed", report.failed)
"""


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs.

    Args:
        address: where it is.
        notes: the folder of :mod:`noting_strategy`, for its workers and for jobs on the local engine.
    """

    address: str
    notes: Path

    def start(self, source: Path, out: Path, engine: str = "ray") -> subprocess.Popen[str]:
        """A job with actors of one CPU each, or on the local engine."""
        words = [sys.executable, "-c", _LABEL, str(source), str(out), engine]
        return subprocess.Popen(
            words,
            env=_env(self.notes, RAY_ADDRESS=self.address),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def label(self, source: Path, out: Path, engine: str = "ray", seconds: int = 300) -> str:
        """A job to its end; the last line that it prints."""
        said, complaints = (process := self.start(source, out, engine)).communicate(timeout=seconds)
        assert process.returncode == 0, complaints[-3000:]
        return said.splitlines()[-1]


@contextmanager
def start_cluster(notes: Path) -> Iterator[Cluster]:
    """A cluster of its own, which ends with the block, and with this process."""
    process = subprocess.Popen(
        [sys.executable, "-c", _CLUSTER], env=_env(notes), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        assert address, "Ray did not start"
        yield Cluster(address, notes)
    finally:
        process.stdin.close()
        process.wait(60)


def wait_for(condition: Callable[[], Any], seconds: float = 300) -> Any:
    """What a condition gives as soon as that is true.

    Raises:
        TimeoutError: it never was.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise TimeoutError


def _env(notes: Path, **more: str) -> dict[str, str]:
    paths = os.pathsep.join(map(str, (_ROOT, _ROOT / "tests" / "helpers")))
    ray = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _TOKEN}
    return {**os.environ, **ray, "PYTHONPATH": paths, NOTES: str(notes), **more}
