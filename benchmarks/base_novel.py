"""Names that a model never read and sounds that it never heard, apart from those that it knows: base and novel classes.

    python benchmarks/base_novel.py --models DIR --novel NAMES --root DIR [--out base_novel.md]

``DIR`` of the models holds ``joint`` and ``clip`` as ``tools/nano`` makes them without the novel names
(base_novel.md has the commands): neither has read these names, seen these things or heard them. CLAP, the detector and
the segmenter are those of preset nano, which know them all. Prints Markdown: each strategy with the models that ship,
and with these in their place.

J of scenes in which all that sounds is base, and of those in which all is novel, in percent, means over scenes; and of
all scenes the suite ``open_vocabulary``: pixels of the right class.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import zsavs
from zsavs.datasets.orchestra import Orchestra
from zsavs.metrics import suites
from zsavs.metrics.functional import jaccard
from zsavs.pipeline import Pipeline
from zsavs.report.values import percent
from zsavs.storage.files import write_atomically

#: Each strategy, and those of its models that the others take the place of: the joint encoder hears, CLIP verifies.
STRATEGIES = {
    "text_bridged": ("joint", "image_text"),
    "joint_embedding": ("joint", "image_text"),
    "fused": ("image_text",),
    "cofactorization": ("image_text",),
}
KIND = {"joint": "imagebind", "image_text": "open_clip"}
FOLDER = {"joint": "joint", "image_text": "clip"}
GROUPS = ("single", "same_colours", "two", "three")
BATCH = 8


def measure(
    dataset: Orchestra, pipes: Mapping[str, Pipeline], novel: Sequence[str]
) -> dict[str, tuple[dict[str, float], dict[str, float]]]:
    """For each pipeline the mean J over scenes of base and of novel sources alone, and its open_vocabulary numbers."""
    ids = [dataset.classes.index(name) for name in novel]
    base = [number for number in range(1, len(dataset.classes)) if number not in ids]
    options = {"num_classes": len(dataset.classes), "base": base, "novel": ids}
    counted = {name: suites.get("open_vocabulary", **options) for name in pipes}
    scores: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in pipes}
    items = list(dataset)
    for start in range(0, len(items), BATCH):
        loaded = [dataset.load(item) for item in items[start : start + BATCH]]
        for name, pipe in pipes.items():
            for (_, target), result in zip(loaded, pipe.batch([sample for sample, _ in loaded]), strict=True):
                counted[name].update(result.semantic(dataset.classes), target.labels)
                unread = {source in novel for source in target.sources}
                kind = "both" if len(unread) > 1 else "novel" if unread == {True} else "base"
                scores[name][kind].append(jaccard(result.mask, target.mask))
        print(f"{min(start + BATCH, len(items))} of {len(items)} scenes", file=sys.stderr)
    return {
        name: ({kind: fmean(values) for kind, values in scores[name].items()}, counted[name].compute())
        for name in pipes
    }


def table(measured: Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]]) -> str:
    """The numbers in Markdown, in percent."""
    lines = [
        "| strategy | J base | J novel | J both | mIoU base | mIoU novel | harmonic |",
        "| :-- | --: | --: | --: | --: | --: | --: |",
    ]
    for name, (scores, suite) in measured.items():
        cells = [percent(scores.get(kind)) for kind in ("base", "novel", "both")]
        cells += [percent(suite[f"mIoU_{which}"]) for which in ("base", "novel", "harmonic")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", required=True, type=Path, help="a folder with joint and clip")
    parser.add_argument("--novel", required=True, help="what they do not know, with commas between")
    parser.add_argument("--root", type=Path, help="scenes of tools/orchestra; those that come with zsavs if left out")
    parser.add_argument("--out", type=Path, help="a file for the table")
    arguments = parser.parse_args()
    dataset = Orchestra(arguments.root, groups=GROUPS)
    novel = arguments.novel.split(",")
    if unknown := [name for name in novel if name not in dataset.classes[1:]]:
        parser.error(f"--novel: {', '.join(unknown)} sounds in no scene; there are {', '.join(dataset.classes[1:])}")
    pipes = {}
    for name, roles in STRATEGIES.items():
        parts: dict[str, Any] = {role: f"{KIND[role]}:{arguments.models / FOLDER[role]}" for role in roles}
        pipes[f"{name}, all names read"] = zsavs.build_pipeline(name, "nano", "cpu")
        pipes[f"{name}, {' and '.join(FOLDER[role] for role in roles)} without"] = zsavs.build_pipeline(
            name, "nano", "cpu", **parts
        )
    said = table(measure(dataset, pipes, novel))
    print(said)
    if arguments.out:
        write_atomically(arguments.out, lambda file: file.write(f"{said}\n".encode()))


if __name__ == "__main__":
    main()
