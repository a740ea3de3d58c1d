"""A label map as a picture: class ids that a program reads, in colours for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zsavs.draw.colours import palette

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["label_picture"]


def label_picture(labels: NDArray[np.uint8], colours: NDArray[np.uint8] | None = None) -> Image.Image:
    """A palette picture whose pixel values are the class ids; the background is black.

    Args:
        labels: (H, W) uint8.
        colours: (C, 3) uint8, one for each class; colours that stay apart if left out.
    """
    from PIL import Image

    picture = Image.fromarray(labels)
    if colours is None:
        colours = np.array([(0, 0, 0), *palette(int(labels.max(initial=0)))], np.uint8)
    picture.putpalette(colours.tobytes())
    return picture
