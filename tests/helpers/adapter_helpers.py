"""Images, sounds and checkpoint folders for the tests of the model adapters."""

from __future__ import annotations

import io
import random
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from zsavs import AudioClip

#: A folder name like the commits in the hub's cache.
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def noise_images(*sizes_hw: tuple[int, int], seed: int = 0) -> list[NDArray[np.uint8]]:
    """Noise images of the given sizes, read-only as those of a sample are."""
    rng = np.random.default_rng(seed)
    made = [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for height, width in sizes_hw]
    for image in made:
        image.flags.writeable = False
    return made


def noise(seconds: float, rate_hz: int = 48_000, channels: int = 1, seed: int = 0) -> AudioClip:
    """White noise."""
    wave = np.random.default_rng(seed).standard_normal((channels, max(1, round(seconds * rate_hz))))
    return AudioClip(0.2 * wave.astype(np.float32), rate_hz)


def tone(frequency_hz: float, seconds: float, rate_hz: int = 48_000) -> AudioClip:
    """A sine tone."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return AudioClip(0.5 * np.sin(2 * np.pi * frequency_hz * time_s).astype(np.float32)[None], rate_hz)


def random_states() -> list[Any]:
    """The global generators of torch, numpy and Python, to compare before and after."""
    name, keys, *rest = np.random.get_state()
    return [torch.get_rng_state().tolist(), name, keys.tolist(), rest, random.getstate()]


def imported_by(*modules: str) -> set[str]:
    """Names of the top-level modules that importing ``modules`` in a fresh interpreter brings in."""
    code = f"import {', '.join(modules)}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def into_hub_cache(folder: Path, repository: str, cache: Path) -> Path:
    """Copy a checkpoint folder to where the hub's client keeps ``repository``; returns the snapshot."""
    home = cache / f"models--{repository.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(COMMIT)
    return Path(shutil.copytree(folder, home / "snapshots" / COMMIT))


def copy_with(folder: Path, to: Path, weights: bytes | None, name: str = "model.safetensors") -> Path:
    """Copy a checkpoint folder with its weights replaced by ``weights`` in the file ``name`` (None: none at all)."""
    shutil.copytree(folder, to)
    for path in to.iterdir():
        if path.suffix in (".safetensors", ".bin", ".pt"):
            path.unlink()
    if weights is not None:
        (to / name).write_bytes(weights)
    return to


class _Harmful:
    """Unpickling this creates a file."""

    def __init__(self, evidence: Path) -> None:
        self.evidence = evidence

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.evidence,)


def harmful_pickle(evidence: Path) -> bytes:
    """A weight file whose loading without care would create ``evidence``; the attack is checked to work."""
    buffer = io.BytesIO()
    torch.save({"state_dict": _Harmful(evidence)}, buffer)
    torch.load(io.BytesIO(buffer.getvalue()), weights_only=False)
    assert evidence.exists(), "the attack does not work, so that refusing it would prove nothing"
    evidence.unlink()
    return buffer.getvalue()


def watch_the_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the hub's client go online, and list every attempt to do so; checked to notice one."""
    from huggingface_hub import constants, get_session

    attempts: list[str] = []

    def refuse(*args: Any, **_: Any) -> Any:
        attempts.append(repr(args))
        raise OSError("no network")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    with pytest.raises(Exception, match="no network"):
        get_session().get("https://huggingface.co")
    assert attempts, "the watch is blind"
    attempts.clear()
    return attempts
