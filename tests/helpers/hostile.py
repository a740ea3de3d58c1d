"""Bytes that mean harm, for several tests."""

from __future__ import annotations

import struct
import zlib


def deflated(mebibytes: int) -> bytes:
    """So many mebibytes of zeros, in a thousandth of that: one mebibyte is squeezed, and repeated."""
    squeeze = zlib.compressobj(9, wbits=-15)
    block = squeeze.compress(bytes(2**20)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    checksum = (mebibytes * 2**20 % 65521) << 16 | 1  # Adler-32 of zeros
    return b"\x78\xda" + block * mebibytes + squeeze.flush() + struct.pack(">I", checksum)


def webp(side: int) -> bytes:
    """A red image of lossless WebP, in some bytes whatever its size: codes of one symbol take no bits for a pixel."""
    fields = [(0x2F, 8), (side - 1, 14), (side - 1, 14), (0, 4)]  # signature, sizes, no alpha, version
    fields += [(0, 3)]  # no transform, no cache of colours, one group of codes
    for symbol in (0, 255, 0, 255, 0):  # green, red, blue, alpha and distance: a simple code, of one symbol, of 8 bits
        fields += [(1, 1), (0, 1), (1, 1), (symbol, 8)]
    number, place = 0, 0
    for value, size in fields:
        number, place = number | value << place, place + size
    data = number.to_bytes(14, "little")
    return b"RIFF" + struct.pack("<I", 12 + len(data)) + b"WEBPVP8L" + struct.pack("<I", len(data)) + data
