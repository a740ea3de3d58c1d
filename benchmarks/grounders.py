"""The nano detector beside region proposals without phrases: which finds the sources, on the scenes of the orchestra.

    python benchmarks/grounders.py
    python benchmarks/grounders.py --out benchmarks/grounders.md

Every grounder stands before the same verifier and segmenter. phrases: the detector is asked for the phrases of the
query, as in preset nano. objects: it is asked for every label that it knows, and CLIP alone labels each region.
segments: SAM 2 is asked at every point of a grid, and CLIP labels each region; no detector is needed.

The detectors of other presets have no weights here. What they cost at full size is in full_size.md, by detectors.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import orchestra

import zsavs
from zsavs.build import build_parts
from zsavs.datasets.orchestra import Orchestra
from zsavs.grounding.segment_proposals import SegmentProposals
from zsavs.report.render import render
from zsavs.storage.files import write_atomically

#: Of SAM's grid, chosen on scenes of seed 11 with an earlier nano SAM 2: a model of 0.9 M parameters rates its
#: masks lower than SAM 2 does, and with the published thresholds next to none is left.
SEGMENTS: dict[str, Any] = {"points_per_side": 12, "min_iou": 0.5, "min_stability": 0.6}


def grounders() -> dict[str, Any]:
    """By name, what build_pipeline takes for a grounder."""
    parts = build_parts(["grounder", "segmenter"], "nano", "cpu")
    return {
        "phrases": parts["grounder"],
        "objects": zsavs.build_pipeline("joint_embedding", "nano", "cpu").grounder,
        "segments": SegmentProposals(parts["segmenter"].segmenter, **SEGMENTS),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, metavar="DIR", help="a folder of scenes; those of the package if left out")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the Markdown there, too")
    arguments = parser.parse_args()
    dataset = Orchestra(arguments.root)
    pipes = {
        f"audio_to_text, {name}": zsavs.build_pipeline("audio_to_text", "nano", "cpu", grounder=grounder)
        for name, grounder in grounders().items()
    }
    source = f"the folder {arguments.root}" if arguments.root else "those that come with the package"
    notes = [paragraph.replace("\n", " ") for paragraph in (__doc__ or "").split("\n\n")[2:]]
    page = orchestra.page(dataset, orchestra.measure(dataset, pipes), notes, "Grounders, preset nano", source)
    text = render(page, "markdown")
    print(text, end="")
    if arguments.out is not None:
        write_atomically(arguments.out, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    main()
