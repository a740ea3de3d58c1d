"""Where the frames of a video and its audio come from: a file, or frames that are given one by one."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import AudioError, InputError
from zsavs.media.audio_clip import AudioClip
from zsavs.media.audio_file import load_audio
from zsavs.media.image_file import load_image
from zsavs.media.video_file import VideoFrame, load_video_audio, probe_video, read_frames

__all__ = ["FrameSource", "check_fps", "source_of_file", "source_of_frames"]


@dataclass(frozen=True, eq=False)
class FrameSource:
    """The frames of a video and its audio.

    Args:
        read: gives the frames that are shown so many times a second, in order, from the start each time.
        audio: of the whole video, from its start.
        start_s, end_s: the part that is answered, in seconds.
        name: the file, or "".
    """

    read: Callable[[float], Iterator[VideoFrame]]
    audio: AudioClip
    start_s: float
    end_s: float
    name: str = ""


def source_of_file(
    path: str | os.PathLike[str], audio: AudioClip | str | os.PathLike[str] | None, start_s: float, end_s: float
) -> FrameSource:
    """The frames of a video file, with its own audio or another.

    Raises:
        VideoError, AudioError: a file cannot be read, or the video has no sound and no other is given.
        InputError: the part is none.
    """
    _check_part(start_s, end_s)
    info = probe_video(path)
    clip = load_video_audio(path) if audio is None else _clip(audio)
    if clip is None:
        raise AudioError(f"{os.fsdecode(path)}: the video has no sound; give an audio file with it.")
    if start_s >= info.duration_s:
        raise InputError(
            f"{os.fsdecode(path)}: begins to be read at {start_s:g} s, and is {info.duration_s:.2f} s long."
        )
    end_s = min(end_s, info.duration_s)
    return FrameSource(
        lambda fps: read_frames(path, fps=fps, start_s=start_s, end_s=end_s), clip, start_s, end_s, os.fsdecode(path)
    )


def source_of_frames(
    frames: Iterable[NDArray[np.uint8] | str | os.PathLike[str]],
    fps: float,
    audio: AudioClip | str | os.PathLike[str],
    start_s: float,
    end_s: float,
) -> FrameSource:
    """Frames that are given one by one, arrays or files; frame k is shown from k / fps on.

    Raises:
        InputError: the part is none, there are no frames, or they are no images.
        AudioError: the audio cannot be read.
    """
    check_fps(fps)
    _check_part(start_s, end_s)
    if isinstance(frames, str | bytes) or not isinstance(frames, Iterable):
        raise InputError(f"frames: expected images or files one after the other, got {type(frames).__name__}.")
    known = frames if isinstance(frames, Sequence) else list(frames)
    end_s = min(end_s, len(known) / fps)
    if not len(known) or start_s >= end_s:
        raise InputError(f"there are no frames between {start_s:g} and {end_s:g} s; {len(known)} are given.")

    def read(rate: float) -> Iterator[VideoFrame]:
        shown = -1
        for count in range(math.ceil((end_s - start_s) * rate - 1e-9)):
            number = int((start_s + count / rate) * fps + 1e-6)
            if number != shown and number < len(known):
                shown, frame = number, known[number]
                yield VideoFrame(frame if isinstance(frame, np.ndarray) else load_image(frame), number / fps)

    return FrameSource(read, _clip(audio), start_s, end_s)


def check_fps(fps: float) -> None:
    """Refuse frames a second that are none.

    Raises:
        InputError: no number above 0.
    """
    if isinstance(fps, bool) or not isinstance(fps, Real) or not 0 < fps < math.inf:
        raise InputError(f"fps must be a number above 0, got {fps!r}.")


def _check_part(start_s: float, end_s: float) -> None:
    try:
        in_order = 0 <= start_s < end_s
    except TypeError:
        in_order = False
    if not in_order:
        raise InputError(f"start_s and end_s are seconds, 0 <= start_s < end_s; got {start_s!r} and {end_s!r}.")


def _clip(audio: AudioClip | str | os.PathLike[str]) -> AudioClip:
    return audio if isinstance(audio, AudioClip) else load_audio(audio)
