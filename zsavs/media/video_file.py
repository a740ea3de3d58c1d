"""Video files: their frames as a stream with their times, decoded to RGB as they are displayed."""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from itertools import chain
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError, VideoError, first_line
from zsavs.media.audio_clip import AudioClip
from zsavs.media.audio_stream import read_sound
from zsavs.media.container import (
    MAX_PIXELS,
    Decoder,
    foreign_errors,
    open_container,
    picture_stream,
    seconds,
    sound_stream,
)
from zsavs.media.display import Display
from zsavs.media.input_file import looks_like, open_input, readable_name

__all__ = ["VideoFrame", "VideoInfo", "check_span", "is_video", "load_video_audio", "probe_video", "read_frames"]

log = logging.getLogger(__name__)

#: Times that differ by less are the same: Matroska and Flash round them to a thousandth of a second.
_SAME_S = 1e-3
#: By so much less than it states a video ends without being said to be cut off.
_EARLY_S = 0.5


class VideoInfo(NamedTuple):
    """What a video is: its size as displayed, (H, W), its length, its mean frame rate, and whether it has sound."""

    size_hw: tuple[int, int]
    duration_s: float
    fps: float
    has_audio: bool


class VideoFrame(NamedTuple):
    """A frame, (H, W, 3) RGB as displayed, and its own time in seconds from the video's first frame."""

    image: NDArray[np.uint8]
    time_s: float


class _Shown(NamedTuple):
    """A decoded frame that is shown from a time until, as far as it says itself, another."""

    frame: Any
    time_s: float
    until_s: float


def probe_video(path: str | os.PathLike[str]) -> VideoInfo:
    """What a video is, from its header and its first frame; its packets are counted where the header states no length.

    Args:
        path: the file: MP4, MOV, Matroska, WebM, AVI, and what else FFmpeg reads.

    Returns:
        Its size as displayed (turned upright, square pixels), its duration in seconds from its first frame, frames a
        second on average, and whether it has a stream of sound.

    Raises:
        VideoError: not there, not readable, not a video, or nothing of it can be decoded.
        MissingExtra: PyAV is not installed.
    """
    name = readable_name(path, VideoError)
    with _open(path, name) as (container, stream):
        frame, begin_s = _first(container, stream, name)
        duration_s, rate = _stated_s(container, stream, begin_s), stream.average_rate or stream.guessed_rate
        size_hw, has_audio = Display(stream, frame).size_hw, sound_stream(container) is not None
    if not duration_s or not rate:
        frames, until_s = _count(path)
        duration_s = duration_s or until_s - begin_s
        rate = rate or (frames / duration_s if duration_s > 0 else 0)
    fps = float(rate) or 1.0
    return VideoInfo(size_hw, max(duration_s, 1 / fps), fps, has_audio)


def is_video(path: str | os.PathLike[str]) -> bool:
    """Whether a file has moving pictures, not merely a cover image; False for what is not there.

    Images are none, animated or not.

    Raises:
        MissingExtra: the file begins like a video, and PyAV, which would know, is not installed.
    """
    try:
        with open_input(path, VideoError) as file:
            kind = looks_like(file)
        if _is_image(kind) or kind in ("text", "a PDF document", "a ZIP archive", "a WAV file", "a FLAC file"):
            return False
        with open_container(path, VideoError) as container:
            return picture_stream(container) is not None
    except InputError:
        return False


def load_video_audio(path: str | os.PathLike[str]) -> AudioClip | None:
    """The sound of a video on the video's clock: it starts with the first frame.

    Sound that starts later is preceded by silence, of sound that starts earlier the beginning is cut; gaps are
    silence, and it may end before the video or after it. Of several streams the one marked as default is taken, or the
    first. Long ones are held as :func:`zsavs.media.audio_file.load_audio` holds them.

    Returns:
        The clip at its own sample rate; None where the video has no stream of sound, or nothing of it can be decoded,
        which is logged.

    Raises:
        VideoError: not there, not readable or not a video.
        AudioError: the sound cannot be used, as for :func:`zsavs.media.audio_file.load_audio`.
        OutputError: a long waveform has no room among the temporary files.
        MissingExtra: PyAV is not installed.
    """
    name = readable_name(path, VideoError)
    with _open(path, name) as (container, _):
        if sound_stream(container) is None:
            return None
    clip = read_sound(path, VideoError)
    if clip is None:
        log.warning("%s: nothing of its sound can be decoded; it is taken for silent.", name)
    return clip


def read_frames(
    path: str | os.PathLike[str], *, fps: float | None = None, start_s: float = 0.0, end_s: float = math.inf
) -> Iterator[VideoFrame]:
    """The frames of a video, one after the other; a few of them are in memory at a time.

    Frames are turned upright, pixels are made square by changing the width, and what the file says of its colours is
    followed (brightness beyond that of a screen, HDR, is not adapted). A frame of another size than the first is
    scaled to the first's. Of a damaged file what can be decoded is used, which is logged in one line.

    Args:
        path: the file, as for :func:`probe_video`.
        fps: None for every frame. Otherwise, for k = 0, 1, ..., the frame that is shown at ``start_s + k / fps``, no
            frame twice.
        start_s: where to begin, in seconds from the video's first frame, at least 0. The frame that is shown then
            comes first, although its own time may be earlier.
        end_s: where to end, above ``start_s``; frames from there on are left out.

    Yields:
        Frames in the order of their times. Times are the file's own, never counted, so the rate may vary.

    Raises:
        VideoError: at once: a rate or a time that makes no sense, or no path; while reading: not there, not readable,
            not a video, nothing can be decoded, or it ends before ``start_s``.
        MissingExtra: PyAV is not installed.
    """
    name = readable_name(path, VideoError)
    check_span("read_frames", start_s, end_s)
    if fps is not None:
        check_rate("read_frames", fps)
    return _read(path, name, fps, float(start_s), float(end_s))


def check_rate(who: str, fps: float) -> None:
    """Refuse a frame rate that is none.

    Raises:
        VideoError: it is no number above 0.
    """
    if isinstance(fps, bool) or not isinstance(fps, Real) or not 0 < fps < math.inf:
        raise VideoError(f"{who}: fps must be a number above 0, got {fps!r:.60}.")


def check_span(who: str, start_s: float, end_s: float) -> None:
    """Refuse a span of time that is none.

    Raises:
        VideoError: ``start_s`` is no number of seconds from 0 on, or ``end_s`` none above it.
    """
    for what, value in (("start_s", start_s), ("end_s", end_s)):
        if isinstance(value, bool) or not isinstance(value, Real) or math.isnan(value):
            raise VideoError(f"{who}: {what} must be a number of seconds, got {value!r:.60}.")
    if not 0 <= start_s < math.inf:
        raise VideoError(f"{who}: start_s must be at least 0 and finite, got {start_s!r}.")
    if end_s <= start_s:
        raise VideoError(f"{who}: end_s must be above start_s, got {end_s!r} and {start_s!r}.")


# ------------------------------------------------------------------------------------------------------ which frames
def _read(
    path: str | os.PathLike[str], name: str, fps: float | None, start_s: float, end_s: float
) -> Iterator[VideoFrame]:
    source, shown, number, given = _Source(path, name), None, 0, False
    step_s = None if fps is None else 1 / float(fps)
    with closing(source.frames(start_s)) as frames:
        for coming in frames:
            if shown is not None and coming.time_s > start_s + _SAME_S:
                if shown.time_s >= end_s:
                    return
                ends = min(coming.time_s, end_s) - _SAME_S
                if step_s is None or start_s + number * step_s < ends:
                    given = True
                    yield source.shown(shown)
                if step_s is not None:
                    number = max(number, math.ceil((coming.time_s - _SAME_S - start_s) / step_s))
                    if start_s + number * step_s >= end_s:
                        return
            shown = coming
    assert shown is not None
    if shown.until_s <= start_s and not given:
        raise VideoError(f"{name}: it ends at {shown.until_s:.2f} s, before start_s={start_s:g}; start earlier.")
    ends = min(max(shown.until_s, shown.time_s + 2 * _SAME_S), end_s) - _SAME_S
    if shown.time_s < end_s and (step_s is None or start_s + number * step_s < ends):
        yield source.shown(shown)
    source.report(shown.until_s)


class _Source:
    """The decoded frames of a video, in order, with times from its first frame."""

    def __init__(self, path: str | os.PathLike[str], name: str) -> None:
        self._path, self._name = path, name

    def frames(self, start_s: float) -> Generator[_Shown]:
        """All frames from, at the latest, the one that is shown at ``start_s``; there is one at least.

        Raises:
            VideoError: as :func:`read_frames`.
        """
        with _open(self._path, self._name) as (container, stream):
            stream.thread_type = "AUTO"  # on all cores, each of which holds a frame
            self._decoder = Decoder(container, stream)
            frames = iter(self._decoder)
            first = next(frames, None)
            if first is None:
                raise _nothing(self._name, self._decoder)
            self._begin_s = seconds(first) or 0.0
            self._display = Display(stream, first)
            self._stated_s = _stated_s(container, stream, self._begin_s)
            if start_s > 0:
                try:  # the last key frame before
                    at = math.floor((self._begin_s + start_s) / stream.time_base)
                    container.seek(at, stream=stream)
                    frames = iter(self._decoder)
                except foreign_errors() as error:
                    log.debug("%s: read from the start (%s)", self._name, error)
                    frames = chain([first], frames)
            else:
                frames = chain([first], frames)
            timed = self._timed(frames, stream)
            earliest = next(timed, None)
            if earliest is not None and (start_s == 0 or earliest.time_s <= start_s + _SAME_S):
                yield earliest
                yield from timed
                return
        # The index leads to too late a place, or to none.
        yield from self.frames(0.0)

    def _timed(self, frames: Iterator[Any], stream: Any) -> Iterator[_Shown]:
        rate = stream.average_rate or stream.guessed_rate
        gap_s, latest_s = float(1 / rate) if rate else 0.04, -math.inf
        for frame in frames:
            own_s, length_s = seconds(frame), float((frame.duration or 0) * (frame.time_base or 0))
            time_s = max(latest_s + gap_s, 0.0) if own_s is None else own_s - self._begin_s
            if time_s <= latest_s or time_s < -_SAME_S:  # out of order, or before the first that is whole
                continue
            if latest_s > -math.inf:
                gap_s = time_s - latest_s
            latest_s = time_s
            # Some decoders make up how long a frame is shown, and too little.
            least_s = gap_s if length_s <= 0 else min(self._stated_s - time_s, gap_s)
            yield _Shown(frame, max(time_s, 0.0), time_s + max(length_s, least_s))

    def shown(self, shown: _Shown) -> VideoFrame:
        """A frame as it is displayed.

        Raises:
            VideoError: its colours cannot be converted.
        """
        try:
            return VideoFrame(self._display.image(shown.frame), shown.time_s)
        except foreign_errors() as error:
            raise VideoError(
                f"{self._name}: the frame at {shown.time_s:.2f} s cannot be converted to RGB ({first_line(error)})."
            ) from error

    def report(self, until_s: float) -> None:
        """Say what could not be decoded, after the last frame."""
        if until_s < self._stated_s - _EARLY_S:
            log.warning(
                "%s: cut off or damaged; using the %.2f of %.2f s that can be decoded.",
                *(self._name, until_s, self._stated_s),
            )
        elif damaged := self._decoder.damaged:
            log.warning("%s: damaged in %d places (%s); using the rest.", self._name, damaged, self._decoder.reason)


# ------------------------------------------------------------------------------------------------ what the file says
@contextmanager
def _open(path: str | os.PathLike[str], name: str) -> Iterator[tuple[Any, Any]]:
    """The container of a video, and its stream of moving pictures.

    Raises:
        VideoError: it cannot be opened, there is none, it is an image, or its frames are too large.
    """
    with open_input(path, VideoError) as file:
        kind = looks_like(file)
    if _is_image(kind):
        raise VideoError(f"{name}: is {kind}, not a video; name a video, or segment an image with an audio file.")
    with open_container(path, VideoError) as container:
        yield container, _pictures(container, name)


def _pictures(container: Any, name: str) -> Any:
    stream = picture_stream(container)
    if stream is None:
        held = "only sound" if container.streams.audio else "nothing that can be decoded"
        held += " and a cover image" if container.streams.video else ""
        raise VideoError(f"{name}: holds no moving pictures, {held}; name a video.")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_PIXELS:
        raise VideoError(
            f"{name}: frames of {width}x{height} pixels are more than the limit of {MAX_PIXELS / 1e6:.0f} million; "
            f"make it smaller."
        )
    return stream


def _is_image(kind: str) -> bool:
    return kind.endswith((" image", " drawing"))


def _first(container: Any, stream: Any, name: str) -> tuple[Any, float]:
    """The first frame and its time on the container's clock.

    Raises:
        VideoError: no frame can be decoded.
    """
    decoder = Decoder(container, stream)
    for frame in decoder:
        return frame, seconds(frame) or 0.0
    raise _nothing(name, decoder)


def _nothing(name: str, decoder: Decoder) -> VideoError:
    return VideoError(
        f"{name}: no frame can be decoded ({decoder.reason or 'it holds none'}); it is damaged or cut off: copy or "
        f"download it again."
    )


def _stated_s(container: Any, stream: Any, begin_s: float) -> float:
    """How long the pictures are from the first frame on, as far as the file says so; else 0."""
    if stream.duration and stream.time_base:
        late_s = begin_s - float((stream.start_time or 0) * stream.time_base)
        return max(0.0, float(stream.duration * stream.time_base) - max(late_s, 0.0))
    tag = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", "").strip())
    if tag:  # Matroska's: when the stream ends
        hours, minutes, rest = tag.groups()
        return max(0.0, int(hours) * 3600 + int(minutes) * 60 + float(rest) - begin_s)
    if container.duration:
        return max(0.0, float((container.start_time or 0) + container.duration) / 1e6 - begin_s)
    return 0.0


def _count(path: str | os.PathLike[str]) -> tuple[int, float]:
    """How many packets of pictures there are, and when the last one ends on the container's clock."""
    count, until_s = 0, 0.0
    with open_container(path, VideoError) as container:
        try:
            for packet in container.demux(picture_stream(container)):
                if packet.pts is not None:
                    count += 1
                    until_s = max(until_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        except foreign_errors() as error:
            log.debug("the packets end: %s", error)
    return count, until_s
