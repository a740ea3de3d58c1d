"""Frames, target masks and label maps, read from image files and resized the way each protocol does it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ImageError, InputError
from zsavs.media.image_file import decode, load_image

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["check_size", "crop_square", "read_colours", "read_ids", "read_image", "read_mask", "square_hw"]

#: From this value on a pixel of a grey mask is foreground: JPEG masks have no other.
MASK_LEVEL = 128

Size = tuple[int, int]


def read_image(path: Path, size_hw: Size | None = None) -> NDArray[np.uint8]:
    """An image, (H, W, 3) uint8, resized to ``size_hw`` with the bilinear filter if that is given.

    Raises:
        ImageError: it cannot be read.
    """
    from PIL import Image

    image = load_image(path)
    if size_hw is None or image.shape[:2] == size_hw:
        return image
    return np.asarray(Image.fromarray(image).resize(size_hw[::-1], Image.Resampling.BILINEAR))


def read_mask(path: Path, size_hw: Size | None = None, *, any_value: bool = False) -> NDArray[np.bool_]:
    """A binary mask, (H, W) bool.

    In a palette ("P") or one-bit image every index but 0 is foreground, whatever its colour. In a grey or colour
    image it is a value of at least 128 in any channel, or with ``any_value`` every value but 0. Where alpha is not the
    same everywhere it tells the mask, whatever the colours are, as in an object that was cut out: transparent is
    background. Only black and one other colour among what is not transparent still tell it between them. A mask of
    another size than ``size_hw`` is resized with the bicubic filter, and thresholded afterwards.

    Args:
        path: the file.
        size_hw: height and width wanted; None leaves the size.
        any_value: for lossless masks whose foreground value is not known.

    Raises:
        ImageError: it cannot be read, or it is not JPEG and all its values are below 128, so that it would be taken
            for empty: probably 1 stands for foreground.
    """
    from PIL import Image

    with _opened(path) as image:
        indexed = image.mode in ("P", "1")
        if not indexed and image.mode not in ("L", "LA", "RGB", "RGBA"):
            raise ImageError(f"{path}: a mask of mode {image.mode!r}; save it as 8-bit grey with values 0 and 255.")
        values = np.asarray(image)
        if values.ndim == 3:
            values = _by_alpha(values) if "A" in image.getbands() else values.max(axis=2)
        lossless = image.format not in ("JPEG", "MPO")
    if indexed or any_value:
        grey = np.where(values != 0, 255, 0).astype(np.uint8)
    else:
        grey = np.ascontiguousarray(values)
        if lossless and 0 < grey.max() < MASK_LEVEL:
            raise ImageError(
                f"{path}: no value above {grey.max()} in the mask, while foreground is 128 to 255; save it with 0 and "
                f"255, or as a palette image."
            )
    if size_hw is not None and grey.shape != size_hw:
        grey = np.asarray(Image.fromarray(grey).resize(size_hw[::-1], Image.Resampling.BICUBIC))
    return grey >= MASK_LEVEL


def _by_alpha(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The grey values of a mask (H, W, colours and alpha): its colours where they tell it, else its alpha."""
    colours, alpha = values[..., :-1], values[..., -1]
    grey: NDArray[np.uint8] = colours.max(axis=2)
    if alpha.min() == alpha.max():
        return grey
    seen = colours[alpha > 0]
    others = seen[seen.any(axis=1)]
    if 0 < len(others) < len(seen) and (others == others[0]).all():  # black, and one other colour
        return np.where(alpha > 0, grey, 0).astype(np.uint8)
    if len(np.unique(alpha)) == 2 and alpha.min() == 0:  # however transparent the mask is
        return np.where(alpha > 0, 255, 0).astype(np.uint8)
    return alpha


def read_ids(path: Path, table: NDArray[np.int16], size_hw: Size | None = None) -> NDArray[np.uint8]:
    """An image whose values are class ids, (H, W) uint8, resized by nearest neighbour.

    Args:
        path: an 8-bit grey or palette image; of a palette image the indices count.
        table: (256,) what each value means: an id, 255, or -1 for a value that must not occur.
        size_hw: height and width wanted; None leaves the size.

    Raises:
        ImageError: it cannot be read, is of another mode, or holds a value that must not occur.
    """
    with _opened(path) as image:
        if image.mode not in ("L", "P", "1"):
            raise ImageError(f"{path}: expected class ids in an 8-bit grey or palette image, got {image.mode!r}.")
        values = np.asarray(_nearest(image, size_hw)).astype(np.uint8)
    labels = table[values]
    if labels.min() < 0:
        raise ImageError(f"{path}: the value {values[labels < 0][0]} stands for no class of this data set.")
    return labels.astype(np.uint8)


def read_colours(path: Path, palette: NDArray[np.uint8], size_hw: Size | None = None) -> NDArray[np.uint8]:
    """An image whose colours stand for classes, (H, W) uint8 ids, resized by nearest neighbour as colours.

    Args:
        path: an image of any mode that can be turned into RGB.
        palette: (K, 3) uint8, the colour of each id. A colour that is not in it is background, as in the published
            loader.
        size_hw: height and width wanted; None leaves the size.

    Raises:
        ImageError: it cannot be read.
    """
    with _opened(path) as image:
        colours = np.asarray(_nearest(image.convert("RGB"), size_hw))
    codes, known = _codes(colours), _codes(palette)
    order = np.argsort(known, kind="stable")
    place = np.minimum(np.searchsorted(known, codes, sorter=order), len(known) - 1)
    ids = order[place]
    return np.where(known[ids] == codes, ids, 0).astype(np.uint8)


def check_size(target: NDArray[Any], image: NDArray[np.uint8], path: Path, remedy: str = "extract both again") -> None:
    """Check that a mask or label map is as large as its image.

    Args:
        target: (H, W).
        image: (H, W, 3).
        path: of the mask, for the message.
        remedy: what the message advises.

    Raises:
        InputError: their sizes differ.
    """
    if target.shape != image.shape[:2]:
        raise InputError(
            f"{path}: the mask is {target.shape[1]}x{target.shape[0]} and its image "
            f"{image.shape[1]}x{image.shape[0]} pixels; {remedy}."
        )


def crop_square(array: NDArray[np.uint8], side: int, *, labels: bool) -> NDArray[np.uint8]:
    """Resize the short side to ``side``, keeping the proportions, and cut the middle square out.

    Args:
        array: (H, W, 3) image, or (H, W) class ids.
        side: pixels.
        labels: nearest neighbour for class ids; bilinear otherwise.
    """
    from PIL import Image

    height, width = array.shape[:2]
    wide = width > height
    size = (width * side // height, side) if wide else (side, height * side // width)
    method = Image.Resampling.NEAREST if labels else Image.Resampling.BILINEAR
    x, y = (round((length - side) / 2) for length in size)
    return np.asarray(Image.fromarray(array).resize(size, method).crop((x, y, x + side, y + side)))


def square_hw(side: int | None) -> tuple[int, int] | None:
    """Height and width of a square target, None for the image's own.

    Raises:
        InputError: less than a pixel.
    """
    if side is not None and side < 1:
        raise InputError(f"the size must be at least 1 pixel, or None for the image's own; got {side}.")
    return None if side is None else (side, side)


def _codes(colours: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Colours as whole numbers."""
    wide = colours.astype(np.int32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _nearest(image: Image.Image, size_hw: Size | None) -> Image.Image:
    from PIL import Image

    if size_hw is None or image.size == size_hw[::-1]:
        return image
    return image.resize(size_hw[::-1], Image.Resampling.NEAREST)


def _opened(path: Path) -> Image.Image:
    """A decoded image as it is stored.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        return decode(path)
    except ImageError as error:
        raise ImageError(f"{path}: the mask cannot be read ({str(error).removeprefix(f'{path}: ')})") from error
