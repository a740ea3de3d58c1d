"""Several pictures on one page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image

__all__ = ["contact_sheet"]

_WIDTH = 640
_GAP = 16


def contact_sheet(pictures: Sequence[Image.Image], columns: int = 3) -> Image.Image:
    """Put pictures side by side, each 640 pixels wide on a white ground.

    Args:
        pictures: at least one, RGB; the order is kept, left to right and down.
        columns: the most in a row, at least 1.

    Returns:
        One RGB picture.
    """
    scaled = [
        picture.resize((_WIDTH, max(1, round(picture.height * _WIDTH / picture.width))), Image.Resampling.LANCZOS)
        for picture in pictures
    ]
    columns = min(columns, len(scaled))
    rows = math.ceil(len(scaled) / columns)
    heights = [max(p.height for p in scaled[row * columns : (row + 1) * columns]) for row in range(rows)]
    sheet = Image.new("RGB", (columns * (_WIDTH + _GAP) + _GAP, sum(heights) + (rows + 1) * _GAP), "white")
    for place, picture in enumerate(scaled):
        row, column = divmod(place, columns)
        sheet.paste(picture, (_GAP + column * (_WIDTH + _GAP), _GAP + sum(heights[:row]) + row * _GAP))
    return sheet
