"""Image files that mean harm, or look as if they did: refused in a line, within bounds of time and memory."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile import deflated, webp
from limits import bounded

from zsavs.errors import (
    ImageError,
)
from zsavs.media.image_file import load_image


def chunk(kind: bytes, data: bytes, length: int | None = None) -> bytes:
    """A chunk of a PNG file, if need be with a length that is not its own."""
    return (
        struct.pack(">I", len(data) if length is None else length)
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
    )


def png(*chunks: bytes, side: int = 16) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


def tiff(width: int, height: int, strip: bytes, compression: int = 8) -> bytes:
    """A grey TIFF of one strip."""
    tags = {256: width, 257: height, 258: 8, 259: compression, 262: 1, 273: 8, 278: height, 279: len(strip)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<2sHI", b"II", 42, 8 + len(strip)) + strip + struct.pack("<H", len(tags)) + entries + bytes(4)


JP2 = b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 "
ROWS = chunk(b"IDAT", zlib.compress(bytes(16 * 49)))
BOMBS: dict[str, Callable[[], bytes]] = {
    "more rows than the header says": lambda: png(chunk(b"IDAT", deflated(1024))),
    "a header of two thousand megapixels": lambda: png(chunk(b"IDAT", deflated(1)), side=45_000),
    "a text of a gibibyte": lambda: png(
        chunk(b"zTXt", b"k\0\0" + deflated(1024)), chunk(b"IDAT", zlib.compress(bytes(784)))
    ),
    "a profile of a gibibyte": lambda: png(
        chunk(b"iCCP", b"k\0\0" + deflated(1024)), chunk(b"IDAT", zlib.compress(bytes(784)))
    ),
    "a chunk that claims two gigabytes": lambda: png(chunk(b"iCCP", b"k\0\0", 2**31 - 1)),
    "a strip of a gibibyte": lambda: tiff(30, 30, deflated(1024)),
    "a TIFF of two thousand megapixels": lambda: tiff(50_000, 40_000, deflated(1)),
    "a WebP of 268 megapixels": lambda: webp(16_383),
    "a JPEG 2000 box of two gigabytes": lambda: JP2 + b"\x6e\0\0\x2djp2h" + bytes(64),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_takes_no_large_memory(tmp_path: Path, name: str) -> None:
    """Whether it is shown or refused: what is small, or claims to be, costs no gigabyte."""
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[name]())
    assert path.stat().st_size < 2_000_000
    done = bounded(
        "try:\n    print('shown', load_image(sys.argv[1]).size < 10**6)\n"
        "except ImageError as error:\n    print('refused', error)\n",
        path,
        imports="import sys, PIL.Image; from zsavs.errors import ImageError\n"
        "from zsavs.media.image_file import load_image\nPIL.Image.init()\n",
        mebibytes=256,
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.startswith(("shown True", f"refused {path}: ")), done.stdout


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("zeros.png", b""),
        ("endless.jpg", b"\xff\xd8\xff\xe0"),
        ("endless.gif", b"GIF89a\x10\0\x10\0"),
        ("endless.webp", b"RIFF\xff\xff\xff\x7fWEBPVP8L"),
        ("endless.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf"),
    ],
)
def test_two_sparse_gigabytes_are_no_image(tmp_path: Path, name: str, head: bytes) -> None:
    path = tmp_path / name
    with path.open("wb") as file:
        file.write(head)
        file.truncate(2**31)
    with pytest.raises(ImageError, match=r"2147 MB are more than such a file has"):
        load_image(path)


def test_a_header_that_never_ends_is_given_up(tmp_path: Path) -> None:
    """Pillow looks for the next mark of a JPEG a byte at a time, however far it is."""
    path = tmp_path / "endless.jpg"
    with path.open("wb") as file:
        file.write(b"\xff\xd8\xff\xe0")
        file.truncate(2**29)
    with pytest.raises(ImageError, match=r"a JPEG image that cannot be decoded \(nothing is found in it"):
        load_image(path)
