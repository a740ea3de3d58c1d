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
    frames: Iterable[NDArray[np.uint8] | VideoFrame | str | os.PathLike[str]],
    fps: float,
    audio: AudioClip | str | os.PathLike[str],
    start_s: float,
    end_s: float,
) -> FrameSource:
    """Frames that are given one by one, arrays or files; frame k is shown from k / fps on.

    A :class:`~zsavs.media.video_file.VideoFrame` has its own time in place of k / fps; then all of them have.

    Raises:
        InputError: the part is none, there are no frames, they are no images, or their times are not in order.
        AudioError: the audio cannot be read.
    """
    check_fps(fps)
    _check_part(start_s, end_s)
    if isinstance(frames, str | bytes) or not isinstance(frames, Iterable):
        raise InputError(f"frames: expected images or files one after the other, got {type(frames).__name__}.")
    known = frames if isinstance(frames, Sequence) else list(frames)
    times_s = _times(known, fps)
    end_s = min(end_s, times_s[-1] + 1 / fps) if len(known) else 0.0
    if not len(known) or start_s >= end_s:
        raise InputError(f"there are no frames between {start_s:g} and {end_s:g} s; {len(known)} are given.")
    begin_s = max(start_s, times_s[0])

    def read(rate: float) -> Iterator[VideoFrame]:
        shown = -1
        for count in range(math.ceil((end_s - begin_s) * rate - 1e-9)):
            number = int(np.searchsorted(times_s, begin_s + count / rate + 1e-6, side="right")) - 1
            if number != shown:
                shown = number
                yield VideoFrame(_image(known[number]), float(times_s[number]))

    return FrameSource(read, _clip(audio), start_s, end_s)


def _times(frames: Sequence[object], fps: float) -> NDArray[np.float64]:
    """When each frame is shown, in seconds."""
    own = [frame.time_s for frame in frames if isinstance(frame, VideoFrame)]
    if not own:
        return np.arange(len(frames)) / fps
    times_s = np.array(own, np.float64)
    if len(own) < len(frames) or not np.isfinite(times_s).all() or times_s[0] < 0 or (np.diff(times_s) <= 0).any():
        raise InputError("frames: where one has a time of its own, all need one, in order and from 0 s on.")
    return times_s


def _image(frame: NDArray[np.uint8] | VideoFrame | str | os.PathLike[str]) -> NDArray[np.uint8]:
    image = frame.image if isinstance(frame, VideoFrame) else frame
    return image if isinstance(image, np.ndarray) else load_image(image)


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
