"""Audio files: decoded to a waveform, whole or in excerpts.

What is too long for memory goes into a temporary file while it is decoded (:mod:`zsavs.media.mapped`). The same file
gives the same bits; nothing here draws random numbers.
"""

from __future__ import annotations

import logging
import math
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import AudioError, BrokenInstallation, MissingExtra
from zsavs.media.audio_clip import FASTEST_HZ, AudioClip
from zsavs.media.audio_stream import begin_of_pictures, read_sound
from zsavs.media.collector import EXCERPT_S, Collector, excerpts_of, note_excerpts
from zsavs.media.input_file import looks_like, open_input, readable_name
from zsavs.media.wav_header import missing_size

__all__ = ["EXCERPT_S", "load_audio"]

log = logging.getLogger(__name__)

#: Frames decoded at a time: a damaged file loses at most this much before the damage.
_BLOCK = 4096
#: libsndfile's frame count for a stream that does not state its length.
_UNSTATED = 2**62
#: libsndfile's own words for a file whose end is missing or whose header is wrong about its length.
_LIES = re.compile(
    r"^\s*(?:data|SSND|Data Size)\s*:\s*\d+ \(should be \d+\)|does not match value from 'ds64'|"
    r"Last page lacks an end-of-stream|Unknown chunk marker .* Exiting parser",
    re.MULTILINE,
)


def load_audio(path: str | os.PathLike[str], *, max_duration_s: float = math.inf) -> AudioClip:
    """The audio clip of a file: WAV (also RF64), FLAC, OGG, Opus, MP3 and whatever else libsndfile decodes.

    What it cannot decode is decoded by FFmpeg, with the extra ``zsavs[video]``: M4A, AAC, WMA, ... and the sound of a
    video, which begins with the video's first frame (:func:`zsavs.media.video_file.load_video_audio`).

    It is decoded block by block and read whole. Up to 2^24 samples over all channels (3 minutes in stereo at 48 kHz)
    are held in memory; a longer waveform lies in a temporary file (TMPDIR) that goes with the clip: 0.7 GB for an hour
    of one channel at 48 kHz. More than 2^27 samples over all channels (23 minutes in stereo at 48 kHz), or more than
    256 channels, are downmixed to one while they are decoded, as :meth:`AudioClip.mono` does, which is logged. Of more
    than 2^30 samples a channel (6 hours at 48 kHz) excerpts are read as if ``max_duration_s`` were that long.

    ``max_duration_s`` is for a quick look: of a longer file only excerpts of 10 s are decoded, as many as fit into
    ``max_duration_s``, evenly spaced, the first from the start and the last up to the end, one after the other in the
    clip. (Below 20 s there is one excerpt, from the start.) Times in the clip are not those in the file then.

    Whatever is not heard as the file holds it is logged in one line: excerpts, a file that is shorter than its header
    says, which is used up to where it breaks off, and one whose header states no length although samples follow.

    Args:
        path: the file.
        max_duration_s: the most seconds to read, above 0; infinite for the whole file.

    Returns:
        The clip at the file's own sample rate, all channels, with ``source`` set to the path.

    Raises:
        AudioError: not there, not readable, not an audio file, no samples, NaN or infinity among them, or a sample
            rate above 768 kHz.
        OutputError: a long waveform has no room among the temporary files.
        BrokenInstallation: soundfile cannot be imported.
    """
    name = readable_name(path, AudioError)
    if not max_duration_s > 0:
        raise AudioError(f"max_duration_s must be above 0, got {max_duration_s!r}.")
    with open_input(path, AudioError) as opened:
        file = _Steady(opened)
        try:
            with _decoder(file, name) as reader:
                rate, channels, frames, notes = reader.samplerate, reader.channels, reader.frames, reader.extra_info
        except _Unread as error:
            return _by_ffmpeg(path, name, max_duration_s, error)
        if not 0 < rate <= FASTEST_HZ:
            raise AudioError(f"{name}: the header says {rate} Hz, which no audio file has; export it again.")
        if frames >= _UNSTATED:
            frames = _count(file, name)
        excerpts = excerpts_of(frames, rate, max_duration_s)
        waveform = _read(file, name, channels, excerpts)
        if waveform is None:
            stated, frames = frames, _count(file, name)
            log.warning("%s: only %.2f of %.2f s can be decoded; using those.", name, frames / rate, stated / rate)
            excerpts = excerpts_of(frames, rate, max_duration_s)
            waveform = _read(file, name, channels, excerpts, in_part=True)
        elif frames and file.corrected:
            log.warning("%s: its header states no length; using the %.2f s found.", name, frames / rate)
        elif frames and _LIES.search(notes):
            log.warning("%s: cut off, or its header is wrong; using the %.2f s found.", name, frames / rate)
    assert waveform is not None
    found = waveform.shape[1]
    if found == 0:
        raise AudioError(
            f"{name}: holds no samples that can be decoded; record or download it again, or, if a recorder was "
            f"interrupted, run: ffmpeg -ignore_length 1 -i {shlex.quote(name)} {_converted(name)}"
        )
    note_excerpts(name, waveform, frames, rate, channels, max_duration_s)
    return AudioClip(waveform, rate, source=os.fsdecode(path))


class _Unread(AudioError):
    """libsndfile cannot decode it."""


def _by_ffmpeg(path: str | os.PathLike[str], name: str, max_duration_s: float, refused: _Unread) -> AudioClip:
    """The audio clip of a file that libsndfile has refused.

    Raises:
        AudioError: FFmpeg cannot decode it either, or it has no sound.
    """
    try:
        clip = read_sound(path, _Unread, max_duration_s=max_duration_s)
    except _Unread:
        raise AudioError(*refused.args) from refused.__cause__
    except MissingExtra as error:
        raise AudioError(
            f'{refused}, or have FFmpeg\'s formats read as they are: pip install "zsavs[video]"'
        ) from error
    if clip is not None:
        return clip
    if begin_of_pictures(path, _Unread) is not None:
        raise AudioError(f"{name}: a video without sound that can be decoded; name an audio file.")
    raise AudioError(*refused.args) from refused.__cause__


def _decoder(file: _Steady, name: str) -> Any:
    """A ``soundfile.SoundFile`` that reads forward from the start of ``file`` without seeking in between."""
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the wheel came without libsndfile
        raise BrokenInstallation(
            f"soundfile cannot be imported ({error}); run: pip install --force-reinstall soundfile"
        ) from error

    class Forward(soundfile.SoundFile):  # type: ignore[misc]
        # For a seekable file soundfile seeks after every read, which makes MP3 lose its bit reservoir and FLAC
        # without a stated length fail. Explicit seeks still work.
        def seekable(self) -> bool:
            return False

    file.seek(0)
    try:
        return Forward(file)
    except soundfile.SoundFileError as error:
        kind = looks_like(file.file)
        raise _Unread(
            f"{name}: cannot be decoded as WAV, FLAC, OGG, Opus or MP3"
            f"{f' (it looks like {kind})' if kind else ''}; name an audio file, or convert this one first: "
            f"ffmpeg -i {shlex.quote(name)} {_converted(name)}"
        ) from error


class _Steady:
    """A file as libsndfile asks for it, for damaged headers that send it to places that no file has.

    An exception in soundfile's callbacks would be printed with its traceback and then ignored; here such a seek leaves
    the position where it is, and libsndfile finds by itself that it is not where it wanted to be. A WAV header that
    states no length is read as if it did (:func:`zsavs.media.wav_header.missing_size`).

    Attributes:
        file: the file itself.
        corrected: whether its header stated no length.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.tell = file, file.tell
        self._correction = missing_size(file)
        self.corrected = self._correction is not None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As that of the file, where the file has such a place."""
        try:
            return self.file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return self.file.tell()

    def read(self, size: int = -1) -> bytes:
        """As that of the file, with the header's size in its place."""
        start = self.file.tell()
        data = bytearray(self.file.read(size))
        self._correct(memoryview(data), start)
        return bytes(data)

    def readinto(self, buffer: Any) -> int:
        """Likewise, into ``buffer``."""
        start = self.file.tell()
        count = int(self.file.readinto(buffer))  # type: ignore[attr-defined]
        self._correct(memoryview(buffer)[:count], start)
        return count

    def _correct(self, data: memoryview, start: int) -> None:
        """Write what of the header's size lies in bytes read from ``start`` on."""
        if self._correction is None:
            return
        place, size = self._correction
        for at, byte in enumerate(size, start=place - start):
            if 0 <= at < len(data):
                data[at : at + 1] = bytes([byte])


def _converted(name: str) -> str:
    """A name for the converted file that differs from the original's."""
    path = Path(name)
    return shlex.quote(f"{path.stem}.wav" if path.suffix.lower() != ".wav" else f"{path.stem}_fixed.wav")


def _read(
    file: _Steady,
    name: str,
    channels: int,
    excerpts: list[tuple[int, int]],
    *,
    in_part: bool = False,
    alone: int | None = None,
) -> NDArray[np.float32] | None:
    """Decode the excerpts, (C, T) float32.

    Args:
        file, name, channels: the file.
        excerpts: what to read.
        in_part: of a file that breaks off before, what there is of them; otherwise None.
        alone: the channel to hear in place of the mean, where one channel is made.
    """
    total, filled = sum(length for _, length in excerpts), 0
    with _decoder(file, name) as reader, Collector(channels, total, name, alone=alone) as collector:
        for start, length in excerpts:
            for block in _blocks(reader, start, length):
                collector.write(np.ascontiguousarray(block.T), filled)
                filled += len(block)
        if filled < total and not in_part:
            return None
        if (other := collector.alone) is None:
            return collector.waveform()
    return _read(file, name, channels, excerpts, in_part=in_part, alone=other)


def _blocks(reader: Any, start: int, length: int) -> Iterator[NDArray[np.float32]]:
    """Decode ``length`` frames from ``start``, a block (n, C) at a time, up to where the file breaks off."""
    import soundfile

    try:
        reader.seek(start)
        while length > 0 and len(block := reader.read(min(_BLOCK, length), dtype="float32", always_2d=True)):
            yield block
            length -= len(block)
    except soundfile.SoundFileError as error:
        log.debug("decoding ends before frame %d: %s", start + length, error)


def _count(file: _Steady, name: str) -> int:
    """The frames that can be decoded from the start, by decoding them."""
    with _decoder(file, name) as reader:
        return sum(len(block) for block in _blocks(reader, 0, _UNSTATED))
