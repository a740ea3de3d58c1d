"""From files to arrays: decoding, resampling, windows, resizing, and the exact way back to the picture's pixels.

Importing this package loads numpy and nothing heavier; decoders are imported when a file is opened.
"""

from zsavs.media.audio import load_audio
from zsavs.media.image import load_image

__all__ = ["load_audio", "load_image"]
