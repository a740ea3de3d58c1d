"""Small videos whose frames tell their number by their colour, with a tone of a known pitch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

__all__ = ["colour", "number", "onset_s", "payloads", "pitch_hz", "tone_frames", "write_clip", "write_sound"]

#: Levels of red and green that codecs keep apart.
_LEVELS = (40, 90, 140, 190, 240)
_TICKS = 90_000


def colour(k: int) -> tuple[int, int, int]:
    """The colour of frame k, of 125."""
    return _LEVELS[k % 5], _LEVELS[k // 5 % 5], _LEVELS[k // 25 % 5]


def number(image: NDArray[np.uint8]) -> int:
    """The number of a frame, by the colour in its middle."""
    middle = image[image.shape[0] // 2, image.shape[1] // 2].astype(int)
    r, g, b = (int(np.argmin(np.abs(np.array(_LEVELS) - level))) for level in middle)
    return r + 5 * g + 25 * b


def tone_frames(
    rate: int, start_s: float, length_s: float, *, hz: float = 440, channels: int = 1, level: float = 0.5
) -> Iterable[av.AudioFrame]:
    """Frames of a tone in "fltp" that begins at a time; its phase is that of the clock."""
    first, count = round(start_s * rate), round(length_s * rate)
    for at in range(0, count, 1024):
        t = (first + at + np.arange(min(1024, count - at))) / rate
        wave = np.tile(level * np.sin(2 * np.pi * hz * t), (channels, 1)).astype(np.float32)
        layout = "mono" if channels == 1 else "stereo"
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, first + at, Fraction(1, rate)
        yield frame


def write_clip(
    path: Path,
    times: Sequence[float],
    *,
    size_hw: tuple[int, int] = (48, 64),
    codec: str = "mpeg4",
    pix_fmt: str = "yuv420p",
    paint: Callable[[int], NDArray[np.uint8]] | None = None,
    rotation: int = 0,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    sound: Sequence[tuple[float, float, float]] = (),
    audio_codec: str = "aac",
    rate: int = 44_100,
    channels: int = 1,
    streams: int = 1,
    default: int | None = None,
    length_s: float = 0.1,
) -> Path:
    """A video with a frame at each of ``times``; ``sound``: (start, seconds, Hz) of each tone.

    ``paint(k)`` is the image of frame k, else one colour that tells k. ``streams``: how many streams of sound, each an
    octave above the one before; ``default``: the one of them that is marked as the default.
    """
    with av.open(str(path), "w", container_options=container or {}) as out:
        video = out.add_stream(
            codec, rate=25 if codec == "mpeg2video" else 10, options={"g": "5", "bf": "0", **(options or {})}
        )
        video.height, video.width = size_hw
        video.pix_fmt, video.codec_context.bit_rate = pix_fmt, 2_000_000
        if codec != "mpeg2video":  # which knows a few rates only; and MPEG-4 has 16 bits for the ticks of a second
            ticks = 1000 if codec in ("mpeg4", "flv") else _TICKS
            video.codec_context.time_base = video.time_base = Fraction(1, ticks)
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        if rotation:
            video.set_display_rotation(rotation)
        sounds = []
        for number_ in range(streams if sound else 0):
            stream = out.add_stream(audio_codec, rate=rate, layout="mono" if channels == 1 else "stereo")
            if default is not None:
                marked = av.stream.Disposition.default if number_ == default else av.stream.Disposition(0)
                stream.disposition = marked
            sounds.append(stream)
        packets: list[Any] = []
        for k, time_s in enumerate(times):
            image = np.full((*size_hw, 3), colour(k), np.uint8) if paint is None else paint(k)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pix_fmt)
            frame.time_base, frame.pts = Fraction(1, _TICKS), round(time_s * _TICKS)
            following = times[k + 1] if k + 1 < len(times) else time_s + length_s
            frame.duration = round((following - time_s) * _TICKS)
            packets += video.encode(frame)
        packets += video.encode(None)
        packets[-1].duration = round(length_s / packets[-1].time_base)
        for octave, stream in enumerate(sounds):
            packets += _encoded(stream, sound, rate, channels, octave)
        packets.sort(key=lambda packet: (packet.dts or 0) * packet.time_base)
        out.mux(packets)
    return path


def write_sound(
    path: Path,
    sound: Sequence[tuple[float, float, float]],
    *,
    codec: str,
    rate: int = 44_100,
    channels: int = 1,
    cover: bool = False,
) -> Path:
    """An audio file, with a cover image if asked for."""
    # FFmpeg's own container for .m4a takes no cover, which other programs write there.
    with av.open(str(path), "w", format="mp4" if cover else None) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono" if channels == 1 else "stereo")
        if codec.startswith("wma"):
            stream.bit_rate = 128_000
        packets: list[Any] = []
        if cover:
            image = out.add_stream("png", rate=1)
            image.width, image.height, image.pix_fmt = 32, 32, "rgb24"
            image.disposition = av.stream.Disposition.attached_pic
            packets += image.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), 99, np.uint8)))
        out.mux(packets + _encoded(stream, sound, rate, channels, 0))
    return path


def _encoded(
    stream: Any, sound: Sequence[tuple[float, float, float]], rate: int, channels: int, octave: int
) -> list[Any]:
    resampler, packets = av.AudioResampler(stream.codec_context.format, stream.layout, rate), []
    for start_s, length_s, hz in sound:
        for frame in tone_frames(rate, start_s, length_s, hz=hz * 2**octave, channels=channels):
            for converted in resampler.resample(frame):
                packets += stream.encode(converted)
    return packets + stream.encode(None)


def payloads(path: Path) -> list[bytes]:
    """What the packets of the first stream of sound hold."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def onset_s(wave: NDArray[np.float32], rate: int, level: float = 0.1) -> float:
    """When a waveform is first loud."""
    return float(np.argmax(np.abs(wave) > level) / rate)


def pitch_hz(wave: NDArray[np.float32], rate: int) -> float:
    """The frequency of the loudest partial."""
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 2**17))
    return float(np.argmax(spectrum) * rate / 2**17)
