"""An hour of video in bounded memory: peak memory while it is answered, after ten minutes and at the end.

    python benchmarks/long_video.py                    # an hour at 2 frames a second, preset toy
    python benchmarks/long_video.py --minutes 10 --preset nano

The video is drawn here, 320 x 240 pixels with a tone that comes and goes, and written to a temporary file. Exit code 1
if the peak exceeds 2.5 GB, or if memory grows by more than 200 MB after a sixth of the time.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

import zsavs
from zsavs.media.video_writer import VideoWriter
from zsavs.testing import toy

_FPS, _RATE_HZ, _HW = 2.0, 16_000, (240, 320)
_MOST_MB, _GROWTH_MB = 2500.0, 200.0


def peak_mb() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def draw(folder: Path, seconds: int) -> Path:
    """A video of a disc that moves and hums for 3 of every 10 seconds."""
    with soundfile.SoundFile(folder / "hum.wav", "w", _RATE_HZ, 1, "PCM_16") as file:
        t = np.arange(_RATE_HZ) / _RATE_HZ
        for second in range(seconds):
            file.write(0.3 * np.sin(2 * np.pi * toy.PITCHES_HZ["red"] * t) * (second % 10 in (2, 3, 4)))
    ys, xs = np.mgrid[: _HW[0], : _HW[1]]
    with VideoWriter(folder / "video.mp4", _HW, _FPS, codec="mpeg4", audio_from=folder / "hum.wav") as writer:
        for number in range(int(seconds * _FPS)):
            image = np.full((*_HW, 3), 128, np.uint8)
            image[(ys - 120) ** 2 + (xs - 60 - number % 200) ** 2 < 900] = toy.COLOURS["red"]
            writer.write(image, number / _FPS)
    return folder / "video.mp4"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 0 if memory stays within bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--preset", default="toy")
    parser.add_argument("--strategy", default="audio_to_text")
    asked = parser.parse_args(argv)
    early: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = draw(Path(folder), asked.minutes * 60)
        pipe = zsavs.build_pipeline(asked.strategy, preset=asked.preset)
        before = peak_mb()

        def progress(done: int, total: int | None) -> None:
            if total and done >= total / 6 and not early:
                early.append(peak_mb())

        start = time.perf_counter()
        result = pipe.video(path, fps=_FPS, progress=progress)
        seconds = time.perf_counter() - start
    peak = peak_mb()
    print("| minutes | preset | frames | tracks | s | s for a second | MB before | after a sixth | peak |")
    print("| --: | :-- | --: | --: | --: | --: | --: | --: | --: |")
    cells = [asked.minutes, asked.preset, len(result), len(result.tracks), f"{seconds:.0f}"]
    cells += [f"{seconds / asked.minutes / 60:.3f}", f"{before:.0f}", f"{early[0]:.0f}", f"{peak:.0f}"]
    print(f"| {' | '.join(map(str, cells))} |")
    return int(peak > _MOST_MB or peak - early[0] > _GROWTH_MB)


if __name__ == "__main__":
    sys.exit(main())
