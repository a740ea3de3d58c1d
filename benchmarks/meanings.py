"""Which names mean the same by text embedding: the threshold in simulated spaces, and what nano's texts would do to it.

    python benchmarks/meanings.py --out benchmarks/meanings.md

Prints Markdown. The library's rule is :class:`zsavs.language.meanings.Meanings`: a cosine above 0.9, and above that of
any two labels of the shipped vocabularies, without what all texts share.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from simulated_space import RANGES, Space

from zsavs.algebra.directions import common_part, unit
from zsavs.build import build_encoders
from zsavs.calibration.scorers import AudioScorer, ImageScorer
from zsavs.language.meanings import Meanings
from zsavs.report.blocks import Cell, Page, Row, Section, Table
from zsavs.report.render import render
from zsavs.storage.files import write_atomically

#: Cosines of the meanings of two synonyms.
_SHARED = (0.8, 0.9, 0.95, 0.98, 0.99)
#: Pairs of different things, and two names of one thing that nano was trained with one of.
_PAIRS = (("bell", "church bell"), ("acoustic guitar", "electric guitar"), ("dog", "wolf"), ("maracas", "maraca"))


def simulated() -> Section:
    """Of 200 pairs of synonyms, those that are one row; and the most similar of labels that differ."""
    rows = []
    for name, cosines in RANGES.items():
        space = Space(cosines, seed=1)
        common = common_part(space.text)
        directions = unit(space.text - common)
        between = (directions @ directions.T)[~np.eye(len(directions), dtype=bool)]
        threshold = max(0.9, float(between.max()) + 0.001)
        shares = []
        for shared in _SHARED:
            one = space.meanings(200)
            other = unit(shared * one + np.sqrt(1 - shared**2) * space.meanings(200))
            texts = [unit(space._texts(meanings) - common) for meanings in (one, other)]
            shares.append(float(((texts[0] * texts[1]).sum(axis=1) > threshold).mean()))
        cells = (name, f"{between.max():.2f}", f"{threshold:.2f}", *(f"{100 * share:.0f}" for share in shares))
        rows.append(Row(tuple(map(Cell, cells))))
    head = ("Cosines", "Most similar labels", "Threshold", *(f"Synonyms of {shared}" for shared in _SHARED))
    caption = "Percent of synonyms that are one row, by the cosine of their meanings."
    return Section("Simulated spaces", [Table(head, rows, caption=caption)])


def nano() -> Section:
    """In nano's spaces, cosines of different things and of one thing's names."""
    encoders = build_encoders("nano", device="cpu")
    scorers = {
        "CLAP": AudioScorer(encoders["audio_text"]),
        "CLIP": ImageScorer(encoders["image_text"]),
        "joint": AudioScorer(encoders["joint"]),
    }
    rows = []
    for name, scorer in scorers.items():
        space = Meanings(scorer.text).space
        cosines = []
        for pair in _PAIRS:
            one, other = unit(scorer.text(pair) - space.common)
            cosines.append(f"{float(one @ other):.2f}")
        rows.append(Row(tuple(map(Cell, (name, f"{space.threshold:.3f}", *cosines)))))
    head = ("Space", "Threshold", *(" / ".join(pair) for pair in _PAIRS))
    caption = (
        "A fixed threshold of 0.9 would make a church bell a bell. nano never saw most words, so words alone decide "
        "there; the rule would merge next to nothing."
    )
    return Section("nano", [Table(head, rows, caption=caption)])


def main() -> int:
    """Print the tables, and write them where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    text = render(
        Page("Which names mean the same", "docs/labels.md says by what rule.", [simulated(), nano()]), "markdown"
    )
    print(text)
    if args.out:
        write_atomically(args.out, lambda file: file.write(text.encode()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
