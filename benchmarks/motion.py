"""Strategies and trackers on the orchestra in motion, beside the ceiling and with the sound of other clips.

    python benchmarks/motion.py                                   # the clips that come with zsavs
    python benchmarks/motion.py --tracker associate --tracker none --out motion.md
    python benchmarks/motion.py --fresh 2027 --each 3             # new clips; needs what tools/orchestra needs

Prints Markdown. Each clip goes through ``pipe.video`` as a whole. J and J&F are means over the frames in which
something in view sounds; where nothing does, the share of the frame that is wrongly marked is given. Identities are
those of the objects while they sound. When a source sounds is taken from the tracks of its label.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import zsavs
from zsavs.datasets.orchestra_motion import MotionClip, OrchestraMotion
from zsavs.errors import InputError, ZsavsError
from zsavs.evaluation.oracle import Oracle
from zsavs.evaluation.plan import CEILING
from zsavs.evaluation.whole_video import update_tracking
from zsavs.metrics.tracking import COLLAR_S, SEGMENT_S
from zsavs.metrics.tracking_suite import Tracking
from zsavs.presets import find_preset
from zsavs.report.blocks import Block, Cell, Page, Paragraph, Row, Section, Table
from zsavs.report.render import render
from zsavs.report.values import percent
from zsavs.storage.files import write_atomically
from zsavs.temporal.video_result import VideoResult

ROOT = Path(__file__).resolve().parents[1]
STRATEGIES = ("audio_to_text", "fused", "classify", "text_bridged")
#: Clips of a group that --fresh draws, as many as come with zsavs.
EACH = 3


@dataclass
class Tally:
    """What was counted of one strategy with one tracker and one kind of sound.

    Args:
        groups: by group of clips, the numbers of whole videos.
        seconds, video_s: how long it took, and the length of the clips.
    """

    groups: dict[str, Tracking] = field(default_factory=lambda: defaultdict(Tracking))
    seconds: float = 0.0
    video_s: float = 0.0

    def add(self, clip: MotionClip, result: VideoResult, seconds: float) -> None:
        """Count a clip.

        Raises:
            InputError: the result has another number of frames.
        """
        update_tracking(self.groups[clip.script.group], clip.truth, result)
        self.seconds, self.video_s = self.seconds + seconds, self.video_s + clip.script.duration_s

    def numbers(self, group: str | None = None) -> dict[str, float]:
        """The numbers of a group, or of all; see :class:`zsavs.metrics.tracking_suite.Tracking`."""
        whole = Tracking()
        for name, of_group in self.groups.items():
            if group in (None, name):
                whole.merge(of_group)
        return whole.compute()


def build(strategies: Sequence[str], options: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The pipelines that can be built, the ceiling last, and a line for each of the others.

    Raises:
        InputError: none can be built.
    """
    find_preset(options["preset"])
    pipes, skipped = {}, []
    for name in strategies:
        try:
            pipes[name] = zsavs.build_pipeline(name, **options)
        except ZsavsError as error:
            skipped.append(f"Left out {name}: {error}")
    if not pipes:
        raise InputError(f"the preset {options['preset']!r} can run none of the strategies. {' '.join(skipped)}")
    return {**pipes, CEILING: zsavs.build_pipeline(Oracle(), **options)}, skipped


Key = tuple[str, str, str]


def measure(
    dataset: OrchestraMotion, pipes: Mapping[str, Any], trackers: Sequence[str], own_only: bool = False
) -> dict[Key, Tally]:
    """Run every pipeline over every clip, with its own sound and, but for the ceiling, with another one's.

    Args:
        dataset: the clips.
        pipes: by strategy, the ceiling among them.
        trackers: names.
        own_only: leave out the sound of other clips.

    Returns:
        The tallies by strategy, tracker and sound.
    """
    tallies: dict[Key, Tally] = defaultdict(Tally)
    for number, clip in enumerate(dataset.clips(), 1):
        other = dataset.other_audio(f"{clip.name}/0")
        truth = clip.truth
        for name, pipe in pipes.items():
            own = pipe.strategy.tell(truth.heard, truth.duration_s) if name == CEILING else clip.audio
            another = None if own_only or name == CEILING else other
            for sound, audio in {"own": own, "another": another}.items():
                for tracker in trackers if audio is not None else ():
                    start = time.perf_counter()
                    result = pipe.video(list(clip.frames), audio, fps=clip.fps, tracker=tracker)
                    tallies[name, tracker, sound].add(clip, result, time.perf_counter() - start)
        print(f"{number} of {len(dataset.scripts)} clips", file=sys.stderr)
    return dict(tallies)


def page(
    dataset: OrchestraMotion, tallies: Mapping[Key, Tally], skipped: Sequence[str], title: str, source: str
) -> Page:
    """The tables, and notes on how they are read."""
    columns = ["Strategy", "Tracker", "Sound", "J", "J&F", "FP", "Switches", "Per 20", "Events", "Segments", "Heard"]
    order = sorted(tallies, key=lambda key: (key[0] == CEILING, key[2] != "own"))
    rows, by_group = [], []
    for key in order:
        tally = tallies[key]
        own, numbers = key[2] == "own", tally.numbers()
        cells = [*key, *(_percent(numbers[name]) for name in ("J", "J&F", "FPR_empty"))]
        switches, objects = numbers["n_switches"], numbers["n_objects"]
        per_20 = f"{20 * switches / objects:.2f}" if objects else "–"
        f1s = (_percent(numbers[name]) for name in ("events_F1", "segments_F1", "heard_F1"))
        cells += [f"{switches} in {objects}", per_20, *f1s] if own else [""] * 5
        rows.append(Row([Cell(text) for text in (*cells, f"{tally.seconds / tally.video_s:.2f}")]))
        if own:
            of_groups = [tally.numbers(group) for group in dataset.groups]
            cells = [*key[:2], *(_percent(of[name]) for name in ("J", "FPR_empty") for of in of_groups)]
            by_group.append(Row([Cell(text) for text in cells]))
    any_tally = next(iter(tallies.values()))
    frames = any_tally.numbers()
    blocks: list[Block] = [
        Table([*columns, "s/s"], rows, words=3),
        Paragraph(
            f"Percent, but for switches and seconds. J and J&F: means over the {frames['n_sounding']} frames in which "
            f"something in view sounds; FP: the wrongly marked share of the {frames['n_other']} others. Switches: of "
            f"identity, among the objects that were followed while they sound; Per 20: for twenty such objects. Events "
            f"and Segments: F1 of when the tracks of each label sound, by spans that begin and end within {COLLAR_S:g} "
            f"s of the true ones, and by segments of {SEGMENT_S:g} s; Heard: F1 of events of what is heard, off screen "
            f"too. s/s: seconds for a second of video of {any_tally.video_s:g} s in all."
        ),
        Paragraph(
            f"{CEILING}: the same grounder, verifier, segmenter and tracker, told which labels sound when. No strategy "
            f"is told. Sound of another clip: one in which nothing sounds that is in the frames, scored against the "
            f"targets of the frames' own sound."
        ),
        *map(Paragraph, skipped),
    ]
    heads = ["Strategy", "Tracker", *(f"J {group}" for group in dataset.groups)]
    heads += [f"FP {group}" for group in dataset.groups]
    return Page(
        title,
        f"zsavs {zsavs.__version__} on {len(dataset.scripts)} clips: {source}.",
        [Section("Results", blocks), Section("By group", [Table(heads, by_group, words=2)])],
    )


def _percent(value: float) -> str:
    return percent(None if np.isnan(value) else value)


def fresh(folder: Path, seed: int, each: int) -> Path:
    """Draw new clips.

    Raises:
        InputError: the generator lacks something; says what.
    """
    sys.path.insert(0, str(ROOT))
    try:
        from tools.orchestra.__main__ import write_clips

        write_clips(folder, seed, each)
    except (ImportError, OSError) as error:
        raise InputError(
            f"--fresh draws clips with tools/orchestra of a clone of the repository, which needs pyfluidsynth and "
            f"Debian's fluidsynth, fluid-soundfont-gm and fonts-noto-color-emoji: {error}"
        ) from error
    return folder


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 0 if it was done, 1 if not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--root", type=Path, metavar="DIR", help="a folder of clips; those of the package if left out")
    where.add_argument("--fresh", type=int, metavar="SEED", help="draw new clips, --each of a group")
    parser.add_argument(
        "--each", type=int, default=EACH, metavar="N", help="clips of a group for --fresh (%(default)s)"
    )
    parser.add_argument("--group", action="append", metavar="NAME", help="several times for several; all if left out")
    parser.add_argument("--preset", default="nano", help="which models (%(default)s)")
    parser.add_argument(
        "--strategy", action="append", metavar="NAME", help=f"several times for several; {', '.join(STRATEGIES)}"
    )
    parser.add_argument("--tracker", action="append", metavar="NAME", help="several times for several; associate")
    parser.add_argument("--own-only", action="store_true", help="leave out the sound of other clips")
    parser.add_argument("--no-ceiling", action="store_true", help="leave out what is told what sounds")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (%(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the Markdown there, too")
    arguments = parser.parse_args(argv)
    options = {"preset": arguments.preset, "device": arguments.device}
    try:
        with tempfile.TemporaryDirectory(prefix="motion-") as temporary:
            root, source = arguments.root, f"the folder {arguments.root}"
            if arguments.fresh is not None:
                root = fresh(Path(temporary), arguments.fresh, arguments.each)
                source = f"fresh, seed {arguments.fresh}"
            elif root is None:
                source = "those that come with the package"
            dataset = OrchestraMotion(root, groups=arguments.group)
            pipes, skipped = build(list(dict.fromkeys(arguments.strategy or STRATEGIES)), options)
            if arguments.no_ceiling:
                del pipes[CEILING]
            tallies = measure(
                dataset, pipes, list(dict.fromkeys(arguments.tracker or ["associate"])), arguments.own_only
            )
            title = f"The orchestra in motion, preset {arguments.preset}"
            text = render(page(dataset, tallies, skipped, title, source), "markdown")
        print(text, end="")
        if arguments.out is not None:
            write_atomically(arguments.out, lambda file: file.write(text.encode()))
    except ZsavsError as error:
        print(f"motion: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("motion: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
