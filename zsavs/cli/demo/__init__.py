"""``zsavs demo``: several strategies on a few scenes, as images and as one page to look at and to listen to.

- :mod:`~zsavs.cli.demo.scenes`: an image with its sound, and what is true of them.
- :mod:`~zsavs.cli.demo.page`: what is shown of a scene.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from zsavs.build import compare
from zsavs.cli.demo.page import png, scene_files, scene_section
from zsavs.cli.demo.scenes import DemoScene, shipped_scenes, toy_scenes
from zsavs.metrics.functional import jaccard
from zsavs.report.blocks import Page
from zsavs.report.render import render
from zsavs.storage.files import write_atomically

__all__ = ["PRESET", "STRATEGIES", "DemoScene", "run", "shipped_scenes", "toy_scenes", "write_demo"]

#: The models of the demo: "toy" runs on scenes of the toy world, any other preset on the scenes that come with zsavs.
PRESET = "nano"
STRATEGIES = ("audio_to_text", "cross_modal", "fused")

#: What is said first, by preset.
_ABOUT = {
    "toy": (
        "This demo runs the whole pipeline in a toy world in which colours hum. Its parts are hand-written and hold "
        "no learned weights: it shows how zsavs works, not how well."
    ),
    "nano": (
        "This demo runs very small trained models on scenes that they have never seen: emoji with the sounds of real "
        "instruments. They know this one world and nothing else; on photographs they are out of their domain."
    ),
}
_NEXT = (
    "For photographs and real recordings, fetch the models once (sizes and licences are shown first) and then segment:",
    "    zsavs download base",
    "    zsavs segment PHOTO RECORDING",
)


def run(folder: Path, preset: str = PRESET) -> Iterator[str]:
    """Run the strategies on a few scenes and write cards of the answers and a page.

    Args:
        folder: where they go.
        preset: the models.

    Yields:
        Lines to print.

    Raises:
        InputError: the scenes that come with zsavs are not there.
        OutputError: the folder cannot be written.
    """
    scenes = toy_scenes() if preset == "toy" else shipped_scenes()
    yield from (*textwrap.wrap(_about(preset), 100), *_NEXT, "")
    yield from write_demo(scenes, preset, folder)


def write_demo(scenes: Sequence[DemoScene], preset: str, folder: Path) -> Iterator[str]:
    """Run the strategies on scenes and write what they answer.

    ``folder`` gets ``index.html`` with ``page/`` (its images and audio files), and a card of every answer.

    Args:
        scenes: with names that differ.
        preset: the models.
        folder: is made.

    Yields:
        Lines to print.

    Raises:
        OutputError: the folder cannot be written.
    """
    answers = compare([scene.sample for scene in scenes], STRATEGIES, preset=preset, device="cpu")
    yield f"{'scene':<20} {'strategy':<15} {'heard':<22} {'found':<22} J"
    sections = []
    for place, scene in enumerate(scenes):
        results = {name: answers[name][place] for name in STRATEGIES}
        for name, result in results.items():
            card = result.card(scene.sample.audio, f"{name} · {preset} · {scene.name}")
            _write(folder / f"{scene.name}_{name}.png", png(card))
            heard, found = ", ".join(result.queries.phrases) or "-", ", ".join(result.phrases) or "nothing"
            yield f"{scene.name:<20} {name:<15} {heard:<22} {found:<22} {jaccard(result.mask, scene.target):.2f}"
        for path, data in scene_files(scene, results):
            _write(folder / path, data)
        sections.append(scene_section(scene, results))
    page = render(Page(f"zsavs demo, preset {preset}", _about(preset), sections), "html")
    _write(folder / "index.html", page.encode())
    yield f"\nwrote {len(STRATEGIES) * len(scenes)} images to {folder}/ and a page with them: {folder / 'index.html'}"


def _about(preset: str) -> str:
    return _ABOUT.get(preset, f"This demo runs the preset {preset}.")


def _write(path: Path, data: bytes) -> None:
    write_atomically(path, lambda file: file.write(data))
