"""Folders to label: toy scenes as pairs of files, and short clips of moving discs."""

from __future__ import annotations

from pathlib import Path

import soundfile
from PIL import Image

from zsavs.media.video_writer import VideoWriter
from zsavs.testing import toy

__all__ = ["files_of", "write_pair", "write_pairs", "write_video"]

#: What is visible, and what sounds: one thing, two, one off screen, nothing.
_SCENES = (("red",), ("red", "blue"), ("green",), ())


def write_pair(folder: Path, name: str, sounding: tuple[str, ...] = ("blue",), seed: int = 0) -> None:
    """A toy scene with a red and a blue disc as ``name.png`` and ``name.wav``."""
    sample, _ = toy.scene(("red", "blue"), sounding, size_hw=(48, 64), seed=seed)
    image, audio = folder / f"{name}.png", folder / f"{name}.wav"
    image.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sample.image).save(image, compress_level=1)
    soundfile.write(audio, sample.audio.waveform.T, sample.audio.sample_rate_hz)


def write_pairs(folder: Path, count: int) -> Path:
    """So many pairs, called 000, 001 and so on; every fourth is silent."""
    for number in range(count):
        write_pair(folder, f"{number:03d}", _SCENES[number % 4], number)
    return folder


def write_video(path: Path) -> Path:
    """A second of a video in which a red disc rests and hums."""
    sample, _ = toy.scene(("red", "blue"), ("red",), size_hw=(48, 64))
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = path.with_suffix(".wav")
    soundfile.write(sound, toy.tone("red", seconds=1.0).waveform.T, toy.tone("red").sample_rate_hz)
    with VideoWriter(path, (48, 64), 4, codec="mpeg4", audio_from=sound) as video:
        for number in range(4):
            video.write(sample.image, number / 4)
    sound.unlink()
    return path


def files_of(out: Path) -> dict[str, bytes]:
    """What a job consists of, but how long it took."""
    files = [path for path in out.rglob("*") if path.is_file() and path.name not in ("report.json", "lock")]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}
