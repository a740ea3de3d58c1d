"""ImageBind: audio, images and text in one embedding space (Girdhar et al., CVPR 2023).

Our own implementation of three of its towers, with their preprocessing, for the official weights. Those are licensed
for non-commercial use only (CC-BY-NC-SA-4.0); zsavs neither ships nor fetches them, and no preset uses them unless its
name says so.

:class:`ImageBindEncoder` is the adapter; :class:`ImageBind` are the bare towers, which take what
:func:`preprocess_image`, :func:`tokenize` and :func:`preprocess_audio` make.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zsavs.models.imagebind.audio import preprocess_audio
from zsavs.models.imagebind.checkpoint import CARDS, DEFAULT
from zsavs.models.imagebind.config import HUGE, ImageBindConfig
from zsavs.models.imagebind.encoder import ImageBindEncoder
from zsavs.models.imagebind.image import preprocess_image
from zsavs.models.imagebind.text import tokenize

if TYPE_CHECKING:
    from zsavs.models.imagebind.towers import ImageBind

__all__ = [
    "CARDS",
    "DEFAULT",
    "HUGE",
    "ImageBind",
    "ImageBindConfig",
    "ImageBindEncoder",
    "preprocess_audio",
    "preprocess_image",
    "tokenize",
]


def __getattr__(name: str) -> Any:
    # The towers are torch modules, and naming the adapter must not load torch.
    if name == "ImageBind":
        from zsavs.models.imagebind.towers import ImageBind

        return ImageBind
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
