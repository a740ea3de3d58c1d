"""A label map as an image: class ids that a program reads, in colours for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zsavs.draw.colours import palette

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["label_image"]


def label_image(labels: NDArray[np.uint8], colours: NDArray[np.uint8] | None = None) -> Image.Image:
    """A palette image whose pixel values are the class ids; the background is black.

    Args:
        labels: (H, W) uint8.
        colours: (C, 3) uint8, one for each class; colours that stay apart if left out.
    """
    from PIL import Image

    image = Image.fromarray(labels)
    if colours is None:
        colours = np.array([(0, 0, 0), *palette(int(labels.max(initial=0)))], np.uint8)
    image.putpalette(colours.tobytes())
    return image
