"""``zsavs demo``: the strategies at work without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zsavs import toy
from zsavs.build import compare, strategies_of
from zsavs.files import write_atomically
from zsavs.metrics.functional import jaccard

__all__ = ["run"]

_SCENES = {
    "silent_distractor": (("red", "blue", "green"), ("blue",)),
    "two_sources": (("red", "blue", "green"), ("red", "green")),
    "off_screen": (("red", "blue"), ("purple",)),
}


def run(folder: Path) -> Iterator[str]:
    """Run every strategy on three scenes of the toy world and write a picture of each answer.

    Args:
        folder: where the pictures go.

    Yields:
        Lines to print.

    Raises:
        OutputError: the folder cannot be written.
    """
    yield "This demo runs the whole pipeline in a toy world in which colours hum. Its parts are hand-written and hold"
    yield "no learned weights: it shows how zsavs works, not how well. For photographs and real recordings, fetch the"
    yield "models once (sizes and licences are shown first) and then segment:"
    yield "    zsavs download base"
    yield "    zsavs segment PHOTO RECORDING"
    yield ""
    names = strategies_of("toy")
    scenes = {name: toy.scene(*scene, size_hw=(360, 480), seed=7) for name, scene in _SCENES.items()}
    answers = compare([sample for sample, _ in scenes.values()], names, preset="toy", device="cpu")
    yield f"{'scene':<20} {'strategy':<15} {'heard':<22} {'found':<22} J"
    for place, (scene, (sample, target)) in enumerate(scenes.items()):
        for name in names:
            result = answers[name][place]
            picture = result.card(sample.audio, f"{name} · toy world · {scene.replace('_', ' ')}")
            path = folder / f"{scene}_{name}.png"
            write_atomically(path, lambda file, picture=picture: picture.save(file, format="PNG"))  # type: ignore[misc]
            listed = ", ".join(result.queries.phrases) or "-"
            found = ", ".join(result.phrases) or "nothing"
            yield f"{scene:<20} {name:<15} {listed:<22} {found:<22} {jaccard(result.mask, target):.2f}"
    yield f"\nwrote {len(names) * len(scenes)} pictures to {folder}/"
