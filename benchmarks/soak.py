"""Ten thousand pairs through one pipeline: memory, open files and speed have to stay as they are.

    python benchmarks/soak.py --items 10000
    python benchmarks/soak.py --items 10000 --minutes 10    # as many as fit

Preset nano over the scenes of the orchestra, each read from its files again every time, the next batch loaded ahead.
Prints a table in Markdown and a verdict, and ends with exit code 1 if anything grew. Needs Linux (/proc).
"""

from __future__ import annotations

import argparse
import gc
import itertools
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import zsavs
from zsavs.datasets.orchestra import Orchestra

#: What memory may grow by between the first interval and the last: allocators settle, leaks do not.
MAX_GROWTH = 0.05
#: How much slower the last interval may be than the first, in processor time for a pair.
MAX_SLOWDOWN = 0.25


class Reading(NamedTuple):
    """After so many items: memory in MB, open files, and what a pair of the last interval took."""

    items: int
    memory_mb: float
    files: int
    wall_ms: float
    cpu_ms: float


def read(items: int, since: int, wall_s: float, cpu_s: float) -> Reading:
    """Take a reading of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    memory = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    each = 1e3 / (items - since)
    return Reading(items, memory, len(os.listdir("/proc/self/fd")), wall_s * each, cpu_s * each)  # noqa: PTH208


def verdict(readings: Sequence[Reading]) -> list[str]:
    """What grew; nothing if all is flat. The first interval warms up and does not count.

    Each number is the least of the last third against the least of the first third: other load on the machine can
    only add to a reading.
    """
    settled = readings[1:]
    if len(settled) < 3:
        return ["too few intervals to tell: give more items, or a smaller --every"]
    third = len(settled) // 3
    early, late = settled[:third], settled[-third:]
    grown = []
    for name, limit in (("memory_mb", MAX_GROWTH), ("files", 0.0), ("cpu_ms", MAX_SLOWDOWN)):
        before, after = (min(getattr(reading, name) for reading in part) for part in (early, late))
        if after > before * (1 + limit):
            grown.append(f"{name} grew from {before:.1f} to {after:.1f}")
    return grown


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--every", type=int, help="items between readings; a twentieth of all if left out")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after this long")
    parser.add_argument("--strategy", default="audio_to_text")
    parser.add_argument("--preset", default="nano")
    parser.add_argument("--batch-size", type=int, default=8)
    arguments = parser.parse_args()
    pipe = zsavs.build_pipeline(arguments.strategy, arguments.preset)
    scenes = Orchestra()
    every = arguments.every or max(1, arguments.items // 20)

    def samples() -> Iterator[zsavs.AVSample]:
        for name in itertools.islice(itertools.cycle(list(scenes)), arguments.items):
            yield scenes.load(name).sample

    print("| items | memory, MB | open files | ms a pair, wall | ms a pair, processor |")
    print("| --: | --: | --: | --: | --: |", flush=True)
    readings: list[Reading] = []
    start, done = time.monotonic(), 0
    since, wall, cpu = 0, time.perf_counter(), time.process_time()
    for done, _ in enumerate(pipe.map(samples(), arguments.batch_size, load_ahead=True), start=1):
        if done % every and done != arguments.items:
            continue
        readings.append(read(done, since, time.perf_counter() - wall, time.process_time() - cpu))
        items, memory, files, wall_ms, cpu_ms = readings[-1]
        print(f"| {items} | {memory:.0f} | {files} | {wall_ms:.1f} | {cpu_ms:.1f} |", flush=True)
        since, wall, cpu = done, time.perf_counter(), time.process_time()
        if time.monotonic() - start > arguments.minutes * 60:
            break
    grown = verdict(readings)
    print(f"\n{done} of {arguments.items} items: " + ("; ".join(grown) if grown else "flat"))
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
