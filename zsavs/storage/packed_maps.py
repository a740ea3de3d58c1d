"""The maps of a saved result: masks from their run lengths, score maps compressed exactly, sizes checked before use."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ContractError
from zsavs.storage import rle

__all__ = ["MAX_BYTES", "UNREADABLE", "checked_size", "decode_masks", "pack_map", "unpack_map"]

#: What a result may take that is read back: a file of some bytes can claim masks and maps of any size. This is enough
#: for 100 megapixels with forty objects.
MAX_BYTES = 2**32
#: What reading a file that is no result, or half of one, can end in.
UNREADABLE = (
    ArithmeticError,
    AttributeError,
    ContractError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    zlib.error,
)


def checked_size(size_hw: list[int], objects: int) -> tuple[int, int]:
    """Height and width of a result with so many objects, if they can be.

    Raises:
        ValueError: a side is no whole number from 1, or the result would take too much memory.
    """
    height, width = size_hw
    if not (type(height) is int and type(width) is int and height >= 1 and width >= 1):
        raise ValueError(f"an image cannot have {height!r} x {width!r} pixels")
    if (objects + 4) * height * width > MAX_BYTES:
        raise ValueError(f"{objects} masks of {height}x{width} pixels are more than the {MAX_BYTES >> 30} GiB read")
    return height, width


def decode_masks(encoded: list[dict[str, Any]], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Masks (N, H, W) from their run lengths, of the size that the result has."""
    masks = np.zeros((len(encoded), *size_hw), np.bool_)
    for mask, runs in zip(masks, encoded, strict=True):
        if list(runs["size"]) != list(size_hw):
            raise ValueError(f"a mask of {runs['size']} pixels in a result of {list(size_hw)}")
        mask[:] = rle.decode(runs)
    return masks


def pack_map(score_map: NDArray[np.float32]) -> dict[str, str]:
    """Compress exactly: as 16-bit levels where the map holds nothing finer, as float32 otherwise."""
    levels = np.rint(score_map * np.float32(65535)).astype("<u2")
    # Bytes, not values: 0.0 == -0.0.
    coarse = (levels.astype(np.float32) / np.float32(65535)).tobytes() == score_map.tobytes()
    data = levels if coarse else score_map.astype("<f4")
    return {
        "dtype": "uint16" if coarse else "float32",
        "zlib": base64.b64encode(zlib.compress(data.tobytes(), 6)).decode("ascii"),
    }


def unpack_map(packed: dict[str, str], size_hw: tuple[int, ...]) -> NDArray[np.float32]:
    """Invert :func:`pack_map`."""
    stream = zlib.decompressobj()
    # No more than a map of this size can have, and one byte, without which the end would not be seen.
    raw = stream.decompress(base64.b64decode(packed["zlib"]), 4 * size_hw[0] * size_hw[1] + 1)
    if not stream.eof:
        raise ValueError("the score map is cut off, or larger than the result")
    if packed["dtype"] == "uint16":
        return np.frombuffer(raw, "<u2").reshape(size_hw).astype(np.float32) / np.float32(65535)
    return np.frombuffer(raw, "<f4").reshape(size_hw).astype(np.float32)
