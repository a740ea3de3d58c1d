"""Photographs with audio: every strategy of a preset by class, beside the ceiling and with the audio shuffled.

    python benchmarks/real_pairs.py --root DIR                   # preset pocket
    python benchmarks/real_pairs.py --root DIR --preset base --strategy fused --out real_pairs.md
    python benchmarks/real_pairs.py --root DIR --scores scores.json --drop 1   # exit code 1 where J fell

DIR is laid out as for the data set ``folder``, with a list of what each pair is: ``pairs.csv`` as ``tools/pairs``
writes it, or ``manifest.json``, a list of objects with name, kind and label.

Prints Markdown. J is the mean over the positives at the size of the image, in percent; FP the share of the image that
is marked where nothing in view sounds. A sound is named right if one of the phrases that were heard is the label's
class.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from orchestra import Oracle

import zsavs
from zsavs.build import strategies_of
from zsavs.datasets.coco_esc import CocoEsc
from zsavs.datasets.folder import Folder
from zsavs.errors import InputError, ZsavsError
from zsavs.language.label_maps import class_mapper
from zsavs.metrics.functional import jaccard
from zsavs.report.blocks import Cell, Page, Row, Section, Table
from zsavs.report.render import render
from zsavs.storage.files import write_atomically

Answer = Callable[[zsavs.AVSample], zsavs.AVSResult]


class Pair(NamedTuple):
    """What is known of a pair: the id of its item, its kind, and the label of what sounds; "" for an ambient sound."""

    item: str
    kind: str
    label: str


@dataclass
class Scores:
    """What a strategy scored on each pair."""

    j: dict[str, float]
    named: dict[str, bool]
    marked: dict[str, float]
    seconds: float

    def row(self, name: str, audio: str, groups: Sequence[Sequence[Pair]]) -> Row:
        """A row of the table: J in each group, FP, negatives with a mask, named, seconds."""
        j = [_percent([self.j[pair.item] for pair in group if pair.item in self.j]) for group in groups]
        found = np.count_nonzero(list(self.marked.values()))
        told = [_percent([*self.marked.values()]), f"{found} of {len(self.marked)}", _percent([*self.named.values()])]
        if audio == "shuffled":
            told = ["", "", ""]
        return Row(tuple(map(Cell, (name, audio, *j, *told, f"{self.seconds:.2f}"))))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 if it was printed."""
    parser = argparse.ArgumentParser(description="Strategies on photographs with audio, by class")
    parser.add_argument("--root", type=Path, required=True, help="folder with img, wav, gt_seg and a list of the pairs")
    parser.add_argument("--preset", default="pocket")
    parser.add_argument("--strategy", action="append", help="several times for several; all of the preset if left out")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, help="a file to write the tables to as well")
    parser.add_argument("--scores", type=Path, help="a file of J of each strategy: compared, then written")
    parser.add_argument("--drop", type=float, default=1.0, help="points of J that a strategy may lose against --scores")
    asked = parser.parse_args(argv)
    try:
        text, j = measure(asked.root, asked.preset, asked.strategy or strategies_of(asked.preset), asked.device)
        print(text)
        if asked.out:
            write_atomically(asked.out, lambda file: file.write(text.encode()))
        if asked.scores:
            check_drop(asked.scores, j, asked.drop)
    except ZsavsError as error:
        print(f"real_pairs: {error}", file=sys.stderr)
        return 1
    return 0


def check_drop(path: Path, j: Mapping[str, float], drop: float) -> None:
    """Compare with what the last run scored, and keep what this one did.

    Args:
        path: a JSON file; the first run finds none. Where a strategy lost too much, it stays as it is.
        j: of each strategy, in percent.
        drop: points that a strategy may lose.

    Raises:
        InputError: one lost more, or the file is no such list.
    """
    try:
        before = {name: float(value) for name, value in json.loads(path.read_text("utf-8")).items()}
    except FileNotFoundError:
        before = {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: is no list of scores ({error}); delete it, or name another file.") from error
    now = {name: j.get(name, 0.0) for name in before}
    lost = [f"{name} {was:.1f} to {now[name]:.1f}" for name, was in before.items() if was - now[name] > drop]
    if lost:
        raise InputError(f"J fell by more than {drop:g} points: {'; '.join(lost)}. {path} stays as it was.")
    text = json.dumps({name: round(value, 2) for name, value in j.items()}, indent=2)
    write_atomically(path, lambda file: file.write(text.encode()))


def measure(root: Path, preset: str, strategies: Sequence[str], device: str = "auto") -> tuple[str, dict[str, float]]:
    """The tables of a folder, as Markdown, and J of each strategy in percent.

    Raises:
        InputError: the folder holds no pairs, or no list of them.
        ZsavsError: as :func:`zsavs.build_pipeline`.
    """
    pairs, data = listed(root)
    positives = [pair for pair in pairs if pair.kind == "positive"]
    others = [pair for pair in positives if pair.label != "person"]
    groups = [positives, others]
    pipes = {name: zsavs.build_pipeline(name, preset, device=device) for name in strategies}
    rows, by_class = [], {}
    for name, pipe in pipes.items():
        own = score(pipe, pairs, data)
        by_class[name] = own
        rows.append(own.row(name, "own", groups))
        rows.append(score(pipe, positives, data, shuffled(positives)).row(name, "shuffled", groups))
    oracle = Oracle({pair.item: [pair.label] if pair.kind == "positive" else [] for pair in pairs})
    told = score(replace(next(iter(pipes.values())), strategy=oracle), pairs, data)
    by_class["told the class"] = told
    rows.append(told.row("told the class (an oracle)", "none", groups))
    heads = ("Strategy", "Audio", "J", "J without people", "FP", "Negatives with a mask", "Named", "Seconds a pair")
    counts = f"{len(positives)} positives, {len(pairs) - len(positives)} negatives, preset {preset}"
    page = Page(
        "Real pairs",
        counts,
        [Section("Strategies", [Table(heads, rows, 2)]), Section("By class", [classes(by_class, positives)])],
    )
    return render(page, "markdown"), {name: 100 * fmean(by_class[name].j.values()) for name in strategies}


def listed(root: Path) -> tuple[list[Pair], Folder]:
    """The pairs of a folder, and the data set that reads them.

    Raises:
        InputError: there is no list of what they are.
    """
    if (root / "pairs.csv").is_file():
        data = CocoEsc(root)
        return [Pair(item, *data.pairs[item]) for item in data], data
    manifest = root / "manifest.json"
    if not manifest.is_file():
        raise InputError(f"{root}: has neither pairs.csv nor manifest.json, which say what each pair is.")
    entries = json.loads(manifest.read_text(encoding="utf-8"))
    return [Pair(entry["name"], entry["kind"], entry["label"] or "") for entry in entries], Folder(root)


def shuffled(positives: Sequence[Pair]) -> dict[str, str]:
    """For each item another one whose sound it is given: the next one of another label, in the order of the list."""
    items = list(positives)
    return {
        pair.item: next(other.item for other in items[i:] + items if other.label != pair.label)
        for i, pair in enumerate(items)
    }


def score(pipe: Answer, pairs: Sequence[Pair], data: Folder, heard: dict[str, str] | None = None) -> Scores:
    """Answer every pair, with the audio of another one where ``heard`` names it."""
    class_of = class_mapper("coco")
    scores = Scores({}, {}, {}, 0.0)
    for pair in pairs:
        item = data.load(pair.item)
        sample = replace(item.sample, name=pair.item)
        if heard is not None:
            sample = replace(sample, audio=data.load(heard[pair.item]).sample.audio)
        start = time.perf_counter()
        result = pipe(sample)
        scores.seconds += (time.perf_counter() - start) / len(pairs)
        if pair.kind == "positive":
            scores.j[pair.item] = jaccard(result.mask, item.target.mask)
            wanted = class_of(pair.label)
            scores.named[pair.item] = wanted in map(class_of, result.queries.phrases)
        else:
            scores.marked[pair.item] = float(result.mask.mean())
    return scores


def classes(by_strategy: dict[str, Scores], positives: Sequence[Pair]) -> Table:
    """J of each class, the most frequent first."""
    names = sorted({p.label for p in positives}, key=lambda label: -sum(p.label == label for p in positives))
    rows = []
    for label in names:
        of_class = [pair.item for pair in positives if pair.label == label]
        j = [_percent([scores.j[item] for item in of_class]) for scores in by_strategy.values()]
        rows.append(Row(tuple(map(Cell, (label, str(len(of_class)), *j)))))
    return Table(("Class", "Pairs", *by_strategy), rows, 1)


def _percent(values: Sequence[float]) -> str:
    return f"{100 * fmean(values):.1f}" if values else ""


if __name__ == "__main__":
    sys.exit(main())
