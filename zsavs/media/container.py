"""Containers of moving pictures and sound (MP4, Matroska, AVI, ...), opened by PyAV, which has FFmpeg inside.

FFmpeg is handed a file that is open already, so that nothing else is opened: no address, no playlist's entries. What is
damaged is decoded as far as it goes.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zsavs.errors import InputError, MissingExtra, first_line
from zsavs.media.input_file import looks_like, open_input, readable_name

__all__ = [
    "MAX_PIXELS",
    "Decoder",
    "foreign_errors",
    "need_av",
    "open_container",
    "picture_stream",
    "seconds",
    "sound_stream",
]

#: Pixels of the largest frame that is decoded: 8K video has half of that.
MAX_PIXELS = 2**26
#: FFmpeg's demuxers that read the file itself. Its others open further files (playlists), are for images (which
#: Pillow decodes) and subtitles, or take any bytes for raw samples, and text for a drawing.
_DEMUXERS = (
    *("mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "live_flv", "asf", "asf_o", "ogg", "mxf", "nut"),
    *("rm", "dv", "ivf", "h263", "h264", "hevc", "vvc", "obu", "m4v", "vc1", "wtv", "gxf", "yuv4mpegpipe"),
    *("aac", "loas", "ac3", "eac3", "amr", "ape", "wv", "tta", "tak", "dts", "dtshd", "mlp", "truehd", "mpc", "mpc8"),
    *("caf", "aiff", "au", "w64", "wav", "flac", "mp3", "dsf", "shn"),
)
_OPTIONS = {"protocol_whitelist": "none", "format_whitelist": ",".join(_DEMUXERS), "max_pixels": str(MAX_PIXELS)}
#: Bytes that are read at a time; after a seek they are read in vain.
_BUFFER = 2**16


def need_av(name: str) -> None:
    """Nothing, where PyAV is installed.

    Raises:
        MissingExtra: it is not; ``name`` is the file that needs it.
    """
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise MissingExtra(f'{name}: videos are read and written by PyAV; run: pip install "zsavs[video]"') from error


def foreign_errors() -> tuple[type[Exception], ...]:
    """What PyAV raises over a file that it cannot use."""
    import av

    errors: tuple[type[Exception], ...] = (av.error.FFmpegError, ValueError, TypeError, OSError, MemoryError)
    return (*errors, RuntimeError, ArithmeticError, LookupError, AttributeError, AssertionError, NotImplementedError)


@contextmanager
def open_container(path: str | os.PathLike[str], error: type[InputError]) -> Iterator[Any]:
    """A file as an ``av.container.InputContainer``, closed afterwards.

    Args:
        path: the file.
        error: the kind of error to raise.

    Raises:
        error: as :func:`zsavs.media.input_file.open_input`, or the file is no such container, or damaged where it says
            what it holds.
        MissingExtra: PyAV is not installed.
    """
    name = readable_name(path, error)
    reader = open_input(path, error)
    kind = looks_like(reader)
    # Without the reader's limits, which are for images: FFmpeg reads what it asks for in small pieces, and many.
    assert isinstance(reader, io.BufferedReader)
    with reader.detach() as raw:
        file = _Patient(raw)
        need_av(name)
        import av

        try:
            container = av.open(file, options=_OPTIONS, metadata_errors="replace", buffer_size=_BUFFER)
        except foreign_errors() as reason:
            said = f"it looks like {kind}; " if kind else ""
            raise error(
                f"{name}: cannot be read as a video or an audio file ({said}{_reason(reason)}); if it should be one, "
                f"it is damaged or cut off: copy or download it again."
            ) from reason
        try:
            yield container
        finally:
            container.close()


class _Patient:
    """A file as FFmpeg asks for it, for damaged headers that send it to places that no file has.

    An exception here would be printed with its traceback and then ignored.
    """

    def __init__(self, file: io.RawIOBase) -> None:
        self._file, self.tell = file, file.tell

    def read(self, size: int) -> bytes:
        """As that of the file; nothing where it cannot be read any more."""
        try:
            return self._file.read(size) or b""
        except (OSError, ValueError):
            return b""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As that of the file; minus the number of the error where there is no such place."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -errno.EINVAL


def _reason(error: Exception) -> str:
    """What FFmpeg says, without its number and the file's."""
    return getattr(error, "strerror", None) or first_line(error)


def picture_stream(container: Any) -> Any | None:
    """The stream of moving pictures, the one marked as default or else the first; None where there is none.

    A cover image is no moving picture.
    """
    import av

    still = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    return _preferred([stream for stream in container.streams.video if not stream.disposition & still])


def sound_stream(container: Any) -> Any | None:
    """The stream of sound, the one marked as default or else the first; None where there is none."""
    return _preferred(list(container.streams.audio))


def _preferred(streams: list[Any]) -> Any | None:
    import av

    known = [stream for stream in streams if stream.codec_context is not None]
    marked = [stream for stream in known if stream.disposition & av.stream.Disposition.default]
    return next(iter(marked + known), None)


class Decoder:
    """The frames of one stream, from where the container is, as far as they can be decoded.

    Attributes:
        damaged: how many packets could not be, so far.
        reason: what was wrong with the first of them.
    """

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self.damaged, self.reason = 0, ""

    def __iter__(self) -> Iterator[Any]:
        errors = foreign_errors()
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except errors as error:  # the packets end here
                self._note(error)
                return
            if packet.is_corrupt:
                self._note("a packet is cut off")
            try:
                frames = packet.decode()
            except errors as error:
                self._note(error)
                continue
            yield from frames

    def _note(self, error: Exception | str) -> None:
        self.damaged += 1
        self.reason = self.reason or (error if isinstance(error, str) else _reason(error))


def seconds(frame: Any) -> float | None:
    """The time of a frame in seconds, on the container's clock; None where it has none."""
    return None if frame.pts is None or not frame.time_base else float(frame.pts * frame.time_base)
