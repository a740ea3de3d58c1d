"""An hour of sound: how long it takes and how much memory, step by step, each in a process of its own.

    python benchmarks/long_recordings.py
    python benchmarks/long_recordings.py --preset nano --preset pocket
    python benchmarks/long_recordings.py --preset pocket --strategy classify --minutes 90

Makes an audio file (quiet noise, and a second of a tone every minute), reads it, cuts it into windows, draws it, and
with --preset embeds its windows with the preset's audio encoder; with --strategy it answers for a black image as
``zsavs segment`` does. Prints a table in Markdown, and ends with exit code 1 if a step took more than --limit MB.
Memory is the peak of the whole process, Python and libraries included; the first row is what these take alone.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import zsavs
from zsavs.build.parts import build_parts
from zsavs.draw.audio import audio_strip
from zsavs.media.audio_file import load_audio
from zsavs.media.waveform import stream_windows
from zsavs.presets import find_preset


def write(path: Path, minutes: float, rate: int, channels: int) -> None:
    """Write the audio file, 16 bits, a second at a time."""
    import soundfile

    rng = np.random.default_rng(0)
    beep = 0.3 * np.sin(2 * np.pi * 880 * np.arange(rate) / rate)
    with soundfile.SoundFile(path, "w", rate, channels, subtype="PCM_16") as file:
        for second in range(round(minutes * 60)):
            wave = 0.001 * rng.standard_normal((rate, channels))
            if second % 60 == 30:
                wave += beep[:, None]
            file.write(wave)


def imports(_: Path, __: str, ___: str) -> str:
    """The libraries that reading needs, and nothing else."""
    import soundfile  # noqa: F401
    import soxr  # noqa: F401

    return "nothing"


def load(path: Path, _: str, __: str) -> str:
    """Decode the file."""
    clip = load_audio(path)
    return f"{clip.duration_s:.0f} s in {len(clip.waveform)} of its channels"


def windows(path: Path, _: str, __: str) -> str:
    """Decode it and go through windows of ten seconds, a second apart, at 48 and 16 kHz."""
    clip = load_audio(path)
    count = sum(1 for rate in (48_000, 16_000) for _ in stream_windows(clip, rate, 10, 1))
    return f"{count} windows"


def drawing(path: Path, _: str, __: str) -> str:
    """Decode it and draw its waveform and spectrogram."""
    strip = audio_strip(load_audio(path), 1600, 300, 20)
    return f"{strip.width} x {strip.height} pixels"


def encoder(path: Path, preset: str, _: str) -> str:
    """Decode it and embed it with a preset's audio encoder."""
    part: Any = build_parts(["audio_text"], preset, "cpu")["audio_text"]
    rows = part.encode_audio([load_audio(path)])
    assert np.isfinite(rows).all()
    return type(part).__name__


def answer(path: Path, preset: str, strategy: str) -> str:
    """Decode it and answer for a black image."""
    result = zsavs.segment(np.zeros((240, 320, 3), np.uint8), str(path), strategy, preset)
    return f"hears {', '.join(result.queries.phrases) or 'nothing'}"


STEPS = {step.__name__: step for step in (imports, load, windows, drawing, encoder, answer)}


def measure(step: str, *arguments: str) -> int:
    """Run a step in this process; print what it did, seconds and the peak of memory in MB, and return the peak."""
    start, busy = time.perf_counter(), time.process_time()
    what = STEPS[step](Path(arguments[0]), *arguments[1:])
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    name = " ".join(filter(None, (step, *arguments[1:])))
    print(f"| {name} | {what} | {seconds:.0f} | {busy:.0f} | {peak:.0f} |", flush=True)
    return round(peak)


def main() -> int:
    """Make the file, measure each step in a new process, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="length of the recording (%(default)s)")
    parser.add_argument("--rate", type=int, default=48_000, help="its sample rate (%(default)s)")
    parser.add_argument("--channels", type=int, default=2, help="its channels (%(default)s)")
    parser.add_argument("--format", choices=("flac", "wav"), default="flac", help="of the file (%(default)s)")
    parser.add_argument("--preset", action="append", default=[], help="embed it with this preset's audio encoder")
    parser.add_argument("--strategy", help="and answer with this strategy of each preset")
    parser.add_argument("--limit", type=float, default=1500.0, help="MB that no step may exceed (%(default)s)")
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        return int(measure(*arguments.step) > arguments.limit)
    for preset in arguments.preset:
        find_preset(preset)
    steps = [[name, "", ""] for name in ("imports", "load", "windows", "drawing")]
    steps += [["encoder", preset, ""] for preset in arguments.preset]
    steps += [["answer", preset, arguments.strategy] for preset in arguments.preset if arguments.strategy]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"long.{arguments.format}"
        write(path, arguments.minutes, arguments.rate, arguments.channels)
        print(
            f"{arguments.minutes:g} minutes, {arguments.rate} Hz, {arguments.channels} channels, {arguments.format}, "
            f"{path.stat().st_size / 1e6:.0f} MB\n\n| step | | s | s of processor | peak MB |\n"
            "| :-- | :-- | --: | --: | --: |",
            flush=True,
        )
        command = [sys.executable, __file__, "--limit", str(arguments.limit), "--step"]
        failed = [
            step for step, *rest in steps if subprocess.run([*command, step, str(path), *rest], check=False).returncode
        ]
    print(f"\n{'too much: ' + ', '.join(failed) if failed else 'within the limit'} ({arguments.limit:g} MB)")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
