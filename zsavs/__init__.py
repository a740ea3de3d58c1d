"""zsavs: training-free, zero-shot audio-visual segmentation.

>>> import zsavs
>>> result = zsavs.segment("dog.jpg", "bark.wav")                    # doctest: +SKIP
>>> result.show()                                                    # doctest: +SKIP

For more than one pair, build a pipeline once: :func:`build_pipeline`, :class:`AVSample`, :func:`compare`. For a
folder of them: :func:`label`.

Importing this package loads neither torch nor any model; names are resolved when they are first used.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from zsavs.version import __version__

if TYPE_CHECKING:
    from zsavs.build import build_pipeline, compare, profile, segment
    from zsavs.errors import ZsavsError
    from zsavs.formats.coco import to_coco
    from zsavs.formats.export import export
    from zsavs.labelling import label
    from zsavs.pipeline import Pipeline
    from zsavs.registry import list_components
    from zsavs.result import AVSResult
    from zsavs.temporal.video_result import VideoResult
    from zsavs.types import AudioClip, AVSample, Proposals, Query

__all__ = [
    "AVSResult",
    "AVSample",
    "AudioClip",
    "Pipeline",
    "Proposals",
    "Query",
    "VideoResult",
    "ZsavsError",
    "__version__",
    "build_pipeline",
    "compare",
    "export",
    "label",
    "list_components",
    "profile",
    "segment",
    "to_coco",
]

_HOMES = {
    "AVSResult": "result",
    "AVSample": "types",
    "AudioClip": "types",
    "Pipeline": "pipeline",
    "Proposals": "types",
    "Query": "types",
    "VideoResult": "temporal.video_result",
    "ZsavsError": "errors",
    "build_pipeline": "build",
    "compare": "build",
    "export": "formats.export",
    "label": "labelling",
    "list_components": "registry",
    "profile": "build",
    "segment": "build",
    "to_coco": "formats.coco",
}

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'zsavs' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"zsavs.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
