"""Throughput and memory of a labelling job, and of its export: how much of either is zsavs, and what grows with a job.

    python benchmarks/labelling.py                          # 300 and 3000 pairs, preset toy
    python benchmarks/labelling.py --preset nano --items 40 400 --strategy fused
    python benchmarks/labelling.py --engine ray --items 300

The pairs are four toy scenes under many names, 320 x 240 pixels with two seconds of audio. Each job and each export is
a process of its own. Exit code 1 if a job takes more than 20 kB of memory for each further item.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import soundfile
from PIL import Image

from zsavs.testing import toy

_SCENES = (("red",), ("red", "blue"), ("green",), ())
_MOST_KB = 20.0

#: Arguments: input, output, strategy, preset, engine.
_LABEL = """
import sys, zsavs
source, out, strategy, preset, engine = sys.argv[1:]
zsavs.label(source, out, [strategy], preset, engine, previews=0, form="parquet")
"""

#: Arguments: input, format, output. Prints the seconds, and the most memory in MB.
_EXPORT = """
import resource, sys, time, zsavs
start = time.perf_counter()
zsavs.export(*sys.argv[1:])
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
"""


def write_items(folder: Path, count: int) -> Path:
    """So many pairs, which are names of the same few files."""
    made = folder / "made"
    made.mkdir(parents=True)
    for number, sounding in enumerate(_SCENES):
        sample, _ = toy.scene(("red", "blue"), sounding, size_hw=(240, 320), seed=number)
        Image.fromarray(sample.image).save(made / f"{number}.jpg")
        soundfile.write(made / f"{number}.wav", sample.audio.waveform.T, sample.audio.sample_rate_hz)
    (folder / "in").mkdir()
    for number in range(count):
        for ending in (".jpg", ".wav"):
            os.link(made / f"{number % len(_SCENES)}{ending}", folder / "in" / f"{number:06d}{ending}")
    return folder / "in"


def run(code: str, *arguments: object) -> str:
    """What a script says, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 0 if memory stays within bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[300, 3000])
    parser.add_argument("--preset", default="toy")
    parser.add_argument("--strategy", default="audio_to_text")
    parser.add_argument("--engine", default="local")
    parser.add_argument("--format", nargs="*", default=["coco", "yolo"])
    asked = parser.parse_args(argv)
    peaks: list[tuple[int, float]] = []
    print("| items | what | preset | engine | s | items in a second | peak MB |")
    print("| --: | :-- | :-- | :-- | --: | --: | --: |")
    for count in sorted(asked.items):
        with tempfile.TemporaryDirectory() as name:
            source, out = write_items(Path(name), count), Path(name, "labels")
            run(_LABEL, source, out, asked.strategy, asked.preset, asked.engine)
            report = json.loads((out / "report.json").read_text())
            peaks.append((count, report["peak_memory_mb"]))
            rows = [("label", asked.preset, asked.engine, report["seconds"], report["peak_memory_mb"])]
            for form in asked.format:
                seconds, peak = map(float, run(_EXPORT, out, form, Path(name, form)).split())
                rows.append((f"export to {form}", "", "", seconds, peak))
        for what, preset, engine, seconds, peak in rows:
            print(f"| {count} | {what} | {preset} | {engine} | {seconds:.1f} | {count / seconds:.1f} | {peak:.0f} |")
        sys.stdout.flush()
    (fewest, low), (most, high) = peaks[0], peaks[-1]
    growth = (high - low) * 1000 / max(most - fewest, 1)
    if len(peaks) > 1:
        print(f"\n{growth:.2f} kB for each further item")
    return int(growth > _MOST_KB)


if __name__ == "__main__":
    raise SystemExit(main())
