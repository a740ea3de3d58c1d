"""WAV headers that do not say how many samples follow, as recorders and pipes leave them that could not go back."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from zsavs.media.input_file import read_at

__all__ = ["missing_size"]

#: Chunks before the samples; more has no recording.
_MOST_CHUNKS = 1000
_UNKNOWN = 0xFFFFFFFF


def missing_size(file: BinaryIO) -> tuple[int, bytes] | None:
    """The true size of the samples of a WAV file whose header says that there are 0 bytes, or 2^32 - 1, of them.

    Such a size is left by a recorder that was interrupted and by programs that write into a pipe. The samples then are
    whatever follows, up to the last whole frame; unless what follows "0 bytes" are other chunks up to the end of the
    file, as in one that is really empty.

    Args:
        file: any file; it is read on from where it was.

    Returns:
        Where in the file the size stands, and the four bytes that should be there; None for every other file.
    """
    length = os.fstat(file.fileno()).st_size
    if (head := read_at(file, 12, 0))[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    align, place = 1, 12
    for _ in range(_MOST_CHUNKS):
        if (chunk := _chunk(file, place)) is None:
            return None
        kind, size = chunk
        begin = place + 8
        if kind == b"data":
            if size not in (0, _UNKNOWN) or (size == 0 and _only_chunks(file, begin, length)):
                return None
            found = min(length - begin, _UNKNOWN - 1) // align * align
            return (place + 4, struct.pack("<I", found)) if found else None
        if kind == b"fmt " and size >= 14:
            layout = read_at(file, 2, begin + 12)
            align = max(1, struct.unpack("<H", layout)[0]) if len(layout) == 2 else 1
        place = begin + size + size % 2
    return None


def _chunk(file: BinaryIO, place: int) -> tuple[bytes, int] | None:
    """Name and size of the chunk that begins at ``place``; None where there is none."""
    head = read_at(file, 8, place)
    return (head[:4], struct.unpack("<I", head[4:])[0]) if len(head) == 8 else None


def _only_chunks(file: BinaryIO, place: int, length: int) -> bool:
    """Whether all from ``place`` to the end of the file is chunks with names."""
    for _ in range(_MOST_CHUNKS):
        if place in (length, length + 1):
            return True
        chunk = _chunk(file, place)
        if chunk is None or not (chunk[0].isascii() and chunk[0].decode("ascii").isprintable()):
            return False
        place += 8 + chunk[1] + chunk[1] % 2
    return False
