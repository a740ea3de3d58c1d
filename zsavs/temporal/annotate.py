"""The annotated video: the clip once more, with what sounds marked, and the timeline of its sound beneath."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.draw.video import VideoCanvas
from zsavs.errors import InputError, OutputError
from zsavs.media.audio_clip import AudioClip
from zsavs.media.audio_file import load_audio
from zsavs.media.image_file import load_image
from zsavs.media.video_file import VideoFrame, load_video_audio, probe_video, read_frames
from zsavs.media.video_writer import VideoWriter
from zsavs.storage import rle
from zsavs.storage.progress_bar import Progress
from zsavs.temporal import display

if TYPE_CHECKING:
    from zsavs.temporal.video_result import Track, VideoResult

__all__ = ["Frames", "Sound", "annotate", "sound_of"]

#: A recording, or its file.
Sound = AudioClip | str | os.PathLike[str]
#: Images or their files, in the order in which they are shown.
Frames = Iterable[NDArray[np.uint8] | str | os.PathLike[str]]

#: Frames of a second where a file does not say how many there are.
_FPS = 25.0


def annotate(
    result: VideoResult,
    path: str | os.PathLike[str],
    *,
    video: str | os.PathLike[str] | None = None,
    frames: Frames | None = None,
    fps: float | None = None,
    audio: Sound | None = None,
    show: str = "sounding",
    codec: str = "vp9",
    progress: Progress | None = None,
    watch: Callable[[NDArray[np.uint8], float, int], object] | None = None,
) -> Path:
    """Write the video once more with its result drawn into it, and the timeline of its sound beneath.

    Every frame between the first and the last that were looked at is drawn, with the masks of the nearest of these.
    A track is marked in its colour while it sounds. The sound of the file is kept as it is.

    Args:
        result: what is drawn.
        path: the file to write; it is there complete or not at all.
        video: the video that the result was made from; the result's own ``source`` if left out.
        frames: where the result was made from frames: the same ones, arrays or files.
        fps: of ``frames``; by default those of the result.
        audio: the sound that goes with ``frames``; of a video its own is taken.
        show: "sounding" marks what sounds; "always" outlines the tracks that do not sound as well.
        codec: of the video that is written, see :class:`~zsavs.media.video_writer.VideoWriter`.
        progress: called with the number of frames done, and of all frames.
        watch: called with each image as it is read, its time in seconds, and the number of the nearest frame that was
            looked at.

    Returns:
        ``path``.

    Raises:
        InputError: the result has neither a file nor frames, no frame was looked at, or the frames are not of its size.
        OutputError: the file cannot be written, or is the video itself.
        ContractError: another word for ``show``.
        MissingExtra: PyAV is not installed; says how to install it.
    """
    if not len(result):
        raise InputError("no frame of this video was looked at; there is nothing to draw.")
    result.shown(0, show)  # refuses another word
    path = Path(path)
    span = display.shown_span(result)
    if frames is None:
        stream = _of_file(video or result.source, audio, span)
    else:
        stream = _given(result, frames, fps, audio, span)
    if stream.audio_from is not None and _same_file(path, stream.audio_from):
        raise OutputError(f"{path}: this is the video itself; write to another folder, or give another name.")

    images = iter(stream.frames)
    first = next(images, None)
    if first is None:
        raise InputError(
            f"{stream.name}: no frame between {span[0]:g} and {span[1]:g} s; give the video of the result."
        )
    if first.image.shape[:2] != result.size_hw:
        raise InputError(
            f"{stream.name}: its frames are {first.image.shape[:2]} (height, width), those of the result "
            f"{result.size_hw}; give the video that the result was made from."
        )
    painter = _Painter(result, stream.clip, (span[0], max(span[0] + 1e-3, min(span[1], stream.end_s))), show)
    size_hw = painter.canvas.size_hw
    part: dict[str, Any] = {"start_s": span[0], "end_s": span[1]}
    with (
        _sound_file(stream) as source,
        VideoWriter(path, size_hw, stream.fps, codec=codec, audio_from=source, **part) as writer,
    ):
        for done, (image, time_s) in enumerate(chain([first], images), start=1):
            number = painter.nearest(time_s)
            if watch is not None:
                watch(image, time_s, number)
            writer.write(painter.draw(image, time_s, number), time_s)
            if progress is not None:
                progress(done, max(done, stream.total))
    return path


def sound_of(
    result: VideoResult, video: str | os.PathLike[str] | None = None, audio: Sound | None = None
) -> AudioClip | None:
    """The sound of a result's video, on the video's clock; None where it has none.

    Args:
        result: what the sound belongs to.
        video: its file; the result's own if left out.
        audio: the sound itself, in place of that of the file.

    Raises:
        InputError: a file cannot be read.
    """
    if isinstance(audio, AudioClip):
        return audio
    if audio is not None:
        return load_audio(audio)
    video = video or result.source
    return load_video_audio(video) if video else None


class _Stream(NamedTuple):
    """Frames to be drawn: what they are called, how many a second and in all, when they end, and their sound."""

    name: str
    frames: Iterable[VideoFrame]
    fps: float
    total: int
    end_s: float
    clip: AudioClip | None
    audio_from: str | os.PathLike[str] | None


def _of_file(video: str | os.PathLike[str], audio: Sound | None, span: tuple[float, float]) -> _Stream:
    """All frames of a file within a span of time."""
    if not video:
        raise InputError("this result was made from frames: give frames=..., or video=... with a file of the same.")
    info = probe_video(video)
    fps = info.fps if info.fps > 0 else _FPS
    end = min(span[1], info.duration_s) if info.duration_s > span[0] else span[1]
    clip = load_video_audio(video) if audio is None else audio if isinstance(audio, AudioClip) else load_audio(audio)
    frames = read_frames(video, start_s=span[0], end_s=span[1])
    source = video if audio is None or isinstance(audio, AudioClip) else audio
    return _Stream(str(video), frames, fps, round((end - span[0]) * fps), end, clip, source)


def _given(
    result: VideoResult, frames: Frames, fps: float | None, audio: Sound | None, span: tuple[float, float]
) -> _Stream:
    """Frames that somebody has, within a span of time."""
    count = len(result)
    rate = fps or ((count - 1) / (result.frames[-1] - result.frames[0]) if count > 1 else 1 / (span[1] - span[0]))

    def timed() -> Iterator[VideoFrame]:
        for number, frame in enumerate(frames):
            time_s = number / rate
            if time_s >= span[1] - 1e-6:
                return
            if time_s >= span[0] - 1e-6:
                image = load_image(frame) if isinstance(frame, str | os.PathLike) else np.asarray(frame)
                yield VideoFrame(image, time_s)

    clip = audio if audio is None or isinstance(audio, AudioClip) else load_audio(audio)
    source = None if isinstance(audio, AudioClip) else audio
    return _Stream("frames", timed(), float(rate), round((span[1] - span[0]) * rate), span[1], clip, source)


@contextmanager
def _sound_file(stream: _Stream) -> Iterator[str | os.PathLike[str] | None]:
    """The file that the written sound comes from: for a clip in memory one that is there as long as it is needed."""
    if stream.audio_from is not None or stream.clip is None:
        yield stream.audio_from
        return
    import soundfile

    with tempfile.TemporaryDirectory(prefix="zsavs-") as folder:
        path = Path(folder) / "sound.wav"
        soundfile.write(path, stream.clip.waveform.T, stream.clip.sample_rate_hz, subtype="PCM_16")
        yield path


def _same_file(one: Path, other: str | os.PathLike[str]) -> bool:
    try:
        return one.resolve() == Path(other).resolve()
    except (OSError, RuntimeError):
        return False


class _Painter:
    """Draws the frames of one result.

    Args:
        result: what is drawn.
        clip: its sound.
        span_s: the part of the video that is drawn.
        show: what is marked.
    """

    def __init__(self, result: VideoResult, clip: AudioClip | None, span_s: tuple[float, float], show: str) -> None:
        self.canvas = VideoCanvas(result.size_hw, clip, display.lanes(result), span_s)
        self._result, self._show = result, show
        self._names, self._colours = display.names(result), display.colours(result)
        self._number = -1
        self._masks: dict[int, NDArray[np.bool_]] = {}  # of this frame, by the track's id

    def nearest(self, time_s: float) -> int:
        """The number of the frame nearest in time that was looked at; the earlier one of two."""
        times = self._result.frames
        after = int(np.searchsorted(times, time_s))
        if after in (0, len(times)):
            return min(after, len(times) - 1)
        return after if times[after] - time_s < time_s - times[after - 1] else after - 1

    def draw(self, image: NDArray[np.uint8], time_s: float, number: int) -> NDArray[np.uint8]:
        """An image at a time, with the masks of a frame that was looked at."""
        rows = [
            (track, place, track.sounds_at(time_s))
            for track, place in self._result.shown(number, "always")
            if self._show == "always" or track.sounds_at(time_s)
        ]
        masks = [self._mask(track, place, number) for track, place, _ in rows]
        return self.canvas.draw(
            image,
            time_s,
            np.stack(masks) if masks else np.zeros((0, *self._result.size_hw), np.bool_),
            [self._names[track.id] for track, _, _ in rows],
            [float(track.scores[place]) for track, place, _ in rows],
            [self._colours[track.id] for track, _, _ in rows],
            [not sounds for _, _, sounds in rows],
        )

    def _mask(self, track: Track, place: int, number: int) -> NDArray[np.bool_]:
        """A mask of a frame, decoded once for all images that show it."""
        if number != self._number:
            self._number, self._masks = number, {}
        if track.id not in self._masks:
            self._masks[track.id] = rle.decode(track.runs[place])
        return self._masks[track.id]
