"""How a video's frames are displayed: turned upright, pixels made square, colours converted to RGB."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.media.container import MAX_PIXELS

__all__ = ["Display"]

#: The most that a frame is stretched for pixels that are not square.
_MAX_STRETCH = 8
#: From this height on, frames that do not say so have the colours of HDTV (BT.709), and below those of PAL and NTSC
#: (BT.601), which is how browsers and players read them.
_HD_ROWS = 720
_BT709, _BT601, _UNSTATED = 1, 5, 2


class Display:
    """How the frames of a video are displayed: upright, with square pixels, all as large as the first.

    Args:
        stream: PyAV's stream of pictures.
        first: its first frame.

    Attributes:
        size_hw: (H, W) as displayed.
    """

    def __init__(self, stream: Any, first: Any) -> None:
        width, height, aspect = first.width, first.height, stream.sample_aspect_ratio or 1
        stretched = round(width * aspect)
        if 1 / _MAX_STRETCH <= aspect <= _MAX_STRETCH and stretched * height <= MAX_PIXELS:
            width = max(1, stretched)
        self._size_wh = width, height
        self._turns = round(first.rotation / 90) % 4
        self.size_hw = (width, height) if self._turns % 2 else (height, width)

    def image(self, frame: Any) -> NDArray[np.uint8]:
        """A frame, (H, W, 3) uint8 RGB.

        Raises:
            Exception: of :func:`zsavs.media.container.foreign_errors`: FFmpeg does not convert these colours.
        """
        width, height = self._size_wh
        space = frame.colorspace
        if space == _UNSTATED and not frame.format.is_rgb:
            space = _BT709 if frame.height >= _HD_ROWS else _BT601
        rgb = frame.reformat(width=width, height=height, format="rgb24", src_colorspace=space)
        image: NDArray[np.uint8] = np.ascontiguousarray(np.rot90(rgb.to_ndarray(), self._turns))
        return image
