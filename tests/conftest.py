"""What every test gets: no network, no cache of the user's, seeds that do not leak."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from typing import Any

import hypothesis
import numpy as np
import pytest
from network_guard import NetworkTouchedError

# How long an example takes says how busy the machine is, and nothing of zsavs.
hypothesis.settings.register_profile("zsavs", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("zsavs")

# Before anything of the hub is imported, as it reads its settings once: no network, and a cache of this run's own, so
# that nothing depends on what the user has downloaded.
_CACHE = tempfile.mkdtemp(prefix="zsavs-tests-")
atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HOME": f"{_CACHE}/hub", "HF_HUB_CACHE": f"{_CACHE}/hub/hub"}
os.environ |= {"ZSAVS_CACHE": f"{_CACHE}/zsavs", "TOKENIZERS_PARALLELISM": "false"}

# Before torch is imported: where several workers share the cores, each of them, and each process that a test starts,
# computes in one thread.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


# Fewer searches for garbage, and none among what collecting the tests has imported: they took a sixth of the run.
gc.set_threshold(50_000, 20, 100)


def pytest_collection_finish() -> None:
    """Leave out of all later searches for garbage what lives as long as the process."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection and name look-up, whatever library asks; local sockets of the machine itself included.

    A test that is marked ``network`` may connect to a server of its own on this machine, and to nothing else.
    """
    if request.node.get_closest_marker("network"):
        connect = socket.socket.connect

        def only_here(own: socket.socket, address: Any) -> None:
            if address[0] != "127.0.0.1":
                raise NetworkTouchedError(f"tests touch no network; somebody asked for {address}")
            connect(own, address)

        monkeypatch.setattr(socket.socket, "connect", only_here)
        return

    def refuse(*args: Any, **_: Any) -> Any:
        raise NetworkTouchedError(f"tests touch no network; somebody asked for {args[1:] or args}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)


@pytest.fixture(autouse=True)
def no_log_handlers() -> Iterator[None]:
    """Take back what a command does to zsavs' logger, so that no later test writes to stderr because of it."""
    logger = logging.getLogger("zsavs")
    before = list(logger.handlers), logger.level
    yield
    logger.handlers, level = before
    logger.setLevel(level)


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed; the global one is nobody's."""
    return np.random.default_rng(0)
