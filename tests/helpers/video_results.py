"""A clip in which two dogs and a violin move, as frames and as a file, and a result that knows all of it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from drawings import ellipse
from numpy.typing import NDArray

from zsavs.media.regions import tight_box
from zsavs.storage import rle
from zsavs.temporal.video_result import Track, VideoResult
from zsavs.types import AudioClip, Query

SIZE_HW = (120, 200)
DURATION_S, NATIVE_FPS, FPS = 2.0, 20, 4
RATE_HZ = 24_000
#: When each source sounds. The second dog does not; rain is not in view.
SOUNDS = {1: ((0.25, 0.75), (1.5, 1.75)), 2: (), 3: ((0.0, 2.0),)}
RAIN = ((1.0, 1.4),)
COLOURS = {1: (150, 100, 60), 2: (200, 170, 90), 3: (60, 120, 70)}
NOTES = {"no_audio": "the sound ends at 1.9 s; what comes after is answered with nothing", "tracker": "associate"}
CARD = {"source": "somebody/clap", "licence": "Apache-2.0", "size_mb": 600, "revision": "abc", "verified": "model card"}


def masks_at(time_s: float) -> dict[int, NDArray[np.bool_]]:
    """Where each thing is, by the id of its track."""
    return {
        1: ellipse(*SIZE_HW, 30 + 30 * time_s, 40, 20, 16),
        2: ellipse(*SIZE_HW, 160, 40 + 10 * time_s, 16, 18),
        3: ellipse(*SIZE_HW, 100, 95, 14, 16),
    }


def image_at(time_s: float) -> NDArray[np.uint8]:
    image = np.full((*SIZE_HW, 3), 120, np.uint8)
    for track, mask in masks_at(time_s).items():
        image[mask] = COLOURS[track]
    return image


def images(fps: float = NATIVE_FPS) -> list[NDArray[np.uint8]]:
    return [image_at(number / fps) for number in range(round(DURATION_S * fps))]


def sound() -> AudioClip:
    """A tone where anything but rain sounds."""
    t = np.arange(round(DURATION_S * RATE_HZ)) / RATE_HZ
    wave = 0.1 * np.sin(2 * np.pi * 440 * t)
    return AudioClip(wave[None].astype(np.float32), RATE_HZ)


def result(source: str = "", names: tuple[str, str, str] = ("dog", "dog", "violin"), **changes: Any) -> VideoResult:
    """The result of the clip, as if every fourth of a second was looked at; the violin is seen from 0.5 s on."""
    times = np.arange(0, DURATION_S, 1 / FPS)
    tracks = []
    for track, name in enumerate(names, start=1):
        frames = np.array([number for number, time_s in enumerate(times) if track != 3 or time_s >= 0.5])
        masks = [masks_at(times[number])[track] for number in frames]
        tracks.append(
            Track(
                track,
                name,
                SOUNDS[track],
                frames,
                np.linspace(0.5, 0.9, len(frames)).astype(np.float32),
                np.array([tight_box(mask) for mask in masks], np.float32),
                tuple(map(rle.encode, masks)),
            )
        )
    phrases = tuple(dict.fromkeys((names[0], names[2])))
    given = {
        "frames": times,
        "size_hw": SIZE_HW,
        "tracks": tuple(tracks),
        "queries": Query(
            (*phrases, "rain"),
            np.linspace(0.9, 0.5, len(phrases) + 1).astype(np.float32),
            times=(*[SOUNDS[1], SOUNDS[3]][: len(phrases)], RAIN),
        ),
        "source": source,
        "timings": {"query": 0.5},
        "meta": {"strategy": "fused", "models": {"audio_text": CARD}, "notes": NOTES},
    }
    return VideoResult(**{**given, **changes})


def write_clip(path: Path, audio: bool = True) -> Path:
    """The clip as a video file, VP9 and Opus."""
    with av.open(str(path), "w") as file:
        video = file.add_stream("libvpx-vp9", rate=NATIVE_FPS, options={"deadline": "realtime", "cpu-used": "8"})
        video.height, video.width, video.pix_fmt = *SIZE_HW, "yuv420p"
        voice = file.add_stream("libopus", rate=RATE_HZ) if audio else None
        for number, image in enumerate(images()):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, NATIVE_FPS)
            file.mux(video.encode(frame))
        file.mux(video.encode())
        if voice is not None:
            samples = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound().waveform), format="fltp", layout="mono")
            samples.sample_rate = RATE_HZ
            file.mux(voice.encode(samples))
            file.mux(voice.encode())
    return path
