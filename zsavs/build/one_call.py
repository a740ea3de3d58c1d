"""One call from files to a result; the pipeline is kept for the next call."""

from __future__ import annotations

import functools
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.build.availability import first_preset_here
from zsavs.build.pipelines import build_pipeline
from zsavs.errors import AudioError, ImageError
from zsavs.media.audio_file import load_audio
from zsavs.media.image_file import load_image
from zsavs.pipeline import Pipeline
from zsavs.presets import find_preset
from zsavs.result import AVSResult
from zsavs.types import AudioClip, AVSample

__all__ = ["segment"]


def segment(
    image: str | PathLike[str] | NDArray[np.uint8],
    audio: str | PathLike[str] | AudioClip,
    strategy: str | None = None,
    preset: str | None = None,
    **settings: Any,
) -> AVSResult:
    """Segment what sounds in one image. The pipeline is kept, so that the next call with the same names is quick.

    Args:
        image: a file, or (H, W, 3) uint8 RGB.
        audio: a file, or an :class:`~zsavs.AudioClip`.
        strategy: a name (``zsavs.list_components("strategy")``); the preset's own if left out.
        preset: names one checkpoint for each role; the best of "large", "base" and "pocket" that is on this machine if
            left out.
        settings: as for :func:`zsavs.build_pipeline`: device, dtype, vocabulary, components and settings by name.

    Returns:
        The result. Nothing in view sounds: it is empty, which is an answer and not an error.

    Raises:
        ImageError, AudioError: a file cannot be read, or what was given is neither file nor array.
        MissingWeights: the preset is not on this machine, or no preset is and none was named; says how to fetch one.
        UnknownName, InputError: as :func:`zsavs.build_pipeline`.

    >>> import zsavs
    >>> from zsavs.testing import toy
    >>> sample, _ = toy.scene(["red", "blue"], ["blue"])
    >>> zsavs.segment(sample.image, sample.audio, preset="toy").phrases
    ('blue',)
    """
    sample = _sample(image, audio)  # what cannot be read is told before any model is loaded
    preset = preset or first_preset_here()
    return _pipeline(strategy or find_preset(preset).strategy, preset, settings)(sample)


def _sample(image: Any, audio: Any) -> AVSample:
    if not isinstance(image, str | PathLike | np.ndarray):
        raise ImageError(f"expected an image file or an array (height, width, 3), got {type(image).__name__}.")
    if not isinstance(audio, str | PathLike | AudioClip):
        raise AudioError(f"expected an audio file or a zsavs.AudioClip, got {type(audio).__name__}.")
    named = "" if isinstance(image, np.ndarray) else str(image)
    pixels = image if isinstance(image, np.ndarray) else load_image(image)
    return AVSample(pixels, audio if isinstance(audio, AudioClip) else load_audio(audio), named)


def _pipeline(strategy: str, preset: str, settings: dict[str, Any]) -> Pipeline:
    """The kept pipeline, where it was built from the same; lists among the settings are compared by what they hold."""
    key = tuple(sorted((name, tuple(v) if isinstance(v, list) else v) for name, v in settings.items()))
    try:
        hash(key)
    except TypeError:  # a setting that cannot be compared with the last call's
        return build_pipeline(strategy, preset, **settings)
    return _kept(strategy, preset, key)


@functools.lru_cache(maxsize=1)
def _kept(strategy: str, preset: str, settings: tuple[tuple[str, Any], ...]) -> Pipeline:
    return build_pipeline(strategy, preset, **dict(settings))
