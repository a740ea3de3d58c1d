"""Strategies and groups of the orchestra in one table, beside the ceiling and with the audio shuffled.

    python benchmarks/orchestra.py                       # the scenes that come with zsavs
    python benchmarks/orchestra.py --root DIR --out orchestra.md
    python benchmarks/orchestra.py --fresh 2027          # new scenes; needs what tools/orchestra needs

Prints Markdown. J is the mean over the scenes of a group, in percent. Where nothing in view sounds there is no J, and
the share of the frame that is wrongly predicted is given. A region's label is right if the object that the region
overlaps most has exactly that label and sounds. Of scenes in which the sources do not sound throughout, a second table
says how well it is found when they do.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from event_times import COLLAR_S, EventTally

import zsavs
from zsavs.datasets.orchestra import Orchestra, Scene
from zsavs.errors import InputError, ZsavsError
from zsavs.evaluation.batch_reader import item_for_shuffled_audio
from zsavs.metrics.functional import false_positive_share, jaccard
from zsavs.pipeline import Pipeline
from zsavs.presets import find_preset
from zsavs.report.blocks import Block, Cell, Page, Paragraph, Row, Section, Table
from zsavs.report.render import render
from zsavs.report.values import percent
from zsavs.storage.files import write_atomically

ROOT = Path(__file__).resolve().parents[1]
CEILING = "ceiling (an oracle)"
PERFECT = "a perfect strategy"
#: Scenes of a group that --fresh draws, as many as come with zsavs.
EACH = 16


class Oracle:
    """AN ORACLE, for the ceiling only: gives the annotated labels of the sources, and ignores the audio.

    With the same grounder, verifier and segmenter after it, it shows what is lost after the strategy.

    Args:
        answers: by a sample's name the labels of the sources in its audio.
    """

    def __init__(self, answers: Mapping[str, Sequence[str]]) -> None:
        self.answers = answers

    def query(self, samples: Sequence[zsavs.AVSample]) -> list[zsavs.Query]:
        """The labels of each sample, all with the weight 1."""
        labels = [tuple(self.answers[sample.name]) for sample in samples]
        return [zsavs.Query(names, np.ones(len(names), np.float32)) for names in labels]


@dataclass
class Tally:
    """What was counted of one strategy with one kind of audio.

    Args:
        scores: for each group J of every scene with a source, or the false-positive share where there is none.
        right, regions: selected regions with the right label, and all of them.
        events: when sources were heard, over the scenes that say when they sound.
    """

    scores: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    right: int = 0
    regions: int = 0
    events: EventTally = field(default_factory=EventTally)

    def add(self, scene: Scene, mask: Any, target: Any) -> None:
        """Score a mask."""
        score = jaccard if scene.sources else false_positive_share
        self.scores[scene.group].append(score(mask, target))

    def add_labels(self, scene: Scene, index: Any, result: zsavs.AVSResult) -> None:
        """Count the right labels of the selected regions; a region that overlaps no object is wrong."""
        for phrase, mask in zip(result.phrases, result.masks, strict=True):
            shared = np.bincount(index[mask], minlength=len(scene.things) + 1)[1:]
            self.regions += 1
            if shared.any():
                thing = scene.things[int(shared.argmax())]
                self.right += thing.sounding and thing.label.casefold() == phrase.casefold()


@dataclass
class Measured:
    """All tallies, and how many shuffled pairs share a label by coincidence."""

    tallies: dict[tuple[str, str], Tally]
    coincidences: int
    pairs: int


def measure(dataset: Orchestra, pipes: Mapping[str, Pipeline], batch_size: int = 8) -> Measured:
    """Run every pipeline over every scene, with its own audio and, but for the ceiling, with another one's."""
    tallies: dict[tuple[str, str], Tally] = defaultdict(Tally)
    items, coincidences, pairs = list(dataset), 0, 0
    for start in range(0, len(items), batch_size):
        batch = items[start : start + batch_size]
        loaded = [dataset.load(item) for item in batch]
        scenes, indices = [dataset.scenes[item] for item in batch], [dataset.index_map(item) for item in batch]
        others = [item_for_shuffled_audio(dataset, items, start + k) for k in range(len(batch))]
        by_audio = {
            "recorded": [sample for sample, _ in loaded],
            "shuffled": [
                replace(item.sample, audio=other.sample.audio) for item, (_, other) in zip(loaded, others, strict=True)
            ],
        }
        for (name, pipe), (audio, samples) in ((p, s) for p in pipes.items() for s in by_audio.items()):
            if (name, audio) == (CEILING, "shuffled"):
                continue
            tally = tallies[name, audio]
            for scene, index, (_, target), result in zip(scenes, indices, loaded, pipe.batch(samples), strict=True):
                tally.add(scene, result.mask, target.mask)
                tally.add_labels(scene, index, result)
                if scene.times:
                    tally.events.add(scene.times, result.queries)
        for scene, index, (_, target), (other, _) in zip(scenes, indices, loaded, others, strict=True):
            heard = dataset.scenes[other].heard
            present = [place for place, thing in enumerate(scene.things, 1) if thing.label in heard]
            tallies[PERFECT, "shuffled"].add(scene, np.isin(index, present), target.mask)
            if scene.sources:
                coincidences, pairs = coincidences + bool(present), pairs + 1
        print(f"{start + len(batch)} of {len(items)} scenes", file=sys.stderr)
    return Measured(dict(tallies), coincidences, pairs)


def build(
    dataset: Orchestra, strategies: Sequence[str], options: Mapping[str, Any], decomposition: str | None = None
) -> tuple[dict[str, Pipeline], list[str]]:
    """The pipelines that can be built, the ceiling last, and a line for each of the others.

    Raises:
        InputError: none can be built.
    """
    find_preset(options["preset"])
    pipes, skipped = {}, []
    for name in strategies:
        try:
            pipes[name] = zsavs.build_pipeline(name, decomposition=decomposition, **options)
        except ZsavsError as error:
            skipped.append(f"Left out {name}: {error}")
    if not pipes:
        raise InputError(f"the preset {options['preset']!r} can run none of the strategies. {' '.join(skipped)}")
    oracle = Oracle({dataset.sample_name(item): dataset.scenes[item].heard for item in dataset})
    return {**pipes, CEILING: zsavs.build_pipeline(oracle, **options)}, skipped


def page(dataset: Orchestra, measured: Measured, skipped: Sequence[str], title: str, source: str) -> Page:
    """The table, and notes on how it is read."""
    sounding = {scene.group for scene in dataset.scenes.values() if scene.sources}
    with_j = [group for group in dataset.groups if group in sounding]
    without = [group for group in dataset.groups if group not in sounding]
    counts = {group: sum(scene.group == group for scene in dataset.scenes.values()) for group in dataset.groups}
    columns = [
        *("Strategy", "Audio", *(f"J {group}" for group in with_j), "J all"),
        *(*(f"FP {group}" for group in without), "Label accuracy"),
    ]
    rows = []
    for (name, audio), tally in sorted(measured.tallies.items(), key=lambda entry: _order(measured, entry[0])):
        own = audio == "recorded"
        js = [tally.scores[group] for group in with_j]
        cells = [name, audio, *map(_mean, js), _mean([j for group in js for j in group])]
        cells += [_mean(tally.scores[group]) if own else "" for group in without]
        cells.append(percent(tally.right / tally.regions if tally.regions else None) if own else "")
        rows.append(Row([Cell(text) for text in cells]))
    share = percent(measured.coincidences / measured.pairs if measured.pairs else None)
    blocks: list[Block] = [
        Table(columns, rows, words=2),
        Paragraph(
            f"All numbers are percent. J: intersection over union at the threshold 0.5, mean over scenes. FP: wrongly "
            f"predicted share of the frame where nothing in view sounds. Label accuracy: of the selected regions of "
            f"all groups. Scenes: {', '.join(f'{count} {group}' for group, count in counts.items())}."
        ),
        Paragraph(
            f"{CEILING}: the same grounder, verifier and segmenter, given the labels of the sources "
            f"in place of the audio. No strategy sees them."
        ),
        Paragraph(
            f"shuffled: each image with the audio of another scene, scored against its own target. "
            f"{measured.coincidences} of {measured.pairs} such pairs ({share} %) share a label with the image by "
            f"coincidence; {PERFECT}, which marks exactly the sources of the other audio, then reaches the J of "
            f"the last row."
        ),
        *map(Paragraph, skipped),
    ]
    sections = [Section("Results", blocks), *_when(measured)]
    return Page(title, f"zsavs {zsavs.__version__} on {len(dataset)} scenes: {source}.", sections)


def _when(measured: Measured) -> list[Section]:
    """The table of when sources were heard, if there are scenes that say when they sound."""
    own = [(name, tally.events) for (name, audio), tally in measured.tallies.items() if audio == "recorded"]
    own = [(name, events) for name, events in own if events.events and name != CEILING]
    if not own:
        return []
    rows = [
        Row([Cell(name), *(Cell(percent(value)) for value in (events.share, events.event_f1, events.seconds_f1))])
        for name, events in own
    ]
    words = (
        f"{own[0][1].sources} sources of scenes that say when they sound. On and off: the share whose label is heard "
        f"with the first on and the last off within {COLLAR_S:g} s; F1 of events counts every span that is told; F1 "
        f"of seconds compares the time of each label. A dash: the strategy does not say when."
    )
    columns = ["Strategy", "On and off", "F1 of events", "F1 of seconds"]
    return [Section("When", [Table(columns, rows, words=1), Paragraph(words)])]


def _order(measured: Measured, key: tuple[str, str]) -> tuple[int, int, str]:
    """Strategies in their order, both kinds of audio under each other, then the ceiling and the perfect strategy."""
    names = [*dict.fromkeys(name for name, _ in measured.tallies if name not in (CEILING, PERFECT)), CEILING, PERFECT]
    return names.index(key[0]), ("recorded", "shuffled").index(key[1]), key[0]


def _mean(values: Sequence[float]) -> str:
    return percent(fmean(values) if values else None)


def fresh(folder: Path, seed: int, each: int) -> Path:
    """Draw new scenes.

    Raises:
        InputError: the generator lacks something; says what.
    """
    sys.path.insert(0, str(ROOT))
    try:
        from tools.orchestra.__main__ import write_scenes

        write_scenes(folder, seed, each)
    except (ImportError, OSError) as error:
        raise InputError(
            f"--fresh draws scenes with tools/orchestra of a clone of the repository, which needs pyfluidsynth and "
            f"Debian's fluidsynth, fluid-soundfont-gm and fonts-noto-color-emoji: {error}"
        ) from error
    return folder


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 0 if it was done, 1 if not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--root", type=Path, metavar="DIR", help="a folder of scenes; those of the package if left out")
    where.add_argument("--fresh", type=int, metavar="SEED", help=f"draw new scenes, --each (default {EACH}) a group")
    parser.add_argument("--each", type=int, default=EACH, metavar="N", help=argparse.SUPPRESS)
    parser.add_argument("--group", action="append", metavar="NAME", help="several times for several; all if left out")
    parser.add_argument("--preset", default="nano", help="which models (%(default)s)")
    parser.add_argument(
        "--strategy", action="append", metavar="NAME", help="several times for several; all if left out"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (%(default)s)")
    parser.add_argument("--vocabulary", help="labels to choose from; the preset's own if left out")
    parser.add_argument("--decomposition", help="decompose the audio: windows, nmf or sparse")
    parser.add_argument("--stereo", action="store_true", help="use the direction of the sources in stereo audio")
    parser.add_argument(
        "--grounder", metavar="NAME", help="another grounder than the preset's, as build_pipeline takes it"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the Markdown there, too")
    arguments = parser.parse_args(argv)
    options = {
        "preset": arguments.preset,
        "device": arguments.device,
        "vocabulary": arguments.vocabulary,
        "stereo": arguments.stereo,
        **({"grounder": arguments.grounder} if arguments.grounder else {}),
    }
    try:
        with tempfile.TemporaryDirectory(prefix="orchestra-") as temporary:
            root, source = arguments.root, f"the folder {arguments.root}"
            if arguments.fresh is not None:
                root, source = fresh(Path(temporary), arguments.fresh, arguments.each), f"fresh, seed {arguments.fresh}"
            elif root is None:
                source = "those that come with the package"
            dataset = Orchestra(root, groups=arguments.group)
            strategies = dict.fromkeys(arguments.strategy or zsavs.list_components("strategy"))
            pipes, skipped = build(dataset, list(strategies), options, arguments.decomposition)
            how = [f"decomposition {arguments.decomposition}"] if arguments.decomposition else []
            title = ", ".join(
                [
                    f"The orchestra, preset {arguments.preset}",
                    *how,
                    *["stereo"] * arguments.stereo,
                    *[f"grounder {arguments.grounder}"] * bool(arguments.grounder),
                ]
            )
            text = render(page(dataset, measure(dataset, pipes), skipped, title, source), "markdown")
        print(text, end="")
        if arguments.out is not None:
            write_atomically(arguments.out, lambda file: file.write(text.encode()))
    except ZsavsError as error:
        print(f"orchestra: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("orchestra: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
