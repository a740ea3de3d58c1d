"""Waveforms too long for memory: in a temporary file without a name, mapped, so that the system pages them in and out.

The file is in the folder for temporary files, which the variable TMPDIR names, and is gone with the array.
"""

from __future__ import annotations

import mmap
import tempfile
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import OutputError

__all__ = ["MappedWriter", "release"]

_BYTES = 4


class _Pages(mmap.mmap):
    """A mapping made here. Nobody writes to it, so its pages may be dropped, which of others' would lose changes."""


class MappedWriter:
    """Writes a waveform (C, T) float32 block by block into a temporary file; a context manager.

    Args:
        channels, samples: C, and the T that is expected.
        what: what it is of, for messages.

    Raises:
        OutputError: there is no folder for temporary files, or no room in it; so do the methods.
    """

    def __init__(self, channels: int, samples: int, what: str) -> None:
        self._channels, self._samples, self._what = channels, samples, what
        try:
            self._file: BinaryIO = tempfile.TemporaryFile(prefix="zsavs-", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise self._no_room(error) from error

    def __enter__(self) -> MappedWriter:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()

    def write(self, block: NDArray[np.float32], start: int) -> None:
        """Write (C, n) as the samples from ``start`` on."""
        try:
            for row, values in enumerate(block):
                data = values.astype(np.float32, copy=False).tobytes()
                at = (row * self._samples + start) * _BYTES
                while data:  # the last bytes before a disk is full are written without an error
                    self._file.seek(at)
                    written = self._file.write(data)
                    data, at = data[written:], at + written
        except OSError as error:
            raise self._no_room(error) from error

    def waveform(self, samples: int) -> NDArray[np.float32]:
        """The array (C, T), read-only, in which the first ``samples`` samples were written and the others are 0.

        Of one channel, T is ``samples``; of several, what was expected.

        Raises:
            OutputError: the file cannot be mapped.
        """
        length = samples if self._channels == 1 else self._samples
        if samples == 0:
            return np.zeros((self._channels, 0), np.float32)
        try:
            size = self._channels * length * _BYTES
            self._file.truncate(size)
            data = _Pages(self._file.fileno(), size, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise self._no_room(error) from error
        return np.frombuffer(data, np.float32).reshape(self._channels, length)

    def _no_room(self, error: Exception) -> OutputError:
        folder = tempfile.tempdir or "the folder for temporary files"
        size = self._channels * self._samples * _BYTES / 1e6
        return OutputError(
            f"{self._what}: its waveform takes {size:.0f} MB in {folder}, which failed ({error}); set TMPDIR to a "
            f"folder with that much room, or read excerpts with load_audio(..., max_duration_s=60)."
        )


def release(array: NDArray[Any]) -> None:
    """Give the memory back that a mapped array's pages take; they are read again when they are asked for.

    Of an array that was not mapped by :class:`MappedWriter` nothing changes.
    """
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    if isinstance(base, _Pages) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
