"""The sound of a file for another one: packet for packet, or encoded again where that one cannot hold it."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Generator
from fractions import Fraction
from typing import Any

import numpy as np

from zsavs.errors import VideoError
from zsavs.media.audio_clip import AudioClip
from zsavs.media.audio_stream import begin_of_pictures, read_sound
from zsavs.media.container import foreign_errors, open_container, sound_stream
from zsavs.media.input_file import readable_name
from zsavs.media.mapped import release

__all__ = ["add_sound"]

log = logging.getLogger(__name__)

#: What containers hold so that others play it, by FFmpeg's name of the format; Matroska holds what FFmpeg lets it.
_HOLDS = {
    "mp4": {"aac", "mp3", "opus", "flac", "ac3", "eac3", "alac"},
    "mov": {"aac", "mp3", "ac3", "eac3", "alac"},
    "webm": {"opus", "vorbis"},
}
#: What sound is encoded by that cannot be copied: codec, and its sample rate.
_AGAIN = {"webm": ("libopus", 48_000)}
_USUALLY = ("aac", 48_000)
#: Samples that are encoded at a time.
_BLOCK = 2**16

#: Packets with the time at which they are heard in the new file.
Packets = Generator[tuple[float, Any]]


def add_sound(out: Any, path: str | os.PathLike[str], start_s: float, end_s: float) -> Packets | None:
    """Give a file that is being written a stream of sound, and tell the packets to be muxed into it, in order.

    Args:
        out: PyAV's container that is written; nothing has been written into it yet.
        path: a video or an audio file.
        start_s, end_s: the part to take, in seconds from the first frame of the video, or from the start of the sound;
            the new file begins at ``start_s``. Packets that lie across ``start_s`` or ``end_s`` are taken whole.

    Returns:
        The packets, to be closed; None where the file has no sound, or none that can be read.

    Raises:
        VideoError: the file cannot be opened, or is neither a video nor an audio file.
        AudioError, OutputError: sound that is encoded again cannot be used or held, as for
            :func:`zsavs.media.audio_file.load_audio`.
    """
    name, kind = readable_name(path, VideoError), out.format.name
    zero_s = begin_of_pictures(path, VideoError)
    with open_container(path, VideoError) as container:
        stream = sound_stream(container)
        if stream is None:
            return None
        codec = stream.codec_context.codec.canonical_name
        if codec in _HOLDS.get(kind, {codec}):
            try:
                packets = _copied(out, path, zero_s, start_s, end_s)
                next(packets)  # makes the stream
                return packets
            except foreign_errors() as error:
                log.debug("%s: %s does not hold its sound (%s)", name, kind, error)
    clip = read_sound(path, VideoError)
    if clip is None:
        return None
    encoder, rate = _AGAIN.get(kind, _USUALLY)
    # Sound that was never compressed is expected to be; a file that loses quality a second time is worth a warning.
    level = logging.INFO if codec.startswith("pcm_") else logging.WARNING
    log.log(level, "%s: %s sound has no place in a .%s file; it is encoded again, by %s.", name, codec, kind, encoder)
    packets = _encoded(out, clip, encoder, rate, start_s, end_s)
    next(packets)
    return packets


def _copied(out: Any, path: str | os.PathLike[str], zero_s: float | None, start_s: float, end_s: float) -> Packets:
    """Make the stream, give a first pair of nothing, and then the packets of the file as they are."""
    with open_container(path, VideoError) as container:
        stream = sound_stream(container)
        assert stream is not None
        copy = out.add_stream_from_template(stream)
        yield 0.0, None
        if zero_s is None:
            zero_s = float((stream.start_time or 0) * stream.time_base)
        shift = round((zero_s + start_s) / stream.time_base)
        packets, errors = container.demux(stream), foreign_errors()
        while True:
            try:
                packet = next(packets, None)
            except errors:  # the rest is missing, as it is in the original
                return
            if packet is None:
                return
            if packet.size == 0 or packet.dts is None:
                continue
            at = (packet.pts if packet.pts is not None else packet.dts) - shift
            time_s = float(at * stream.time_base)
            if time_s >= end_s - start_s:
                return
            # From the very beginning everything is taken, also what comes before the first frame: decoders need it.
            if start_s > 0 and at + (packet.duration or 0) <= 0:
                continue
            packet.pts, packet.dts = at, packet.dts - shift
            packet.stream = copy
            yield time_s, packet


def _encoded(out: Any, clip: AudioClip, codec: str, rate: int, start_s: float, end_s: float) -> Packets:
    """Make the stream, give a first pair of nothing, and then packets of the clip, encoded."""
    import av

    own = clip.sample_rate_hz
    start, stop = round(start_s * own), clip.waveform.shape[1]
    if math.isfinite(end_s):
        stop = min(stop, round(end_s * own))
    channels = len(clip.waveform) if len(clip.waveform) <= 2 else 1
    layout = "mono" if channels == 1 else "stereo"
    stream = out.add_stream(codec, rate=rate, layout=layout)
    stream.bit_rate = 96_000 * channels
    yield 0.0, None
    resampler = av.AudioResampler(stream.codec_context.format, layout, rate)
    for at in range(start, stop, _BLOCK):
        until = min(at + _BLOCK, stop)
        block = clip.waveform[:, at:until] if channels == len(clip.waveform) else clip.mono(at, until)[None]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.clip(-1, 1)), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = own, Fraction(1, own), at - start
        release(clip.waveform)
        for part in resampler.resample(frame):
            yield from _timed(stream.encode(part))
    for part in resampler.resample(None):
        yield from _timed(stream.encode(part))
    yield from _timed(stream.encode(None))


def _timed(packets: list[Any]) -> Packets:
    for packet in packets:
        yield float((packet.pts or 0) * packet.time_base), packet
