"""One call from files to a result; the pipeline is kept for the next call."""

from __future__ import annotations

import functools
from os import PathLike
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from zsavs.build.availability import first_preset_here
from zsavs.build.pipelines import build_pipeline
from zsavs.errors import AudioError, ImageError
from zsavs.media.audio_file import load_audio
from zsavs.media.image_file import load_image
from zsavs.media.video_file import is_video, probe_video
from zsavs.pipeline import Pipeline
from zsavs.presets import find_preset
from zsavs.result import AVSResult
from zsavs.temporal.video_result import VideoResult
from zsavs.types import AudioClip, AVSample

__all__ = ["segment"]

#: Settings of a video, which are not the pipeline's own.
_OF_VIDEO = ("fps", "start_s", "end_s", "show", "smooth", "batch_size", "progress")


@overload
def segment(
    image: str | PathLike[str],
    audio: None = None,
    strategy: str | None = None,
    preset: str | None = None,
    **settings: Any,
) -> VideoResult: ...


@overload
def segment(
    image: str | PathLike[str] | NDArray[np.uint8],
    audio: str | PathLike[str] | AudioClip,
    strategy: str | None = None,
    preset: str | None = None,
    **settings: Any,
) -> AVSResult: ...


def segment(
    image: str | PathLike[str] | NDArray[np.uint8],
    audio: str | PathLike[str] | AudioClip | None = None,
    strategy: str | None = None,
    preset: str | None = None,
    **settings: Any,
) -> AVSResult | VideoResult:
    """Segment what sounds in one image, or in a video. The pipeline is kept, so that the next call is quick.

    Args:
        image: a file, or (H, W, 3) uint8 RGB; or a video file, whose own audio is heard if no other is given.
        audio: a file, or an :class:`~zsavs.AudioClip`.
        strategy: a name (``zsavs.list_components("strategy")``); the preset's own if left out.
        preset: names one checkpoint for each role; the best of "large", "base" and "pocket" that is on this machine if
            left out.
        settings: as for :func:`zsavs.build_pipeline`: device, dtype, vocabulary, components and settings by name. Of a
            video also those of :meth:`zsavs.Pipeline.video`: fps, start_s, end_s, show, smooth, progress.

    Returns:
        The result, of a video a :class:`~zsavs.VideoResult`. Nothing in view sounds: it is empty, which is an answer
        and not an error.

    Raises:
        ImageError, AudioError, VideoError: a file cannot be read, or what was given is neither file nor array; or an
            image comes without audio.
        MissingExtra: a video is given, and PyAV is not installed.
        MissingWeights: the preset is not on this machine, or no preset is and none was named; says how to fetch one.
        UnknownName, InputError: as :func:`zsavs.build_pipeline`.

    >>> import zsavs
    >>> from zsavs.testing import toy
    >>> sample, _ = toy.scene(["red", "blue"], ["blue"])
    >>> zsavs.segment(sample.image, sample.audio, preset="toy").phrases
    ('blue',)
    """
    if isinstance(image, str | PathLike) and (audio is None or is_video(image)):
        return _segment_video(image, audio, strategy, preset, settings)
    if audio is None:
        raise AudioError("an image needs an audio file or a zsavs.AudioClip beside it; a video alone has both.")
    sample = _sample(image, audio)  # what cannot be read is told before any model is loaded
    preset = preset or first_preset_here(device=settings.get("device", "auto"))
    return _pipeline(strategy or find_preset(preset).strategy, preset, settings)(sample)


def _segment_video(path: Any, audio: Any, strategy: str | None, preset: str | None, settings: Any) -> VideoResult:
    if audio is not None and not isinstance(audio, str | PathLike | AudioClip):
        raise AudioError(f"expected an audio file or a zsavs.AudioClip, got {type(audio).__name__}.")
    if not is_video(path) and Path(path).is_file():
        raise AudioError(f"{path}: no video; an image needs an audio file beside it: zsavs.segment(image, audio).")
    probe_video(path)  # what cannot be read is told before any model is loaded
    preset = preset or first_preset_here(device=settings.get("device", "auto"))
    of_video = {name: settings[name] for name in _OF_VIDEO if name in settings}
    rest = {name: value for name, value in settings.items() if name not in of_video}
    return _pipeline(strategy or find_preset(preset).strategy, preset, rest).video(path, audio, **of_video)


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
