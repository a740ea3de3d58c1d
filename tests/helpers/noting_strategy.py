"""A strategy that can be watched from other processes, and told to be slow or to die, through files of a folder.

``ZSAVS_TEST_NOTES`` names the folder: ``asked`` gets a line with process and item for each item that is asked about;
``slow`` holds the seconds that a batch takes; ``deadly`` names an item that ends the process.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from zsavs.strategies.audio_to_text import AudioToText
from zsavs.types import AVSample, Query

__all__ = ["NOTES", "Noting", "asked"]

NOTES = "ZSAVS_TEST_NOTES"


class Noting(AudioToText):
    """Audio to text, watched."""

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        if folder := os.environ.get(NOTES):
            _note(Path(folder), [sample.name for sample in samples])
        return super().query(samples)


def _note(folder: Path, names: Sequence[str]) -> None:
    file = os.open(folder / "asked", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, "".join(f"{os.getpid()} {name}\n" for name in names).encode())
    os.close(file)
    time.sleep(float(_told(folder, "slow") or 0))
    if _told(folder, "deadly") in names:
        os.kill(os.getpid(), signal.SIGKILL)


def _told(folder: Path, name: str) -> str:
    path = folder / name
    return path.read_text() if path.exists() else ""


def asked(folder: Path) -> list[tuple[int, str]]:
    """The process and the item, for each item that was asked about."""
    path = folder / "asked"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(int(process), name) for process, name in (line.split() for line in lines)]
