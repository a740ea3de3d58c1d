"""What each mechanism of TAViS in its training-free form is worth: text_bridged with one of them changed at a time.

    python benchmarks/ablation.py --root DIR                      # scenes of tools/orchestra
    python benchmarks/ablation.py --root DIR --only view --only assignment --out table.md
    python benchmarks/ablation.py --root DIR --prompts            # what the segmenter is given, with its masks
    python benchmarks/ablation.py --root DIR --image-size         # how large its square is, with its masks

Prints Markdown. Every row is a pipeline of preset nano that differs from the first one in the settings that it names;
they can be given to any command by ``--set`` and ``--decomposition``. No mechanism changes what the segmenter makes of
a region, which is four fifths of the time: a selected box takes the mask of the object that it overlaps by a half or
more, and its own pixels where there is none. J is the mean over the scenes of a group, in percent, and FP the wrongly
predicted share of the frame over the scenes in which nothing in view sounds. Both are a little better than with masks.
With ``--prompts`` it is the segmenter's prompts that change, a box or a box with points, and J is that of its masks;
with ``--image-size`` the square in which it sees an image and its crops.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from orchestra import Tally

import zsavs
from zsavs.datasets.orchestra import Orchestra
from zsavs.media.regions import box_iou, tight_box, touched_pixels
from zsavs.pipeline import Pipeline
from zsavs.report.blocks import Cell, Page, Paragraph, Row, Section, Table
from zsavs.report.render import render
from zsavs.report.values import percent
from zsavs.storage.files import write_atomically
from zsavs.verification.point_prompts import PointedRegions

BATCH = 8
#: A box with this overlap (IoU) is that of an object.
SAME = 0.5


@dataclass(frozen=True)
class Variant:
    """A row of the table.

    Args:
        mechanism: what is changed; rows of the same one stand together.
        name: how.
        settings: of :func:`zsavs.build_pipeline`.
        strategy: if it is another one.
        paper: what the paper's own, trained ablation has, where it has the same one.
        points: of a region's similarity map, that the segmenter gets beside the box.
    """

    mechanism: str
    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    strategy: str = "text_bridged"
    paper: str = ""
    points: int = 0


#: Luo et al., ICCV 2025, J on MS3: 68.2 in all, 58.5 without its decomposition, 64.9 without its alignment.
VARIANTS = (
    Variant("all", "as built", paper="68.2"),
    Variant("decomposition", "none: the whole clip under each label", strategy="joint_embedding", paper="58.5"),
    Variant("decomposition", "and windows of a second", {"decomposition": "windows"}),
    Variant("decomposition", "next source by the residual alone", {"whole": 0.0}),
    Variant("decomposition", "next source by the whole alone", {"whole": 1.0}),
    Variant("text prototypes", "none: raw audio", {"attention": 0.0}),
    Variant("text prototypes", "alone", {"attention": 1.0}),
    Variant(
        "alignment", "audio with regions, no text", {"attention": 0.0, "verifier.alignment": "audio"}, paper="64.9"
    ),
    Variant("alignment", "text with regions, no audio", {"verifier.alignment": "text"}),
    Variant("view", "crop", {"verifier.view": "crop"}),
    Variant("view", "highlight", {"verifier.view": "highlight"}),
    Variant("view", "both", {"verifier.view": "both"}),
    Variant("view", "highlighted crop, blur of 4 pixels", {"verifier.blur": 4.0}),
    Variant("view", "highlighted crop, blur of 24 pixels", {"verifier.blur": 24.0}),
    Variant("view", "highlighted square", {"verifier.square": True}),
    Variant("decision", "sum", {"verifier.decision": "sum"}),
    Variant("decision", "audio", {"verifier.decision": "audio"}),
    Variant("decision", "region", {"verifier.decision": "region"}),
    Variant("decision", "none", {"verifier.decision": "none"}),
    Variant("assignment", "Hungarian", {"verifier.assignment": "hungarian"}),
    Variant("assignment", "optimal transport", {"verifier.assignment": "transport"}),
    Variant("second opinion", "joint evidence alone", {"verifier.share": 1.0}),
    Variant("second opinion", "of both alike", {"verifier.share": 0.5}),
    Variant("second opinion", "CLIP's evidence alone", {"verifier.share": 0.0}),
    Variant("sources", "at most 3", {"top_k": 3}),
    Variant("sources", "from a score of 1.3 on", {"min_z": 1.3}),
    Variant("sources", "as other strategies of nano", {"top_k": 3, "min_z": 1.3, "max_gap": 4.0}),
)
PROMPTS = (
    Variant("prompts", "a box"),
    Variant("prompts", "and a point", points=1),
    Variant("prompts", "and two points", points=2),
    Variant("prompts", "and three points", points=3),
)

SIZES = (
    Variant("image size", "384, as it was trained"),
    *(Variant("image size", str(side), {"segmenter.image_size": side}) for side in (320, 256, 192)),
)


def measure(scenes: Orchestra, pipes: Sequence[Pipeline], masks: bool = False) -> list[Tally]:
    """Run every pipeline over every scene, batch by batch, so that they share what they can.

    Args:
        masks: score the segmenter's masks; else each pipeline is run up to its verifier (:func:`drawn`).
    """
    tallies = [Tally() for _ in pipes]
    items = list(scenes)
    for start in range(0, len(items), BATCH):
        batch = items[start : start + BATCH]
        loaded = [scenes.load(item) for item in batch]
        samples = [sample for sample, _ in loaded]
        for pipe, tally in zip(pipes, tallies, strict=True):
            if masks:
                for item, (_, target), result in zip(batch, loaded, pipe.batch(samples), strict=True):
                    tally.add(scenes.scenes[item], result.mask, target.mask)
                continue
            queries = pipe.query(samples)
            verified = pipe.verifier.verify(samples, queries, pipe.grounder.ground(samples, queries))
            for item, (_, target), found in zip(batch, loaded, verified, strict=True):
                mask = drawn(found.boxes_xyxy[found.selected], scenes.index_map(item))
                tally.add(scenes.scenes[item], mask, target.mask)
        print(f"{start + len(batch)} of {len(items)} scenes", file=sys.stderr, flush=True)
    return tallies


def drawn(boxes_xyxy: NDArray[np.float32], index: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The mask (H, W) of boxes (R, 4): of each the object of the index map that it fits, or its own pixels."""
    objects = [index == number for number in range(1, int(index.max()) + 1)]
    objects = [one for one in objects if one.any()]
    mask = np.zeros(index.shape, np.bool_)
    tight = np.array([tight_box(one) for one in objects], np.float32).reshape(-1, 4)
    for box, overlaps in zip(boxes_xyxy, box_iou(boxes_xyxy, tight), strict=True):
        if overlaps.max(initial=0) >= SAME:
            mask |= objects[int(overlaps.argmax())]
        else:
            x0, y0, x1, y1 = touched_pixels(np.stack([index] * 3, axis=-1), box)
            mask[y0:y1, x0:x1] = True
    return mask


def table(scenes: Orchestra, variants: Sequence[Variant], tallies: Sequence[Tally]) -> Table:
    """A row for each variant, with its difference from the first."""
    sounding = {scene.group for scene in scenes.scenes.values() if scene.sources}
    with_j = [group for group in scenes.groups if group in sounding]
    silent = [group for group in scenes.groups if group not in sounding]
    rows, first = [], 0.0
    for variant, tally in zip(variants, tallies, strict=True):
        js = [fmean(tally.scores[group]) for group in with_j]
        first = first or fmean(js)
        false = [score for group in silent for score in tally.scores[group]]
        cells = [variant.mechanism, variant.name, *map(percent, js), percent(fmean(js))]
        cells += [f"{100 * (fmean(js) - first):+.1f}", percent(fmean(false) if false else None), variant.paper]
        rows.append(Row([Cell(text) for text in cells]))
    heads = ("Mechanism", "How", *(f"J {group}" for group in with_j), "J mean", "Difference", "FP", "TAViS on MS3")
    return Table(heads, rows, words=2)


def build(variant: Variant, common: dict[str, Any]) -> Pipeline:
    """The pipeline of a variant."""
    pipe = zsavs.build_pipeline(variant.strategy, device="cpu", **{**common, **variant.settings})
    if not variant.points:
        return pipe
    clip = pipe.verifier.clip.image_scorer.encoder  # type: ignore[attr-defined]  # of a second opinion
    return replace(pipe, verifier=PointedRegions(pipe.verifier, clip, points=variant.points))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="a folder of scenes; those of the package if left out")
    parser.add_argument("--preset", default="nano")
    parser.add_argument("--group", action="append", help="several times for several; all if left out")
    parser.add_argument("--only", action="append", metavar="MECHANISM", help="several times for several")
    parser.add_argument("--prompts", action="store_true", help="what the segmenter is given, in place of the others")
    parser.add_argument("--image-size", action="store_true", help="the segmenter's square, in place of the others")
    parser.add_argument("--out", type=Path, help="write the page")
    args = parser.parse_args(argv)
    scenes = Orchestra(args.root, groups=args.group)
    named = [one for one in VARIANTS if one.mechanism == "all" or not args.only or one.mechanism in args.only]
    variants = PROMPTS if args.prompts else SIZES if args.image_size else named
    masks = args.prompts or args.image_size
    tallies = measure(scenes, [build(one, {"preset": args.preset}) for one in variants], masks=masks)
    words = (
        f"{len(scenes)} scenes, preset {args.preset}. TAViS on MS3: J of the paper's own ablation (Luo et al., ICCV "
        "2025), of models that were trained, on other data: what can be compared is the sign of a difference."
    )
    summary = "text_bridged with one mechanism changed at a time, by python benchmarks/ablation.py."
    page = Page(
        "The mechanisms of text_bridged",
        summary,
        [Section("One at a time", [table(scenes, variants, tallies), Paragraph(words)])],
    )
    text = render(page, "markdown")
    print(text, end="")
    if args.out:
        write_atomically(args.out, lambda file: file.write(text.encode()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
