"""Input files: opened for reading, or refused with the reason and what to do."""

from __future__ import annotations

import io
import math
import os
import stat
from typing import BinaryIO

from zsavs.errors import InputError

__all__ = ["looks_like", "open_input", "read_at", "readable_name"]

#: A second or two of reading byte by byte; the largest GIF that is allowed takes half of it.
_MAX_READS = 2_000_000

#: How other files begin, which are given by mistake: (offset, bytes, what it is). The first match counts.
_BEGINNINGS = (
    (4, b"ftypheic", "a HEIC image"),
    (4, b"ftypheix", "a HEIC image"),
    (4, b"ftypmif1", "a HEIF image"),
    (4, b"ftypmsf1", "a HEIF image"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftypM4A", "M4A audio"),
    (4, b"ftypavis", "an AVIF image"),
    (4, b"ftyphevc", "a HEIF image"),
    (4, b"ftyp", "an MP4 or MOV file"),
    (4, b"moov", "an MP4 or MOV file"),
    (4, b"mdat", "an MP4 or MOV file"),
    (4, b"wide", "an MP4 or MOV file"),
    (0, b"FLV\x01", "a Flash video"),
    (0, b"\0\0\x01\xba", "an MPEG file"),
    (0, b"\x1aE\xdf\xa3", "a WebM or Matroska file"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "a Windows Media file"),
    (0, b"#!AMR", "AMR audio"),
    (0, b"\xff\xf1", "AAC audio"),
    (0, b"\xff\xf9", "AAC audio"),
    (8, b"WAVE", "a WAV file"),
    (0, b"fLaC", "a FLAC file"),
    (0, b"OggS", "an OGG file"),
    (0, b"ID3", "an MP3 file"),
    (8, b"AVI ", "an AVI file"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"\x89PNG", "a PNG image"),
    (0, b"GIF8", "a GIF image"),
    (8, b"WEBP", "a WebP image"),
    (0, b"II*\0", "a TIFF image"),
    (0, b"MM\0*", "a TIFF image"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"version https://git-lfs", "a Git LFS pointer; run: git lfs pull"),
)


def readable_name(path: str | os.PathLike[str], error: type[InputError]) -> str:
    """The path in one printable line, for messages.

    Raises:
        error: ``path`` is not a path.
    """
    try:
        name = os.fsdecode(path)
    except TypeError as reason:
        raise error(f"expected the path of a file, got {type(path).__name__} ({path!r:.60}).") from reason
    return name if name.isprintable() and name else repr(name)


def open_input(path: str | os.PathLike[str], error: type[InputError], *, max_bytes: float = math.inf) -> BinaryIO:
    """A regular, non-empty file, open for reading.

    Args:
        path: the file.
        error: the kind of error to raise.
        max_bytes: the largest file to open.

    Raises:
        error: there is no such file, it is a folder, a pipe or a device, it is empty or too large, or it may not be
            read.
    """
    name = readable_name(path, error)
    try:
        # Asked before opening: to open a pipe waits for somebody to write to it.
        status = os.stat(path)  # noqa: PTH116
        if stat.S_ISDIR(status.st_mode):
            raise error(f"{name}: is a folder; name one file in it.")
        if not stat.S_ISREG(status.st_mode):
            raise error(f"{name}: is a pipe or a device, not a file; save its content to a file and name that.")
        if status.st_size == 0:
            raise error(f"{name}: the file is empty (0 bytes); copy or download it again.")
        if status.st_size > max_bytes:
            raise error(
                f"{name}: {status.st_size / 1e6:.0f} MB are more than such a file has (at most {max_bytes / 1e6:.0f} "
                f"MB); name another file, or make it smaller."
            )
        # By descriptor, which leaves the file object without a name: soundfile would believe the extension ".raw".
        return _Reader(io.FileIO(os.open(path, os.O_RDONLY)))
    except (FileNotFoundError, NotADirectoryError) as reason:
        raise error(f"{name}: there is no such file; check the spelling, and the folder you are in.") from reason
    except PermissionError as reason:
        raise error(f"{name}: may not be read (permission denied); run: chmod u+r on it and its folders.") from reason
    except (OSError, ValueError) as reason:  # a name too long or with a NUL, a loop of links, a broken disk
        raise error(f"{name}: cannot be opened ({reason}); check the path.") from reason


class _Reader(io.BufferedReader):
    """A file that is never read for more bytes than it holds, nor without end.

    Memory for what a read is to bring is taken before the file is looked at, and a damaged header can ask for gigabytes
    of a file of a few bytes. Some of Pillow's parsers look for the next mark a byte at a time, however far it is.
    """

    _reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """As that of any file.

        Raises:
            OSError: it has been read from too often.
        """
        self._reads += 1
        if self._reads > _MAX_READS:
            raise OSError("nothing is found in it for too long")
        if size is not None and size > io.DEFAULT_BUFFER_SIZE:
            size = min(size, max(0, os.fstat(self.fileno()).st_size - self.tell()))
        return super().read(size)


def read_at(file: BinaryIO, size: int, offset: int) -> bytes:
    """At most ``size`` bytes from ``offset`` on; whoever reads the file goes on where it was.

    By the descriptor, as os.pread does where there is one: neither the buffer nor a limit of the file object matters.
    """
    descriptor = file.fileno()
    here = os.lseek(descriptor, 0, os.SEEK_CUR)
    try:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)
    finally:
        os.lseek(descriptor, here, os.SEEK_SET)


def looks_like(file: BinaryIO) -> str:
    """What a file seems to be, by its first bytes: "an MP4 or MOV file", "text", ...; "" if they say nothing."""
    head = read_at(file, 512, 0)
    for offset, mark, kind in _BEGINNINGS:
        if head[offset:].startswith(mark):
            return kind
    if b"<svg" in head:
        return "an SVG drawing"
    if b"<html" in head.lower():
        return "a web page, perhaps of a download that failed"
    return "text" if head.isascii() and head.decode("ascii").replace("\n", "").replace("\r", "").isprintable() else ""
