"""Bytes that mean harm, for several tests."""

from __future__ import annotations

import zlib


def deflated(mebibytes: int) -> bytes:
    """So many mebibytes of zeros, in a thousandth of that."""
    squeeze, block = zlib.compressobj(9), bytes(2**20)
    return b"".join([*(squeeze.compress(block) for _ in range(mebibytes)), squeeze.flush()])
