"""Masks over an image: a tint, a contour and a label for each, none of them touching the rest of the image."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageFilter

from zsavs.draw.colours import Rgb, blend, palette
from zsavs.draw.labels import place_labels
from zsavs.errors import ContractError
from zsavs.media.arrays import image_size
from zsavs.media.regions import tight_box

__all__ = ["brief", "check_regions", "mask_layer", "overlay", "scaled_overlay"]

#: Opacity of the tint: the texture under it stays readable.
_TINT = 0.38
#: Opacity of the white line along the outside of a contour, which parts it from a ground of its own colour.
_HALO = 0.8
#: The tint is mixed this many pixels at a time, so that memory does not grow with the image.
_BAND = 1 << 20
#: Enlarged by more than this, an image shows its pixels as squares instead of a blur.
_SMOOTH = 4.0


def overlay(
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    phrases: Sequence[str],
    scores: Sequence[float] | NDArray[np.float32],
    boxes_xyxy: NDArray[np.float32] | None = None,
    colours: Sequence[Rgb] | None = None,
    outlined: Sequence[bool] = (),
) -> Image.Image:
    """The image with every mask tinted, outlined and labelled ("dog 0.87").

    Where masks overlap, the tint is the mean of their colours. Line width and type size follow the size of the
    image. A label is left out where it would cover another one or too much of the image.

    Args:
        image: (H, W, 3) uint8 RGB.
        masks: (N, H, W) bool; N = 0 gives the image as it is.
        phrases: N labels in any script.
        scores: N finite numbers shown with two decimals, or none at all.
        boxes_xyxy: (N, 4) absolute pixels, drawn only for a region whose mask is empty.
        colours: N colours; those of :func:`~zsavs.draw.palette` if left out.
        outlined: for each mask, whether it has its contour alone and no tint; none has if left out.

    Returns:
        RGB image of the same size. Pixels further than the line width from every mask, and under no label, are
        those of ``image``.

    Raises:
        ImageError: ``image`` is not an image.
        ContractError: shapes disagree, or the masks are not bool.
    """
    masks, boxes = check_regions(masks, phrases, scores, boxes_xyxy, image_size(image))
    for name, given in (("colours", colours or ()), ("outlined", outlined)):
        if len(given) not in (0, len(masks)):
            raise ContractError(f"{name}: expected one for each of {len(masks)} masks, got {len(given)}.")
    canvas = np.array(image)
    _draw(canvas, masks, phrases, scores, boxes, colours or palette(len(masks)), outlined)
    return Image.fromarray(canvas)


def scaled_overlay(
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    phrases: Sequence[str],
    scores: Sequence[float] | NDArray[np.float32],
    boxes_xyxy: NDArray[np.float32] | None,
    size: tuple[int, int],
    colours: Sequence[Rgb] | None = None,
    outlined: Sequence[bool] = (),
) -> Image.Image:
    """The overlay drawn at another size, so that lines and type are as crisp as the page that it stands on.

    Args:
        image, masks, phrases, scores, boxes_xyxy, colours, outlined: see :func:`overlay`.
        size: width and height of what is drawn, in pixels.

    Raises:
        ImageError, ContractError: as :func:`overlay`.
    """
    height, width = image.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    pixels = scale > _SMOOTH
    frame = Image.fromarray(image).resize(size, Image.Resampling.NEAREST if pixels else Image.Resampling.LANCZOS)
    scaled = np.zeros((len(masks), size[1], size[0]), np.bool_)
    for i, mask in enumerate(masks):
        cover = Image.fromarray(mask.astype(np.uint8) * 255)
        cover = cover.resize(size, Image.Resampling.NEAREST if pixels else Image.Resampling.BILINEAR)
        if scale > 1 and not pixels:  # round off the stairs of the enlarged edge
            cover = cover.filter(ImageFilter.GaussianBlur(0.8 * scale))
        scaled[i] = np.asarray(cover) > 127
        if not scaled[i].any():  # too small for that: a speck is still shown
            scaled[i] = np.asarray(cover) > np.asarray(cover).max() / 2
    if boxes_xyxy is not None:
        boxes_xyxy = np.asarray(boxes_xyxy, np.float32) * np.array([size[0] / width, size[1] / height] * 2, np.float32)
    return overlay(np.asarray(frame), scaled, phrases, scores, boxes_xyxy, colours, outlined)


def mask_layer(
    masks: NDArray[np.bool_],
    phrases: Sequence[str],
    scores: Sequence[float] | NDArray[np.float32],
    boxes_xyxy: NDArray[np.float32] | None = None,
) -> Image.Image:
    """What :func:`overlay` draws, on a transparent ground: to be laid over the image when that is not at hand.

    Args:
        masks: (N, H, W) bool, H and W at least 1.
        phrases: N labels in any script.
        scores: N finite numbers shown with two decimals, or none at all.
        boxes_xyxy: (N, 4) absolute pixels, drawn only for a region whose mask is empty.

    Returns:
        RGBA image of size (W, H), alpha not premultiplied.

    Raises:
        ContractError: shapes disagree, or the masks are not bool.
    """
    masks, boxes = check_regions(masks, phrases, scores, boxes_xyxy)
    canvas = np.zeros((*masks.shape[1:], 4), np.uint8)
    _draw(canvas, masks, phrases, scores, boxes, palette(len(masks)))
    return Image.fromarray(canvas)


def check_regions(
    masks: NDArray[np.bool_],
    phrases: Sequence[str],
    scores: ArrayLike,
    boxes_xyxy: ArrayLike | None,
    size_hw: tuple[int, ...] | None = None,
) -> tuple[NDArray[np.bool_], NDArray[np.float64] | None]:
    """Check that masks, phrases, scores and boxes belong together, and to an image of ``size_hw`` if that is known.

    Returns:
        Masks (N, H, W) bool and boxes (N, 4) or None.

    Raises:
        ContractError: they do not, or the masks are not bool.
    """
    masks = np.asarray(masks)
    if masks.dtype != np.bool_ or masks.ndim != 3 or 0 in masks.shape[1:]:
        raise ContractError(f"masks: expected (N, H, W) bool and H, W > 0, got {masks.dtype} {masks.shape}.")
    count = len(masks)
    if size_hw is not None and masks.shape[1:] != size_hw:
        raise ContractError(f"masks: expected the height and width of the image, {size_hw}, got {masks.shape[1:]}.")
    if isinstance(phrases, str) or len(phrases) != count or not all(isinstance(phrase, str) for phrase in phrases):
        raise ContractError(f"phrases: expected {count} strings, one for each mask, got {brief(phrases)}.")
    if np.size(scores):
        _finite(scores, (count,), "scores")
    return masks, None if boxes_xyxy is None else _finite(boxes_xyxy, (count, 4), "boxes_xyxy")


def _finite(values: ArrayLike, shape: tuple[int, ...], what: str) -> NDArray[np.float64]:
    """The values as finite numbers of that shape; ContractError if they are not."""
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise ContractError(f"{what}: expected {shape} numbers, got {brief(values)}.") from None
    if array.shape != shape or not np.isfinite(array).all():
        raise ContractError(f"{what}: expected {shape} finite numbers, got shape {array.shape}: {brief(values)}.")
    return array


def brief(value: object) -> str:
    """The start of the value's text, on one line."""
    return " ".join(repr(value).split())[:80]


def _draw(
    canvas: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    phrases: Sequence[str],
    scores: Sequence[float] | NDArray[np.float32],
    boxes: NDArray[np.float64] | None,
    colours: Sequence[Rgb],
    outlined: Sequence[bool] = (),
) -> None:
    """Tint, outline and label (N, H, W) masks on ``canvas``, (H, W, 3 or 4), in place."""
    height, width = canvas.shape[:2]
    line = max(1.5, 0.0036 * float(np.sqrt(height * width)))
    extents = [tight_box(mask) if mask.any() else None for mask in masks]

    tinted = [i for i in range(len(masks)) if not (outlined and outlined[i])]
    _tint(canvas, masks[tinted], [colours[i] for i in tinted])
    for i, colour in enumerate(colours):
        if extents[i] is not None:
            _contour(canvas, masks[i], extents[i], colour, line)
        elif boxes is not None:
            extents[i] = _frame(canvas, boxes[i], colour, line)
    for label in place_labels(masks, extents, phrases, scores, colours):
        label.draw(canvas)


def _tint(canvas: NDArray[np.uint8], masks: NDArray[np.bool_], colours: Sequence[Rgb]) -> None:
    """Tint every covered pixel with the mean colour of the masks that cover it."""
    table = np.array(colours, np.float32).reshape(-1, 3)
    rows = max(1, _BAND // (canvas.shape[1] * max(1, len(masks))))
    for top in range(0, len(canvas), rows):
        band, some = canvas[top : top + rows], masks[:, top : top + rows]
        covered = some.any(axis=0)
        if covered.any():
            share = some[:, covered].astype(np.float32)
            blend(band, covered, (share.T @ table) / share.sum(axis=0)[:, None], _TINT)


def _contour(
    canvas: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    box: tuple[int, int, int, int] | None,
    colour: Rgb,
    line: float,
) -> None:
    """Draw an anti-aliased line of ``line`` pixels along the edge of the mask, white on its outer side.

    A Gaussian blur of width sigma turns a straight edge into the normal distribution function of the distance to
    it, so the distance to the edge is read off the blurred mask with a table of 256 entries. Sigma is small enough
    that a mask one pixel wide is a line still.
    """
    if box is None:
        return
    sigma = max(0.8, line / 2)
    halo = max(0.7, line / 3)
    pad = int(np.ceil(3 * sigma + line + halo))
    x0, y0, x1, y1 = box
    x0, y0, x1, y1 = max(0, x0 - pad), max(0, y0 - pad), min(mask.shape[1], x1 + pad), min(mask.shape[0], y1 + pad)
    crop = Image.fromarray(mask[y0:y1, x0:x1].astype(np.uint8) * 255)
    blurred = np.asarray(crop.filter(ImageFilter.GaussianBlur(sigma)))

    bell = NormalDist(sigma=sigma)
    inside = np.array([bell.inv_cdf((level + 0.5) / 256) for level in range(256)])  # pixels, below 0 is outside
    core = np.clip(line / 2 + 0.5 - np.abs(inside), 0, 1)
    rim = _HALO * np.clip(halo / 2 + 0.5 - np.abs(inside + (line + halo) / 2), 0, 1)
    for table, ink in ((rim, (255, 255, 255)), (core, colour)):
        rows, columns = np.nonzero((table > 0)[blurred])
        blend(canvas[y0:y1, x0:x1], (rows, columns), ink, table[blurred[rows, columns]])


def _frame(
    canvas: NDArray[np.uint8], box: NDArray[np.float64], colour: Rgb, line: float
) -> tuple[int, int, int, int] | None:
    """Outline a box inside the image; returns it in whole pixels, None where nothing of it is in the image."""
    height, width = canvas.shape[:2]
    x0, x1 = (int(x) for x in np.clip(np.rint(box[[0, 2]]), 0, width))
    y0, y1 = (int(y) for y in np.clip(np.rint(box[[1, 3]]), 0, height))
    if x0 >= x1 or y0 >= y1:
        return None
    edge = np.ones((y1 - y0, x1 - x0), np.bool_)
    thick = int(np.ceil(line))
    edge[thick:-thick, thick:-thick] = False
    blend(canvas[y0:y1, x0:x1], edge, colour, 1.0)
    return x0, y0, x1, y1
