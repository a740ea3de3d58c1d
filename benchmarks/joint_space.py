"""How the strategies of a joint space decide, in made-up spaces where every truth is known.

    python benchmarks/joint_space.py

Prints the tables of joint_space.md: the toy world's scenes, and spaces of unit vectors (tests/joint_world.py) that get
noisier and share more between all real items than the bank knows of. Beside the two strategies stands the rule of the
earlier system, a softmax over the regions of one picture. One core, no weights, about a minute.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import zsavs
from zsavs import toy
from zsavs.metrics.functional import jaccard
from zsavs.strategies.joint_embedding import JointEmbedding
from zsavs.strategies.text_bridged import TextBridged
from zsavs.types import AVSample
from zsavs.verification.joint import JointVerifier

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from joint_world import NAMES, SILENT, Boxes, World

#: What is seen is two things that can sound and one that cannot; what is heard is one of them, both, another, nothing.
CASES = {"one": (0,), "two": (0, 1), "off": (2,), "none": ()}
WORLDS = (
    {"noise": 0.8, "quirk": 0.5, "shift": 0.0},
    {"noise": 1.2, "quirk": 0.8, "shift": 0.0},
    {"noise": 1.0, "quirk": 0.6, "shift": 0.5},
    {"noise": 0.8, "quirk": 0.5, "shift": 1.0},
    {"noise": 1.2, "quirk": 0.8, "shift": 1.0},
)
SCENES = 200

#: Region numbers to the names they are found under.
Found = dict[int, list[str]]


def strategy_of(kind: type[JointEmbedding] | type[TextBridged]) -> Callable[[World], Callable[..., Found]]:
    """A whole strategy: hears, and has its regions judged."""

    def in_world(world: World) -> Callable[..., Found]:
        hear, look = kind(world, NAMES), JointVerifier(world, NAMES, silent=SILENT)

        def find(sample: AVSample, boxes: np.ndarray) -> Found:
            (query,) = hear.query([sample])
            (judged,) = look.verify([sample], [query], Boxes(boxes).ground([sample], [query]))
            found: Found = {}
            for box, source in zip(judged.boxes_xyxy[judged.selected], judged.sources[judged.selected], strict=True):
                found.setdefault(int(box[0]) // 20, []).append(query.phrases[source])
            return found

        return find

    return in_world


def softmax_over_regions(world: World) -> Callable[..., Found]:
    """OWOD-BIND's rule as re-implemented: cosines times 20, softmax over the regions, more than 0.2."""

    def find(sample: AVSample, boxes: np.ndarray) -> Found:
        views = [sample.image[:, int(x0) : int(x1)] for x0, _, x1, _ in boxes]
        logits = 20 * world.encode_image(views) @ world.encode_audio([sample.audio])[0]
        shares = np.exp(logits - logits.max())
        return {int(i): [] for i in np.flatnonzero(shares / shares.sum() > 0.2)}

    return find


RULES = {
    "softmax over regions": softmax_over_regions,
    "`joint_embedding`": strategy_of(JointEmbedding),
    "`text_bridged`": strategy_of(TextBridged),
}


def row(settings: dict[str, float], name: str) -> str:
    """One line of the table: shares of regions found, found under their own name alone, and found wrongly."""
    world = World(0, **settings)
    find, rng = RULES[name](world), np.random.default_rng(1)
    cells = []
    for sounding in CASES.values():
        right, named, wrong = [], [], []
        for _ in range(SCENES):
            things = [NAMES[i] for i in rng.permutation(len(NAMES))[:3]]
            visible = (*things[:2], str(rng.choice(SILENT)))
            heard = [things[i] for i in sounding]
            found = find(*world.sample(visible, heard))
            for region, thing in enumerate(visible):
                if thing in heard:
                    right.append(region in found)
                    named.append(found.get(region) == [thing])
                else:
                    wrong.append(region in found)
        cells += [f"{np.mean(right):.2f}", "-" if "softmax" in name else f"{np.mean(named):.2f}"] if right else []
        cells.append(f"{np.mean(wrong):.3f}")
    world_of = ", ".join(f"{key} {value:g}" for key, value in settings.items())
    return f"| {world_of} | {name} | {' | '.join(cells)} |"


def toy_row(visible: tuple[str, ...], sounding: tuple[str, ...], name: str) -> str:
    """One line of the toy world's table, over ten scenes."""
    pipe = zsavs.build_pipeline(name, preset="toy", device="cpu")
    scenes = [toy.scene(visible, sounding, seed=seed) for seed in range(10)]
    results = pipe.batch([sample for sample, _ in scenes])
    overlap = np.mean([jaccard(result.mask, target) for result, (_, target) in zip(results, scenes, strict=True)])
    there = sorted(set(visible) & set(sounding))
    named = np.mean([sorted(result.phrases) == there for result in results])
    return f"| {', '.join(visible)} | {', '.join(sounding) or '-'} | `{name}` | {overlap:.2f} | {named:.2f} |"


def main() -> None:
    """Print both tables."""
    print("| visible | sounding | strategy | J | every label right |\n|---|---|---|---|---|")
    three = ("red", "blue", "green")
    for visible, sounding in (
        (three, ("blue",)),
        (three, ("red", "green")),
        (three, three),
        (("red", "blue"), ("red", "purple")),
        (("red", "blue"), ("purple",)),
        (("red", "blue"), ()),
    ):
        for name in ("joint_embedding", "text_bridged"):
            print(toy_row(visible, sounding, name))
    heads = ("one: found", "named", "wrong", "two: found", "named", "wrong", "off-screen: wrong", "nothing: wrong")
    print(f"\n| space | rule | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 2)}")
    for settings in WORLDS:
        for name in RULES:
            print(row(settings, name))


if __name__ == "__main__":
    main()
