"""Several images on one page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image

__all__ = ["contact_sheet"]

_WIDTH = 640
_GAP = 16


def contact_sheet(images: Sequence[Image.Image], columns: int = 3) -> Image.Image:
    """Put images side by side, each 640 pixels wide on a white ground.

    Args:
        images: at least one, RGB; the order is kept, left to right and down.
        columns: the most in a row, at least 1.

    Returns:
        One RGB image.
    """
    scaled = [
        image.resize((_WIDTH, max(1, round(image.height * _WIDTH / image.width))), Image.Resampling.LANCZOS)
        for image in images
    ]
    columns = min(columns, len(scaled))
    rows = math.ceil(len(scaled) / columns)
    heights = [max(p.height for p in scaled[row * columns : (row + 1) * columns]) for row in range(rows)]
    sheet = Image.new("RGB", (columns * (_WIDTH + _GAP) + _GAP, sum(heights) + (rows + 1) * _GAP), "white")
    for place, image in enumerate(scaled):
        row, column = divmod(place, columns)
        sheet.paste(image, (_GAP + column * (_WIDTH + _GAP), _GAP + sum(heights[:row]) + row * _GAP))
    return sheet
