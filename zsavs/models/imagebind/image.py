"""ImageBind's preprocessing of images: an image to a standardised square of 224 pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zsavs.models.imagebind.config import IMAGE_SIZE
from zsavs.models.inputs import check_images

if TYPE_CHECKING:
    import torch

__all__ = ["preprocess_image"]

#: CLIP's means and deviations of red, green and blue.
_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)

#: Images this many times longer than wide are cut to it before they are scaled.
_MAX_ASPECT = 32


def preprocess_image(image: NDArray[np.uint8]) -> torch.Tensor:
    """Scale the shorter side to 224 pixels, take the middle square and standardise the colours.

    Scaling is Pillow's bicubic on bytes; other resizers give visibly other numbers. An image more than 32 times as
    long as wide is cut to that beforehand: scaled up as a whole, a thin line would take gigabytes.

    Args:
        image: (H, W, 3) uint8 RGB of any size.

    Returns:
        (3, 224, 224) float32, about -1.8 to 2.2.

    Raises:
        ImageError: not such an array.
    """
    import torch
    from PIL import Image

    (image,) = check_images([image])
    height, width = image.shape[:2]
    image = _middle(image, min(height, _MAX_ASPECT * width), min(width, _MAX_ASPECT * height))
    height, width = image.shape[:2]
    short = min(height, width)
    scaled_hw = IMAGE_SIZE * height // short, IMAGE_SIZE * width // short
    scaled = Image.fromarray(image).resize(scaled_hw[::-1], Image.Resampling.BICUBIC)
    square = _middle(np.asarray(scaled), IMAGE_SIZE, IMAGE_SIZE).astype(np.float32) / np.float32(255)
    return torch.from_numpy(np.ascontiguousarray(((square - _MEAN) / _STD).transpose(2, 0, 1)))


def _middle(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The middle of an image; half a pixel goes to the even side, as Python rounds."""
    top, left = round((image.shape[0] - height) / 2), round((image.shape[1] - width) / 2)
    return image[top : top + height, left : left + width]
