"""A toy video: a disc of a colour for each source, which moves, and sounds when it is told to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zsavs.media.video_writer import VideoWriter
from zsavs.testing import toy
from zsavs.types import AudioClip

FPS = 4
SECONDS = 12
RATE_HZ = 16_000
#: When each colour sounds.
TIMES = {"red": ((1.0, 4.0), (8.0, 11.0)), "blue": ((4.5, 7.5),)}


def frames(size_hw: tuple[int, int] = (64, 96)) -> list[NDArray[np.uint8]]:
    """A red and a blue disc that move slowly across a grey ground."""
    ys, xs = np.mgrid[: size_hw[0], : size_hw[1]]
    images = []
    for number in range(FPS * SECONDS):
        image = np.full((*size_hw, 3), 128, np.uint8)
        for colour, y, x in (("red", 20, 15 + number), ("blue", 46, 80 - number)):
            image[(ys - y) ** 2 + (xs - x) ** 2 < 100] = toy.COLOURS[colour]
        images.append(image)
    return images


def audio() -> AudioClip:
    """The tones of :data:`TIMES`, and silence between them."""
    wave = np.zeros(SECONDS * RATE_HZ, np.float32)
    t = np.arange(len(wave)) / RATE_HZ
    for colour, spans in TIMES.items():
        for on, off in spans:
            inside = (t >= on) & (t < off)
            wave[inside] += 0.3 * np.sin(2 * np.pi * toy.PITCHES_HZ[colour] * t[inside])
    return AudioClip(wave[None], RATE_HZ)


def write(path: Path) -> Path:
    """The same as a video file."""
    import soundfile

    clip = audio()
    soundfile.write(path.with_suffix(".wav"), clip.waveform[0], RATE_HZ)
    with VideoWriter(path, (64, 96), FPS, audio_from=path.with_suffix(".wav")) as writer:
        for number, image in enumerate(frames()):
            writer.write(image, number / FPS)
    return path
