"""What the page takes in, how large and how long it may be, and what is said of the rest."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from zsavs.errors import AudioError, ImageError, VideoError, ZsavsError, reason
from zsavs.media.audio_file import load_audio
from zsavs.media.image_file import load_image
from zsavs.media.resize import shrink
from zsavs.media.video_file import is_video, probe_video
from zsavs.types import AVSample

__all__ = ["Limits", "check_video", "read_pair", "told"]

#: A longer audio file is seen to be longer by reading so much more; excerpts have ten seconds each.
_BEYOND_S = 20.0
#: What a page needs of an image; the masks that are kept are of this size.
_KEPT_PIXELS = 1_000_000
#: The largest frame of a video: 4K.
_FRAME_PIXELS = 3840 * 2160


@dataclass(frozen=True)
class Limits:
    """How much one visitor may ask for.

    Args:
        megabytes: of a file.
        megapixels: of an image.
        audio_s: of an audio file, in seconds.
        video_s: of a video, in seconds.
        fps: frames of a video that are looked at in a second.
    """

    megabytes: float = 50.0
    megapixels: float = 40.0
    audio_s: float = 120.0
    video_s: float = 30.0
    fps: float = 4.0


def read_pair(image: str | None, audio: str | None, limits: Limits) -> AVSample:
    """The sample of an image file and an audio file, which knows the files' names and not where they lie.

    An image is shrunk to a megapixel.

    Raises:
        ImageError, AudioError: one is missing, cannot be read, or is over a limit.
    """
    if not image:
        raise ImageError("Add an image first: drop a file, paste one, or take one with the camera.")
    if not audio:
        raise AudioError("Add a recording first: drop a file, or record one with the microphone.")
    _check_size(image, limits, ImageError)
    _check_size(audio, limits, AudioError)
    pixels = shrink(load_image(image, max_pixels=int(limits.megapixels * 1e6)), _KEPT_PIXELS)
    if is_video(audio):
        raise AudioError(f"{Path(audio).name} is a video; put it under “Video”.")
    clip = load_audio(audio, max_duration_s=limits.audio_s + _BEYOND_S)
    if clip.duration_s > limits.audio_s:
        raise AudioError(
            f"{Path(audio).name} is longer than the {_time(limits.audio_s)} that this page takes. Cut it, or run: "
            "zsavs segment IMAGE AUDIO"
        )
    return AVSample(pixels, replace(clip, source=Path(audio).name), name=Path(image).name)


def check_video(video: str | None, limits: Limits) -> None:
    """Refuse what is no video that the page takes.

    Raises:
        VideoError: it is missing, cannot be read, has no sound, or is over a limit.
        MissingExtra: PyAV is not installed.
    """
    if not video:
        raise VideoError("Add a video first: drop a file, or record one with the camera.")
    _check_size(video, limits, VideoError)
    info, name = probe_video(video), Path(video).name
    if info.duration_s > limits.video_s:
        raise VideoError(
            f"{name} is {_time(info.duration_s)} long; this page takes {_time(limits.video_s)}. Cut it, or run: "
            "zsavs segment VIDEO"
        )
    if info.size_hw[0] * info.size_hw[1] > _FRAME_PIXELS:
        raise VideoError(f"{name} has frames of {info.size_hw[1]}×{info.size_hw[0]} pixels; this page takes 4K.")
    if not info.has_audio:
        raise VideoError(f"{name} has no sound; what sounds in it cannot be told.")


def told(error: BaseException, *files: str | None) -> str:
    """What is said of an error on the page: one line, in which a file is named and not where it lies.

    Args:
        error: ours is told as it is, any other only by its kind.
        files: paths that its message may hold.
    """
    if not isinstance(error, ZsavsError):
        return f"Something went wrong here ({type(error).__name__}); where zsavs app runs, its log says what."
    text, places = reason(error), [Path(path) for path in files if path]
    for place in places:
        text = text.replace(str(place), place.name)
    for folder in {place.parent for place in places}:  # of other files beside them
        text = text.replace(f"{folder}{os.sep}", "")
    return text


def _check_size(path: str, limits: Limits, kind: type[ZsavsError]) -> None:
    """Refuse a file that is too large, or is not there any more."""
    try:
        megabytes = Path(path).stat().st_size / 1e6
    except OSError:
        raise kind(f"{Path(path).name} has been deleted here; add it again.") from None
    if megabytes > limits.megabytes:
        raise kind(f"{Path(path).name} has {megabytes:.0f} MB; this page takes {limits.megabytes:g} MB.")


def _time(seconds: float) -> str:
    """A duration in words.

    >>> _time(120), _time(95), _time(20)
    ('2 min', '1 min 35 s', '20 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    return " ".join(f"{number} {unit}" for number, unit in ((minutes, "min"), (rest, "s")) if number) or "0 s"
