"""Video files, written frame by frame, with the original sound; there complete or not at all."""

from __future__ import annotations

import logging
import math
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ImageError, OutputError, UnknownName, VideoError, first_line
from zsavs.media.arrays import as_array
from zsavs.media.audio_copy import add_sound
from zsavs.media.container import MAX_PIXELS, foreign_errors, need_av
from zsavs.media.input_file import readable_name
from zsavs.media.video_file import check_rate, check_span

__all__ = ["CODECS", "VideoWriter"]

log = logging.getLogger(__name__)


class _Codec(NamedTuple):
    """How a codec is asked for: FFmpeg's encoder, its options, and the containers that hold it."""

    encoder: str
    options: dict[str, str]
    containers: tuple[str, ...]


_ANY = ("mp4", "mov", "matroska")
_CODECS = {
    "vp9": _Codec(
        "libvpx-vp9",
        {"deadline": "realtime", "cpu-used": "7", "row-mt": "1", "crf": "24", "b": "0", "lag-in-frames": "0"},
        ("mp4", "matroska", "webm"),
    ),
    "av1": _Codec("libsvtav1", {"preset": "9", "crf": "28"}, ("mp4", "matroska", "webm")),
    "h264": _Codec("libx264", {"preset": "veryfast", "crf": "20"}, _ANY),
    "mpeg4": _Codec("mpeg4", {}, _ANY),
}
#: Names of video codecs, the first of them the default.
CODECS = tuple(_CODECS)
#: FFmpeg's name of the container for the end of a file's name.
_CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
#: Ticks of a second in which times are written.
_TICKS = 90_000
#: A player goes on from a key frame; there is one for so many seconds.
_KEY_S = 3.0
_BT709 = 1


class VideoWriter:
    """Writes a video frame by frame; a context manager. After an error, or Ctrl-C, nothing of it is there.

    The container follows the end of the file's name: .mp4, .mov, .mkv or .webm. Colours are BT.709, limited range,
    and said to be. A size with an odd number of pixels is padded by one row or column, the last one repeated. An MP4
    begins with its index, so that browsers play it while they load it.

    Codecs: "vp9" and "av1" have no GPL code in them and play in Chrome, Firefox, Edge and recent Safari (AV1 there on
    recent devices only); "h264" plays everywhere, and its encoder, libx264, is under the GPL; "mpeg4" (MPEG-4 part 2)
    is quick, plays in no browser, and is read by old programs.

    Args:
        path: the file; folders are made.
        size_hw: height and width of the frames.
        fps: the usual frame rate, above 0: how long the last frame is shown, and what the encoder reckons with. Each
            frame has a time of its own.
        codec: one of :data:`CODECS`.
        audio_from: a video or an audio file, whose sound is copied packet for packet with its times; where the
            container cannot hold its codec so that it plays (PCM or Vorbis in .mp4), it is encoded again (AAC; Opus in
            .webm), which is logged. A file without sound gives a video without sound.
        start_s, end_s: the part of the original that is written, in seconds from its first frame. Times given to
            :meth:`write` are on the original's clock, too: the new video begins at ``start_s``.

    Raises:
        VideoError: a size, a rate or a span that is none.
        OutputError: the name ends otherwise, the container does not hold the codec, or this build of FFmpeg cannot
            encode it; and on entering or leaving the block: the file cannot be written.
        UnknownName: no such codec.
        MissingExtra: PyAV is not installed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        size_hw: tuple[int, int],
        fps: float,
        *,
        codec: str = "vp9",
        audio_from: str | os.PathLike[str] | None = None,
        start_s: float = 0.0,
        end_s: float = math.inf,
    ) -> None:
        self._name = readable_name(path, VideoError)
        self._path, self._size_hw, self._fps = Path(os.fsdecode(path)), _checked_size(size_hw), fps
        check_rate("VideoWriter", fps)
        check_span("VideoWriter", start_s, end_s)
        self._start_s, self._end_s, self._audio_from = float(start_s), float(end_s), audio_from
        if not isinstance(codec, str) or codec not in _CODECS:
            raise UnknownName("video codec", codec, CODECS)
        self._codec = _CODECS[codec]
        need_av(self._name)
        self._kind = _CONTAINERS.get(self._path.suffix.lower(), "")
        if self._kind not in self._codec.containers:
            endings = [ending for ending, kind in _CONTAINERS.items() if kind in self._codec.containers]
            raise OutputError(f"{self._name}: a video by {codec!r} has a name that ends in {' or '.join(endings)}.")
        if not _can_encode(self._codec.encoder):
            others = ", ".join(name for name in CODECS if name != codec)
            raise OutputError(f"{self._name}: FFmpeg has no {self._codec.encoder} here; choose from: {others}.")
        if codec == "h264":
            log.warning("%s: encoded by libx264, which is under the GPL.", self._name)
        self._folder: Path | None = None
        self._out: Any = None
        self._latest: int | None = None

    def __enter__(self) -> VideoWriter:
        if self._path.is_dir():
            raise OutputError(f"{self._name}: is a folder; name a file in it.")
        begun = False
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(prefix=f".{self._path.name[:40]}.", dir=self._path.parent))
            self._begin(self._folder / f"video{self._path.suffix.lower()}")
            begun = True
        except OSError as error:
            raise self._unwritten(error) from error
        finally:
            if not begun:
                self._discard()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._discard()

    def write(self, image: NDArray[np.uint8], time_s: float) -> None:
        """Write the next frame.

        Args:
            image: (H, W, 3) uint8 RGB, of the size that was given.
            time_s: when it is shown, in seconds on the original's clock, later than the frame before it. A frame that
                is shown before ``start_s`` is shown from there on.

        Raises:
            ImageError: another shape or dtype.
            VideoError: the time is none, or not later; or the writer is not in its ``with`` block.
            OutputError: the file cannot be written.
        """
        if self._out is None:
            raise VideoError(f"{self._name}: frames are written within: with VideoWriter(...) as writer.")
        image = as_array(image, "VideoWriter.write: image", ImageError)
        if image.dtype != np.uint8 or image.shape != (*self._size_hw, 3):
            raise ImageError(
                f"VideoWriter.write: image must be uint8 of shape {(*self._size_hw, 3)}, got {image.dtype} of "
                f"{image.shape}."
            )
        try:
            at_s = max(float(time_s) - self._start_s, 0.0)
        except (TypeError, ValueError) as error:
            raise VideoError(f"VideoWriter.write: time_s must be a number of seconds, got {time_s!r:.60}.") from error
        if not math.isfinite(at_s):
            raise VideoError(f"VideoWriter.write: time_s must be finite, got {time_s!r:.60}.")
        tick = round(at_s * _TICKS)
        if self._latest is not None and tick <= self._latest:
            raise VideoError(f"VideoWriter.write: frames come in order; {time_s:g} s is not after the one before it.")
        self._latest = tick
        with _Refusals(self):
            self._mux_sound(at_s)
            self._out.mux(self._video.encode(self._frame(image, tick)))

    def _begin(self, path: Path) -> None:
        """Open the file and its streams."""
        import av

        self._written = path
        options = {"movflags": "+faststart"} if self._kind in ("mp4", "mov") else {}
        with _Refusals(self):
            # "file:" keeps FFmpeg from taking a name with a colon for an address.
            self._out = av.open(f"file:{path.absolute()}", "w", format=self._kind, container_options=options)
            rate = Fraction(self._fps).limit_denominator(1001)
            video = self._out.add_stream(self._codec.encoder, rate=rate or Fraction(1, 1001))
            height, width = (side + side % 2 for side in self._size_hw)
            video.height, video.width, video.pix_fmt = height, width, "yuv420p"
            context = video.codec_context
            ticks = 1000 if self._codec.encoder == "mpeg4" else _TICKS  # MPEG-4 has 16 bits for them
            context.time_base = video.time_base = Fraction(1, ticks)
            context.options = dict(self._codec.options)
            context.gop_size = max(1, round(_KEY_S * self._fps))
            if not self._codec.options:
                context.bit_rate = max(1_000_000, round(0.2 * width * height * min(self._fps, 60)))
            context.color_range = context.colorspace = _BT709
            context.color_primaries = context.color_trc = _BT709
            with _quiet():
                context.open()
            self._video = video
        self._sound: Generator[tuple[float, Any]] | None = None
        self._coming: tuple[float, Any] | None = None
        if self._audio_from is not None:
            self._sound = add_sound(self._out, self._audio_from, self._start_s, self._end_s)

    def _frame(self, image: NDArray[np.uint8], tick: int) -> Any:
        """An image as the encoder takes it."""
        import av

        height, width = self._size_hw
        if height % 2 or width % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=_BT709, dst_color_range=1)
        frame.colorspace = frame.color_range = _BT709
        frame.color_primaries = frame.color_trc = _BT709
        frame.pts, frame.time_base = tick, Fraction(1, _TICKS)
        frame.duration = max(1, round(_TICKS / self._fps))
        return frame

    def _mux_sound(self, until_s: float) -> None:
        """Write the sound up to a time, so that it lies beside the frames in the file."""
        while self._sound is not None:
            if self._coming is None:
                self._coming = next(self._sound, None)
            if self._coming is None or self._coming[0] >= until_s:
                return
            packet = self._coming[1]
            self._coming = None
            self._out.mux(packet)

    def _finish(self) -> None:
        """Write what is left, and put the file in its place."""
        if self._latest is None:
            raise VideoError(f"{self._name}: no frame was written, so there is no video; write one, or start earlier.")
        with _Refusals(self):
            self._out.mux(self._video.encode(None))
            self._mux_sound(math.inf)
            self._out.close()
            self._out = None
            self._written.replace(self._path)

    def _discard(self) -> None:
        """Close what is open, and remove what is not in its place."""
        if getattr(self, "_sound", None) is not None:
            self._sound.close()  # type: ignore[union-attr]
        self._sound = None
        if self._out is not None:
            with suppress(*foreign_errors()):
                self._out.close()
            self._out = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _unwritten(self, error: Exception) -> OutputError:
        said = getattr(error, "strerror", None) or first_line(error)
        return OutputError(
            f"{self._name}: cannot be written ({said}); check the folder's permissions and free space, or name another "
            f"one."
        )


class _Refusals:
    """What PyAV raises while a video is written, told as an :class:`OutputError`."""

    def __init__(self, writer: VideoWriter) -> None:
        self._writer = writer

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, foreign_errors()):
            raise self._writer._unwritten(error) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what SVT-AV1 prints about itself from the terminal; it goes around Python's own stderr."""
    try:
        kept = os.dup(2)
    except OSError:  # no stderr at all
        yield
        return
    try:
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _can_encode(encoder: str) -> bool:
    import av

    try:
        av.Codec(encoder, "w")
    except foreign_errors():
        return False
    return True


def _checked_size(size_hw: tuple[int, int]) -> tuple[int, int]:
    try:
        height, width = (int(side) for side in size_hw)
    except (TypeError, ValueError) as error:
        raise VideoError(f"VideoWriter: size_hw must be a height and a width, got {size_hw!r:.60}.") from error
    if not (0 < height <= 16_384 and 0 < width <= 16_384 and height * width <= MAX_PIXELS):
        raise VideoError(f"VideoWriter: size_hw {height}x{width} is no size of a video; at most {MAX_PIXELS} pixels.")
    return height, width
