"""Audio files: decoded to a waveform, whole or in excerpts.

The same file gives the same bits; nothing here draws random numbers.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import AudioError, BrokenInstallation
from zsavs.media.audio_clip import FASTEST_HZ, MAX_CHANNELS, AudioClip
from zsavs.media.input_file import looks_like, open_input, readable_name

__all__ = ["EXCERPT_S", "load_audio"]

log = logging.getLogger(__name__)

#: Length of the excerpts in which a long audio file is read; the audio encoders take 10 s at a time.
EXCERPT_S = 10.0
#: The most samples, over all channels, that a clip read from a file may hold (256 MiB); 8 channels of 96 kHz for a
#: minute are below.
_MAX_VALUES = 2**26
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


def load_audio(path: str | os.PathLike[str], *, max_duration_s: float = 60.0) -> AudioClip:
    """The audio clip of a file: WAV (also RF64), FLAC, OGG, Opus, MP3 and whatever else libsndfile decodes.

    An audio file longer than ``max_duration_s`` is read as excerpts of 10 s, as many as fit into ``max_duration_s``,
    evenly spaced, the first from the start and the last up to the end, one after the other in the clip. Only they are
    decoded. (Below 20 s there is one excerpt, from the start.) This is logged, as is a file that is shorter than its
    header says, which is used up to where it breaks off.

    Memory stays below about 256 MiB for any file at the default length: a clip that would hold more than 2^26 samples
    over all channels, or more than 256 channels, is averaged to one channel while it is decoded, which is logged.

    Args:
        path: the file.
        max_duration_s: the most seconds to read, above 0.

    Returns:
        The clip at the file's own sample rate, all channels, with ``source`` set to the path.

    Raises:
        AudioError: not there, not readable, not an audio file, no samples, NaN or infinity among them, or a sample
            rate above 768 kHz.
        BrokenInstallation: soundfile cannot be imported.
    """
    name = readable_name(path, AudioError)
    if not max_duration_s > 0:
        raise AudioError(f"max_duration_s must be above 0, got {max_duration_s!r}.")
    with open_input(path, AudioError) as file:
        with _decoder(file, name) as reader:
            rate, channels, frames, notes = reader.samplerate, reader.channels, reader.frames, reader.extra_info
        if not 0 < rate <= FASTEST_HZ:
            raise AudioError(f"{name}: the header says {rate} Hz, which no audio file has; export it again.")
        if frames >= _UNSTATED or min(frames, max_duration_s * rate) > _MAX_VALUES:
            frames = _count(file, name)
        excerpts = _excerpts(frames, rate, max_duration_s)
        waveform = _read(file, name, channels, excerpts)
        if waveform.shape[1] < sum(length for _, length in excerpts):
            stated, frames = frames, _count(file, name)
            log.warning("%s: only %.2f of %.2f s can be decoded; using those.", name, frames / rate, stated / rate)
            excerpts = _excerpts(frames, rate, max_duration_s)
            waveform = _read(file, name, channels, excerpts)
        elif frames and _LIES.search(notes):
            log.warning("%s: cut off, or its header is wrong; using the %.2f s found.", name, frames / rate)
    found = waveform.shape[1]
    if found == 0:
        raise AudioError(
            f"{name}: holds no samples that can be decoded; record or download it again, or, if a recorder was "
            f"interrupted, run: ffmpeg -ignore_length 1 -i {shlex.quote(name)} {_converted(name)}"
        )
    if found < frames:
        log.warning(
            "%s: %.1f s long; reading %d evenly spaced excerpts, %.1f s in all (max_duration_s=%g).",
            *(name, frames / rate, len(excerpts), found / rate, max_duration_s),
        )
    if len(waveform) < channels:
        log.warning("%s: %d channels at %d Hz are averaged to one to save memory.", name, channels, rate)
    return AudioClip(waveform, rate, source=os.fsdecode(path))


def _decoder(file: BinaryIO, name: str) -> Any:
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
        return Forward(_Steady(file))
    except soundfile.SoundFileError as error:
        kind = looks_like(file)
        raise AudioError(
            f"{name}: cannot be decoded as WAV, FLAC, OGG, Opus or MP3"
            f"{f' (it looks like {kind})' if kind else ''}; name an audio file, or convert this one first: "
            f"ffmpeg -i {shlex.quote(name)} {_converted(name)}"
        ) from error


class _Steady:
    """A file as libsndfile asks for it, for damaged headers that send it to places that no file has.

    An exception in soundfile's callbacks would be printed with its traceback and then ignored; here such a seek leaves
    the position where it is, and libsndfile finds by itself that it is not where it wanted to be.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.tell, self.read, self.readinto = file.tell, file.read, file.readinto  # type: ignore[attr-defined]

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As that of the file, where the file has such a place."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return self._file.tell()


def _converted(name: str) -> str:
    """A name for the converted file that differs from the original's."""
    path = Path(name)
    return shlex.quote(f"{path.stem}.wav" if path.suffix.lower() != ".wav" else f"{path.stem}_fixed.wav")


def _excerpts(frames: int, rate: int, max_duration_s: float) -> list[tuple[int, int]]:
    """The excerpts to read: (first frame, number of frames) of each, in order and without overlap."""
    if frames <= max_duration_s * rate:
        return [(0, frames)]
    length = max(1, int(min(EXCERPT_S, max_duration_s) * rate))
    count = max(1, int(max_duration_s // EXCERPT_S))
    return [(k * (frames - length) // max(1, count - 1), length) for k in range(count)]


def _read(file: BinaryIO, name: str, channels: int, excerpts: list[tuple[int, int]]) -> NDArray[np.float32]:
    """Decode the excerpts, (C, T) float32, with T shorter than asked for if the file breaks off."""
    total = sum(length for _, length in excerpts)
    mix = channels > MAX_CHANNELS or channels * total > _MAX_VALUES
    waveform = np.empty((1 if mix else channels, total), np.float32)
    filled = 0
    with _decoder(file, name) as reader:
        for start, length in excerpts:
            for block in _blocks(reader, start, length):
                # Loud float files may overflow here; AudioClip refuses what comes of it.
                with np.errstate(over="ignore", invalid="ignore"):
                    values = block.T.mean(axis=0, keepdims=True) if mix else block.T
                waveform[:, filled : filled + len(block)] = values
                filled += len(block)
    return waveform[:, :filled]


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


def _count(file: BinaryIO, name: str) -> int:
    """The frames that can be decoded from the start, by decoding them."""
    with _decoder(file, name) as reader:
        return sum(len(block) for block in _blocks(reader, 0, _UNSTATED))
