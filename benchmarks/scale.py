"""What a million ten-second clips cost, worked out from measured stages.

    python benchmarks/scale.py                       # the table of benchmarks/scale.md
    python benchmarks/scale.py --frames 10           # ten frames of each clip in place of one
    python benchmarks/scale.py --price 2.5 --per gpu # with a price for an hour of a card

Nothing is run: the seconds below were measured by the commands that are named beside them, and this multiplies. What
is assumed: every clip is read from a file and one frame of it is answered with all its sound; work is divided without
loss (clips do not depend on one another; ``zsavs label --engine ray``, or ``--shard`` in a job array); one process a
core, or one a card, whose own cores read the clips meanwhile; nothing is spent on failures. Loading the models, once
for a process, is left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

CLIPS = 1_000_000
CORES = 64


class Stage(NamedTuple):
    """What was measured of one way to answer a pair.

    Args:
        name: preset, strategy, precision.
        per: "core" or "gpu", what the seconds are of.
        seconds: for one pair.
        gigabytes: of memory for a process; of the card's for "gpu".
        command: what measured it.
    """

    name: str
    per: str
    seconds: float
    gigabytes: float
    command: str


#: Reading a clip: its packets are decoded once, the frames that are looked at are kept.
DECODING = Stage("decoding ten seconds of video", "core", 0.43, 0.16, "long_video.py")
MEASURED = (
    Stage("pocket, classify", "core", 0.29, 0.3, "real_pairs.py"),
    Stage("nano, audio_to_text", "core", 0.55, 1.1, "soak.py"),
    Stage("base with Grounding DINO, audio_to_text, float32", "core", 26.6, 6.7, "speed.py --models base"),
    Stage("base with OmDet-Turbo, audio_to_text, float32", "core", 13.2, 4.6, "full_size.py base"),
    Stage("the same, SAM 2 at 512 pixels, phrases together", "core", 5.7, 4.6, "full_size.py base"),
    Stage("base, audio_to_text, bfloat16, batches of 8", "gpu", 1 / 4.35, 8.1, "speed.py --models base --device cuda"),
    Stage("the same, if only the models took time", "gpu", 1 / 13.7, 8.1, "speed.py --models base --device cuda"),
)


def hours(stage: Stage, frames: int) -> float:
    """Hours of one card, or of ``CORES`` cores with the decoding on them, for a million clips."""
    seconds = stage.seconds * frames * CLIPS
    if stage.per == "core":
        return (seconds + DECODING.seconds * CLIPS) / CORES / 3600
    return seconds / 3600


def table(stages: Sequence[Stage], frames: int, price: float | None) -> str:
    """The hours in Markdown."""
    lines = ["| what | s a pair | on | hours | GB | measured by |", "|---|--:|---|--:|--:|---|"]
    if price is not None:
        lines = [lines[0] + " price |", lines[1] + "--:|"]
    for stage in stages:
        took = hours(stage, frames)
        where = f"{CORES} cores" if stage.per == "core" else "one H100"
        memory = stage.gigabytes * (CORES if stage.per == "core" else 1)
        cells = [stage.name, f"{stage.seconds:.3g}", where, f"{took:,.1f}", f"{memory:.0f}", f"`{stage.command}`"]
        if price is not None:
            cells.append(f"{took * price:,.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Parse the arguments, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1, help="of each clip")
    parser.add_argument("--per", choices=["core", "gpu"], help="only what is measured on this")
    parser.add_argument("--price", type=float, help=f"of an hour of {CORES} cores, or of a card")
    arguments = parser.parse_args()
    if arguments.frames < 1:
        parser.error("--frames must be 1 or more")
    chosen = [stage for stage in MEASURED if arguments.per in (None, stage.per)]
    print(table(chosen, arguments.frames, arguments.price))


if __name__ == "__main__":
    main()
