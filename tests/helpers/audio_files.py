"""Audio files with the headers and the lengths that a test asks for, and what was warned about."""

from __future__ import annotations

import logging
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def numbered(path: Path, frames: int, rate: int) -> np.ndarray:
    """A recording in which each sample tells its own number, exactly."""
    wave = (np.arange(frames) / 2**23).astype(np.float32)
    soundfile.write(path, wave, rate, subtype="FLOAT" if path.suffix == ".wav" else "PCM_24")
    return wave


def wav_header(frames: int, rate: int, channels: int, data_bytes: int | None = None, bits: int = 16) -> bytes:
    """The 44 bytes of a WAV file, saying what we like about the size of its data."""
    align = channels * bits // 8
    size = frames * align if data_bytes is None else data_bytes
    layout = struct.pack("<HHIIHH", 1, channels, rate, rate * align & 0xFFFFFFFF, align, bits)
    return (
        b"RIFF"
        + struct.pack("<I", min(size + 36, 2**32 - 1))
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + layout
        + (b"data" + struct.pack("<I", size))
    )


def sparse_wav(path: Path, seconds: float, rate: int, channels: int) -> Path:
    """A silent recording that takes no room on the disk."""
    frames = round(seconds * rate)
    with path.open("wb") as file:
        file.write(wav_header(frames, rate, channels))
        file.truncate(44 + frames * channels * 2)
    return path
