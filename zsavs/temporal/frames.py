"""Frames of a video, each with the audio around it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import AudioError, InputError
from zsavs.media.audio_clip import excerpt
from zsavs.media.audio_file import load_audio
from zsavs.media.image_file import load_image
from zsavs.types import AudioClip, AVSample

__all__ = ["frames_with_audio"]


def frames_with_audio(
    frames: Iterable[NDArray[np.uint8] | str | PathLike[str]],
    audio: AudioClip | str | PathLike[str],
    *,
    fps: float = 1.0,
    context_s: float = 1.0,
) -> Iterator[AVSample]:
    """The frames of a video with their audio. Frame t, from 0, is shown in [t / fps, (t + 1) / fps).

    Args:
        frames: images (H, W, 3) uint8, or files; taken one at a time.
        audio: the audio of the whole video, from its start; a file is read whole.
        fps: frames a second. AVSBench has one, each at the end of the second that it stands for.
        context_s: seconds of audio for each frame, the frame's own time in the middle; ``math.inf`` for all of it. See
            :func:`zsavs.media.audio_clip.excerpt`.

    Yields:
        Samples, named after their numbers.

    Raises:
        InputError: ``fps`` or ``context_s`` is not above 0.
        AudioError: the audio cannot be read, or ends before a frame begins.
        ImageError: a frame is no image.
    """
    try:
        in_range = 0 < fps < math.inf and context_s > 0
    except TypeError:
        in_range = False
    if not in_range:
        raise InputError(f"fps and context_s must be numbers above 0, got {fps!r} and {context_s!r}.")
    if isinstance(frames, str | bytes) or not isinstance(frames, Iterable):
        raise InputError(f"frames: expected images or files one after the other, got {type(frames).__name__}.")
    clip = audio if isinstance(audio, AudioClip) else load_audio(audio, max_duration_s=math.inf)
    return _samples(frames, clip, fps, context_s)


def _samples(frames: Iterable[object], clip: AudioClip, fps: float, context_s: float) -> Iterator[AVSample]:
    for number, frame in enumerate(frames):
        begin = number / fps
        if begin >= clip.duration_s:
            raise AudioError(
                f"{clip.source or 'the audio'}: is {clip.duration_s:.2f} s long, and frame {number} at {fps:g} frames "
                f"a second begins at {begin:.2f} s; check fps, or leave out the frames without audio."
            )
        image = frame if isinstance(frame, np.ndarray) else load_image(frame)  # type: ignore[arg-type]
        yield AVSample(image, excerpt(clip, begin, 1 / fps, context_s), f"frame {number}")
