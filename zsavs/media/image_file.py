"""Image files, decoded to RGB as they are displayed, with limits of size."""

from __future__ import annotations

import logging
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ImageError, first_line
from zsavs.media.colour import to_rgb
from zsavs.media.input_file import looks_like, open_input, readable_name

if TYPE_CHECKING:
    from PIL import Image, ImageFile

__all__ = ["MAX_PIXELS", "decode", "load_image"]

log = logging.getLogger(__name__)

#: Pixels of the largest image that is read unless more are asked for.
MAX_PIXELS = 100_000_000

#: What an image file may hold beside its pixels: profiles, previews, more pages.
_MORE_BYTES = 2**28

#: Formats that are read. The others of Pillow are rare, run other programs (EPS), or accept any file (TGA).
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF")

#: What Pillow raises over a damaged file (RuntimeError: AVIF).
_DAMAGE = (
    *(OSError, EOFError, SyntaxError, ValueError, RuntimeError, LookupError, TypeError, AttributeError),
    *(struct.error, zlib.error),
)

#: EXIF orientation -> a view of the upright image in the order in which the file stores its pixels.
_STORED_VIEW: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: upright.swapaxes(0, 1)[::-1, ::-1],
    8: lambda upright: np.rot90(upright, -1),
}
_EXIF_ORIENTATION = 0x0112

#: Pixels that are copied out of Pillow at a time.
_BAND_PIXELS = 2**20


def load_image(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The image of a file as it is displayed: JPEG, PNG, WebP, GIF, TIFF, BMP, PPM, JPEG 2000, and AVIF if Pillow can.

    The EXIF orientation is applied; palette, grey, CMYK, LAB, 16 bits, transparency and an embedded colour profile are
    turned into RGB (:func:`zsavs.media.colour.to_rgb`). Of an animation or of several pages the first is taken, which
    is logged.

    Args:
        path: the file.
        max_pixels: the most pixels to decode, at least 1. It is compared with the size in the header, before anything
            is decoded; Pillow's own limit and warnings play no part up to twice ``PIL.Image.MAX_IMAGE_PIXELS``.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ImageError: not there, not readable, not an image, damaged, too large, or of a kind that has no agreed
            colours.
    """
    image = decode(path, max_pixels=max_pixels)
    return _to_array(to_rgb(image, readable_name(path, ImageError)), _orientation(image))


def decode(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The image of a file as it is stored: orientation, palette, transparency and colour profile are left alone.

    Args:
        path, max_pixels: as for :func:`load_image`.

    Returns:
        The image, decoded; its file is closed.

    Raises:
        ImageError: as :func:`load_image`, but of any kind of colours.
    """
    from PIL import Image

    name = readable_name(path, ImageError)
    # Nothing has more than eight bytes a pixel (16 bits, four channels), uncompressed.
    with open_input(path, ImageError, max_bytes=8 * max_pixels + _MORE_BYTES) as file:
        try:
            image = _open(file)
            if image is None:
                raise ImageError(_not_an_image(file, name))
            width, height = image.size
            if width * height > max_pixels:
                raise ImageError(
                    f"{name}: {width}x{height} pixels are more than the limit of {max_pixels / 1e6:g} million; make "
                    f"it smaller, or raise the limit: load_image(path, max_pixels={width * height})."
                )
            with _without_size_warning(width * height):
                # An MPO is a photograph with its depth map or a second exposure behind it: nothing is missed.
                if image.format != "MPO" and getattr(image, "is_animated", False):
                    log.warning("%s: holds several images; using the first.", name)
                image.load()
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise ImageError(
                f"{name}: refused by Pillow ({first_line(error)}); make the image smaller, or raise "
                f"PIL.Image.MAX_IMAGE_PIXELS."
            ) from error
        except _DAMAGE as error:
            raise ImageError(
                f"{name}: {looks_like(file) or 'an image'} that cannot be decoded ({first_line(error)}); it is "
                f"damaged, cut off or of a rare kind: copy or download it again, or open it in an image program and "
                f"save it as PNG."
            ) from error
        return image


def _open(file: BinaryIO) -> ImageFile.ImageFile | None:
    """What ``PIL.Image.open`` does, without its size check and for our formats: read the header, decode nothing."""
    from PIL import Image

    Image.init()
    head = file.read(16)
    for kind in _FORMATS:
        factory, accept = Image.OPEN.get(kind, (None, None))
        # A string says that the file would be accepted if Pillow had been built with the decoder.
        accepted = accept(head) if factory and accept else False
        if factory and accepted and not isinstance(accepted, str):
            file.seek(0)
            return factory(file, "")
    return None


def _not_an_image(file: BinaryIO, name: str) -> str:
    kind = looks_like(file)
    return (
        f"{name}: cannot be decoded as JPEG, PNG, WebP, GIF, TIFF, BMP, PPM, JPEG 2000 or AVIF"
        f"{f' (it looks like {kind})' if kind else ''}; name an image, or open it in an image program and export it "
        f"as PNG."
    )


def _without_size_warning(pixels: int) -> AbstractContextManager[Any]:
    """Keep Pillow from warning about a size that ``max_pixels`` allows.

    Warning filters belong to the whole process, so they are touched only for images above Pillow's limit.
    """
    from PIL import Image

    if Image.MAX_IMAGE_PIXELS is None or pixels <= Image.MAX_IMAGE_PIXELS:
        return nullcontext()
    return warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation 1..8 of a loaded image; 1 where there is none or it cannot be read."""
    try:
        orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    except _DAMAGE as error:
        log.debug("the EXIF data is left out: %s", error)
        return 1
    return orientation if orientation in _STORED_VIEW else 1


def _to_array(image: Image.Image, orientation: int) -> NDArray[np.uint8]:
    """An RGB image as an upright array, copied in bands so that it is not held three times."""
    from PIL import Image

    width, height = image.size
    upright = np.empty((width, height, 3) if orientation >= 5 else (height, width, 3), np.uint8)
    stored = _STORED_VIEW[orientation](upright) if orientation in _STORED_VIEW else upright
    # Pillow compares what is cropped with its limit, too.
    rows = max(1, min(_BAND_PIXELS, Image.MAX_IMAGE_PIXELS or _BAND_PIXELS) // width)
    for top in range(0, height, rows):
        stored[top : top + rows] = np.asarray(image.crop((0, top, width, min(top + rows, height))))
    return upright
