"""Reading arrays from files that somebody hands over: never an object, and never more than the file holds.

``numpy.load`` waits for pipes, believes a header that claims terabytes, unpacks what is compressed without a bound, and
fails over damage in a dozen ways. What :func:`numpy.save` and :func:`numpy.savez` wrote is read here, and nothing else.
"""

from __future__ import annotations

import math
import os
import struct
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import first_line
from zsavs.storage.files import open_regular

__all__ = ["MAX_ARRAY_BYTES", "read_array", "read_arrays"]

#: Half a million rows of 512 numbers; banks and shipped statistics have thousands.
MAX_ARRAY_BYTES = 2**30

#: Versions of numpy's format by their first two bytes; the third is for field names, and fields are not read.
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}

#: What numpy and zipfile raise over a damaged file (RuntimeError: one that is encrypted).
_DAMAGE = (
    *(ValueError, TypeError, LookupError, AttributeError, EOFError, SyntaxError, ArithmeticError, RuntimeError),
    *(RecursionError, NotImplementedError, MemoryError, TokenError, struct.error, zlib.error, zipfile.BadZipFile),
)


def read_array(path: Path) -> NDArray[Any]:
    """The array of an ``.npy`` file: booleans, numbers or texts.

    Raises:
        OSError: it cannot be opened, is a folder, a pipe or a device, or is larger than ``MAX_ARRAY_BYTES``.
        ValueError: it is damaged, or holds anything else; says so in one line.
    """
    with open_regular(path) as file:
        size = _size(file, path)
        try:
            return _array(file, size)
        except _DAMAGE as error:
            raise ValueError(first_line(error)) from error


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` file by name, as :func:`numpy.savez` writes it: not compressed.

    Raises:
        OSError, ValueError: as :func:`read_array`.
    """
    with open_regular(path) as file:
        size = _size(file, path)
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                # Several entries may share the same bytes, each of them as large as the file.
                if (
                    any(m.compress_type != zipfile.ZIP_STORED for m in members)
                    or sum(m.file_size for m in members) > size
                ):
                    raise ValueError("its arrays are compressed, or claim more than the file holds")
                arrays = {}
                for member in members:
                    with archive.open(member) as entry:
                        arrays[member.filename.removesuffix(".npy")] = _array(entry, member.file_size)
                return arrays
        except _DAMAGE as error:
            raise ValueError(first_line(error)) from error


def _size(file: IO[bytes], path: Path) -> int:
    """The size of an open file in bytes.

    Raises:
        OSError: it is larger than what is read.
    """
    size = os.fstat(file.fileno()).st_size
    if size > MAX_ARRAY_BYTES:
        raise OSError(f"{size / 1e6:.0f} MB, at most {MAX_ARRAY_BYTES / 1e6:.0f} MB are read: {str(path)!r}")
    return size


def _array(file: IO[bytes], size: int) -> NDArray[Any]:
    """The array that begins where ``file`` is, in ``size`` bytes at the most."""
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"an array in version {version} of numpy's format")
    shape, by_columns, dtype = _HEADERS[version](file)
    if dtype.kind not in "biufcU":
        raise ValueError(f"an array of {dtype} in place of numbers or texts")
    # A length of 0 lets the others claim anything, and what is made of such an array later takes them seriously.
    if min(shape, default=0) < 0 or math.prod(max(side, 1) for side in shape) * max(dtype.itemsize, 1) > size:
        raise ValueError(f"an array of {dtype} {shape} in a file of {size} bytes")
    data = file.read(math.prod(shape) * dtype.itemsize)
    return np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns else "C")
