"""Where a strategy loses its points: each source of the orchestra's scenes, by the stage that lost it.

    python benchmarks/errors.py                                             # every strategy, the scenes of zsavs
    python benchmarks/errors.py --strategy text_bridged --worst errors.png  # and its ten worst scenes, as pictures
    python benchmarks/errors.py --root DIR --out benchmarks/errors.md

Prints Markdown. A source is an object in view that sounds. It is

    found                   its object is marked with an overlap (IoU) of at least a half, under its own label;
    not heard               no row of the query has its label, and there are fewer rows than sources;
    wrong name              no row of the query has its label, but a row has that of nothing that sounds in the scene;
    region not proposed     no region that was proposed for its row overlaps its object with an IoU of a half;
    refused                 there was such a region, and the verifier selected none of them for any row;
    given to another        there was such a region, and it was selected for another row alone;
    mask                    its region was selected, and what was marked overlaps the object by less than a half.

False alarms are objects that are marked and overlap no source by a quarter of what is marked. The stages are run one
after the other as the pipeline runs them, so the answer is the pipeline's own.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import zsavs
from zsavs.build import strategies_of
from zsavs.datasets.orchestra import Orchestra
from zsavs.draw.sheet import contact_sheet
from zsavs.language.word_forms import key_of
from zsavs.media.regions import box_iou
from zsavs.metrics.functional import jaccard
from zsavs.pipeline import Pipeline
from zsavs.report.blocks import Cell, Page, Row, Section, Table
from zsavs.report.render import render
from zsavs.report.values import percent
from zsavs.storage.files import write_atomically, write_png

STAGES = ("found", "not heard", "wrong name", "region not proposed", "refused", "given to another", "mask")
GROUPS = ("single", "two", "three", "same_colours", "two_instances")
#: A region or a mask with this overlap (IoU) is the object's.
OWN = 0.5
#: Of what is marked, the share within a source below which it is a false alarm.
LEAST_INSIDE = 0.25
WORST = 10


@dataclass(frozen=True)
class Source:
    """An object that sounds.

    Args:
        label: its own.
        mask: (H, W) bool.
    """

    label: str
    mask: NDArray[np.bool_]

    @property
    def box_xyxy(self) -> NDArray[np.float32]:
        """(1, 4), the box around the mask."""
        rows, columns = np.nonzero(self.mask)
        return np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)


def sources_of(scenes: Orchestra, item: str) -> list[Source]:
    """The objects of a scene that sound and are in view."""
    index = scenes.index_map(item)
    things = enumerate(scenes.scenes[item].things, 1)
    return [Source(thing.label, index == number) for number, thing in things if thing.sounding]


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Intersection over union."""
    return float((one & other).sum() / max(1, (one | other).sum()))


def stages_of(pipe: Pipeline, sample: zsavs.AVSample, sources: list[Source]) -> tuple[list[str], int, zsavs.AVSResult]:
    """By which stage each source was lost, how many false alarms there are, and the answer."""
    result = pipe(sample)
    (query,) = pipe.query([sample])
    (proposals,) = pipe.grounder.ground([sample], [query])
    (verified,) = pipe.verifier.verify([sample], [query], [proposals])
    rows = [key_of(phrase) for phrase in query.phrases]
    sounding = {key_of(source.label) for source in sources}
    stages = []
    for source in sources:
        name = key_of(source.label)
        own = [mask for phrase, mask in zip(result.phrases, result.masks, strict=True) if key_of(phrase) == name]
        if any(overlap(mask, source.mask) >= OWN for mask in own):
            stages.append("found")
        elif name not in rows:
            stages.append("wrong name" if set(rows) - sounding else "not heard")
        else:
            stages.append(_lost_after_hearing(source, rows.index(name), verified))
    inside = np.logical_or.reduce([source.mask for source in sources])
    alarms = sum(bool(mask.any()) and (mask & inside).sum() < LEAST_INSIDE * mask.sum() for mask in result.masks)
    return stages, int(alarms), result


def _lost_after_hearing(source: Source, row: int, verified: Any) -> str:
    """The stage that lost a source which was heard under its name."""
    if not len(verified):
        return "region not proposed"
    near = box_iou(verified.boxes_xyxy, source.box_xyxy)[:, 0] >= OWN
    if not (near & (verified.sources == row)).any():
        return "region not proposed"
    if (near & verified.selected & (verified.sources == row)).any():
        return "mask"
    return "given to another" if (near & verified.selected).any() else "refused"


def examine(name: str, preset: str, scenes: Orchestra, settings: dict[str, Any]) -> tuple[Row, list[Any]]:
    """A strategy's row of the table, and its scenes, the worst first: (J, item, sample, result, stages)."""
    pipe = zsavs.build_pipeline(name, preset, "cpu", **settings)
    count: Counter[str] = Counter()
    alarms, cards, total = 0, [], []
    for item in scenes:
        loaded = scenes.load(item)
        sources = sources_of(scenes, item)
        stages, wrong, result = stages_of(pipe, loaded.sample, sources)
        count.update(stages)
        alarms += wrong
        total.append(jaccard(result.mask, loaded.target.mask))
        cards.append((total[-1], item, loaded.sample, result, stages))
    everything = sum(count.values())
    cells = [name, percent(float(np.mean(total))), *(f"{100 * count[stage] / everything:.1f}" for stage in STAGES)]
    return Row(tuple(map(Cell, [*cells, str(alarms)]))), sorted(cards, key=lambda card: card[0])


def main() -> int:
    """Examine, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="a folder of scenes; those of the package if left out")
    parser.add_argument("--preset", default="nano")
    parser.add_argument("--strategy", action="append", help="several times for several; all if left out")
    parser.add_argument("--group", action="append", help=f"several times for several; {', '.join(GROUPS)} if left out")
    parser.add_argument("--worst", type=Path, help="a PNG of the ten worst scenes of the last strategy")
    parser.add_argument("--out", type=Path, help="write the page")
    args = parser.parse_args()
    scenes = Orchestra(args.root, groups=args.group or list(GROUPS))
    rows, worst = [], []
    for name in args.strategy or strategies_of(args.preset):
        row, worst = examine(name, args.preset, scenes, {})
        rows.append(row)
    caption = f"Percent of the {sum(len(sources_of(scenes, item)) for item in scenes)} sources of {len(scenes)} scenes."
    table = Table(("Strategy", "J", *STAGES, "false alarms"), rows, caption=caption)
    summary = f"By python benchmarks/errors.py, preset {args.preset}; the script says what each column counts."
    text = render(
        Page("Where the points go", summary, [Section("Sources by the stage that lost them", [table])]), "markdown"
    )
    print(text)
    if args.worst:
        cards = [
            result.card(sample.audio, f"{item}: J {score:.2f}, {', '.join(stages)}")
            for score, item, sample, result, stages in worst[:WORST]
        ]
        write_png(args.worst, contact_sheet(cards))
    if args.out:
        write_atomically(args.out, lambda file: file.write(text.encode()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
