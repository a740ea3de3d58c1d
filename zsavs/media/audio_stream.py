"""The sound of videos, and of audio files that libsndfile cannot decode (M4A, AAC, WMA, ...), decoded by PyAV.

Sound is placed by its time: gaps are silence, and that of a video is on the clock of its frames.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import AudioError, InputError
from zsavs.media.audio_clip import FASTEST_HZ, AudioClip
from zsavs.media.collector import Collector, excerpts_of, note_excerpts
from zsavs.media.container import Decoder, foreign_errors, open_container, picture_stream, seconds, sound_stream
from zsavs.media.input_file import readable_name

__all__ = ["begin_of_pictures", "read_sound"]

log = logging.getLogger(__name__)

#: Blocks whose times say that they lie closer to the end of the last one follow it without a gap: containers round.
_JOINT_S = 0.02
#: Times that go on by more, or back by more, are damaged; the sound goes on without a gap.
_MAX_GAP_S, _MAX_BACK_S = 600.0, 1.0
#: Decoders take so long after a seek until they are right again (Opus needs 80 ms).
_ROLL_S = 0.5


class _Span(NamedTuple):
    """What there is of a stream of sound: rate, channels, time of the first sample of the clip, samples, damage."""

    rate: int
    channels: int
    layout: str
    zero_s: float
    samples: int
    damaged: int


def read_sound(
    path: str | os.PathLike[str], error: type[InputError] = AudioError, *, max_duration_s: float = math.inf
) -> AudioClip | None:
    """The sound of a file that FFmpeg decodes: of a video on the clock of its frames, of an audio file from its start.

    Decoded twice: to see how long it is, and to take it in.

    Args:
        path: the file.
        error: the kind of error to raise where the file is not one that can be opened.
        max_duration_s: as for :func:`zsavs.media.audio_file.load_audio`, as are the limits of memory.

    Returns:
        The clip at the file's own sample rate; None where it has no stream of sound, or nothing of it can be decoded.

    Raises:
        error: as :func:`zsavs.media.container.open_container`.
        AudioError: a sample rate above 768 kHz.
        OutputError: a long waveform has no room among the temporary files.
        MissingExtra: PyAV is not installed.
    """
    name = readable_name(path, error)
    begin_s = begin_of_pictures(path, error)
    with open_container(path, error) as container:
        stream = sound_stream(container)
        span = None if stream is None else _measure(container, stream, begin_s)
    if span is None or span.samples <= 0:
        return None
    if span.rate > FASTEST_HZ:
        raise AudioError(f"{name}: the header says {span.rate} Hz, which no audio file has; export it again.")
    if span.damaged:
        log.warning(
            "%s: its sound is cut off or damaged in %d places; using the %.2f s that can be decoded.",
            *(name, span.damaged, span.samples / span.rate),
        )
    waveform = _collect(path, error, name, span, max_duration_s)
    note_excerpts(name, waveform, span.samples, span.rate, span.channels, max_duration_s)
    return AudioClip(waveform, span.rate, source=os.fsdecode(path))


def begin_of_pictures(path: str | os.PathLike[str], error: type[InputError]) -> float | None:
    """The time of a video's first frame on the container's clock; None where there are no moving pictures.

    Raises:
        error: as :func:`zsavs.media.container.open_container`.
        MissingExtra: PyAV is not installed.
    """
    with open_container(path, error) as container:
        stream = picture_stream(container)
        if stream is None:
            return None
        return next((seconds(frame) or 0.0 for frame in Decoder(container, stream)), None)


class _Places:
    """Where blocks of sound lie in the clip, by their times: the number of their first sample, which may be negative.

    Args:
        zero_s: the time of the clip's first sample.
        rate: its sample rate.
    """

    def __init__(self, zero_s: float, rate: int) -> None:
        self._zero_s, self._rate, self._next = zero_s, rate, 0
        self._begun = False

    def place(self, time_s: float | None, samples: int) -> int:
        """The place of the next block."""
        at = self._next
        if time_s is not None:
            timed = round((time_s - self._zero_s) * self._rate)
            gap_s = (timed - at) / self._rate
            if not self._begun or (abs(gap_s) > _JOINT_S and -_MAX_BACK_S <= gap_s <= _MAX_GAP_S):
                at = timed
        self._begun, self._next = True, at + samples
        return at


def _measure(container: Any, stream: Any, begin_s: float | None) -> _Span | None:
    """What there is of a stream, by decoding it; None where nothing can be decoded."""
    decoder, places, first, end = Decoder(container, stream), None, None, 0
    for frame in decoder:
        if first is None or places is None:
            first = frame
            begin_s = (seconds(frame) or 0.0) if begin_s is None else begin_s
            places = _Places(begin_s, frame.sample_rate)
        samples = round(frame.samples * first.sample_rate / frame.sample_rate)
        end = max(end, places.place(seconds(frame), samples) + samples)
    if first is None or begin_s is None:
        return None
    return _Span(first.sample_rate, _channels(first), first.layout.name, begin_s, end, decoder.damaged)


def _collect(
    path: str | os.PathLike[str],
    error: type[InputError],
    name: str,
    span: _Span,
    max_duration_s: float,
    alone: int | None = None,
) -> NDArray[np.float32]:
    """The waveform, (C, T) float32, whole or in excerpts."""
    excerpts = excerpts_of(span.samples, span.rate, max_duration_s)
    total = sum(length for _, length in excerpts)
    with open_container(path, error) as container, Collector(span.channels, total, name, alone=alone) as collector:
        stream, before = sound_stream(container), 0
        for start, length in excerpts:
            for block, at in _blocks(container, stream, span, start if len(excerpts) > 1 else 0, start + length):
                low, high = max(start, at), min(start + length, at + block.shape[1])
                if low < high:
                    collector.write(block[:, low - at : high - at], before + low - start)
            before += length
        alone = collector.alone
        if alone is None:
            return collector.waveform()
    return _collect(path, error, name, span, max_duration_s, alone)


def _blocks(
    container: Any, stream: Any, span: _Span, start: int, stop: int
) -> Iterator[tuple[NDArray[np.float32], int]]:
    """The blocks that have samples between two places, (C, n) each with its place."""
    if start > 0:
        at_s = max(span.zero_s + start / span.rate - _ROLL_S, 0.0)
        try:
            container.seek(math.floor(at_s / stream.time_base), stream=stream)
        except foreign_errors():
            container.seek(0)
    places, alike = _Places(span.zero_s, span.rate), _Alike(span)
    for frame in Decoder(container, stream):
        time_s = seconds(frame)
        for block in alike.blocks(frame):
            at = places.place(time_s, block.shape[1])
            time_s = None
            if at >= stop:
                return
            yield block, at


class _Alike:
    """Frames as float samples, all of the rate and the channels of the first."""

    def __init__(self, span: _Span) -> None:
        self._span = span
        self._resampler: Any = None
        self._takes: tuple[int, str] | None = None

    def blocks(self, frame: Any) -> Iterator[NDArray[np.float32]]:
        """What a frame holds, (C, n) float32 with full scale [-1, 1]; a sample that is no number is silence."""
        frames = [frame]
        if (frame.sample_rate, _channels(frame)) != (self._span.rate, self._span.channels):
            frames = self._converted(frame)
        for part in frames:
            block = _floats(part.to_ndarray(), _channels(part), planar=part.format.is_planar)
            yield np.nan_to_num(block, copy=False, posinf=0, neginf=0)

    def _converted(self, frame: Any) -> list[Any]:
        """Frames of the stream's rate and channels for one of others, as a broadcast may change them."""
        import av

        takes = frame.sample_rate, frame.layout.name
        try:
            if self._takes != takes:
                self._takes = takes
                self._resampler = av.AudioResampler("fltp", self._span.layout, self._span.rate)
            converted: list[Any] = self._resampler.resample(frame)
            return converted
        except foreign_errors() as error:
            log.debug("a frame of other channels is left out: %s", error)
            return []


def _channels(frame: Any) -> int:
    return int(frame.layout.nb_channels)


def _floats(values: NDArray[Any], channels: int, *, planar: bool) -> NDArray[np.float32]:
    """Samples as FFmpeg has them, to (C, n) float32."""
    if not planar:
        values = values.reshape(-1, channels).T
    if values.dtype == np.uint8:
        values = (values.astype(np.int16) - 128) / 128
    elif np.issubdtype(values.dtype, np.integer):
        values = values / -float(np.iinfo(values.dtype).min)
    # A copy: it becomes nobody's memory but ours.
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float32)
