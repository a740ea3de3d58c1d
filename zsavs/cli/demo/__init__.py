"""``zsavs demo``: several strategies on a few scenes, as images and as one page to look at and to listen to.

- :mod:`~zsavs.cli.demo.scenes`: an image with its sound, and what is true of them.
- :mod:`~zsavs.cli.demo.clip`: a clip of things that move, as a video with a page of its own.
- :mod:`~zsavs.cli.demo.own_pair`: the page of a user's own image with its audio.
- :mod:`~zsavs.cli.demo.fetching`: the weights for photographs, fetched after a question.
- :mod:`~zsavs.cli.demo.page`: what is shown of scenes and photographs.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from zsavs.build import compare, strategies_of
from zsavs.cli import console
from zsavs.cli.demo.clip import STRATEGY, clip_section, mean_jaccard, shipped_clip, write_clip
from zsavs.cli.demo.page import photograph_files, photographs_section, scene_files, scene_section
from zsavs.cli.demo.scenes import DemoScene, shipped_scenes, toy_scenes
from zsavs.datasets.orchestra_motion import MotionClip
from zsavs.datasets.photographs import Photograph, shipped_photographs
from zsavs.errors import MissingExtra, ZsavsError, first_line
from zsavs.metrics.functional import jaccard
from zsavs.report.blocks import Page
from zsavs.report.render import render
from zsavs.result import AVSResult
from zsavs.storage.files import check_folder, png, write_atomically

__all__ = ["PHOTOGRAPHS", "PRESET", "STRATEGIES", "DemoScene", "run", "shipped_scenes", "toy_scenes", "write_demo"]

#: The models of the demo: "toy" runs on scenes of the toy world, any other preset on the scenes that come with zsavs.
PRESET = "nano"
#: The models for photographs, where they are on this machine.
PHOTOGRAPHS = "pocket"
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
#: What is said of the photographs.
_PHOTOGRAPHS = (
    "Photographs with audio of what they show, by preset {preset}. A photograph and its audio go together by kind; "
    "they were not recorded together. There is no ground truth, so J is not measured."
)
_HEADINGS = f"{'scene':<20} {'strategy':<15} {'heard':<22} {'found':<22} J"
_NEXT = (
    "For your own photographs and audio files, fetch models once (sizes and licences are shown) and then segment:",
    "    zsavs download base    (for any phrase; the 15 MB of pocket know the 80 classes of COCO)",
    "    zsavs segment IMAGE AUDIO",
)


def run(folder: Path, preset: str = PRESET, photographs: str | None = None) -> Iterator[str]:
    """Run the strategies on a few scenes, and on photographs, and write cards of the answers and a page.

    Args:
        folder: where they go.
        preset: the models for the scenes.
        photographs: the models for the photographs that come with zsavs; None for none. Where they cannot be used, a
            line says so and the scenes are shown without.

    Yields:
        Lines to print.

    Raises:
        InputError: the scenes that come with zsavs are not there.
        OutputError: the folder cannot be written.
    """
    scenes = toy_scenes() if preset == "toy" else shipped_scenes()
    yield from (*textwrap.wrap(_about(preset), 100), *_NEXT, "")
    yield from write_demo(scenes, preset, folder, photographs, clip=None if preset == "toy" else shipped_clip())


def write_demo(
    scenes: Sequence[DemoScene],
    preset: str,
    folder: Path,
    photographs: str | None = None,
    clip: MotionClip | None = None,
) -> Iterator[str]:
    """Run the strategies on scenes, on photographs and on a clip, and write what they answer.

    ``folder`` gets ``index.html`` with ``page/`` (its images, audio files and video), and a card of every answer.

    Args:
        scenes: with names that differ.
        preset: the models for the scenes.
        folder: is made.
        photographs: as for :func:`run`.
        clip: a clip of things that move; where no video can be written, a line says so and it is left out.

    Yields:
        Lines to print.

    Raises:
        OutputError: the folder cannot be written.
    """
    check_folder(folder)
    yield _HEADINGS
    sections, cards = [], 0
    shown, seen = _look_at_photographs(photographs) if photographs else ([], {})
    for place, photograph in enumerate(shown):
        results = {name: seen[name][place] for name in seen}
        for name, result in results.items():
            yield _write_card(folder, photograph, name, photographs, result, "-")
        cards += len(results)
        for path, data in photograph_files(photograph, results):
            _write(folder / path, data)
    if shown:
        sections.append(photographs_section(shown, seen, _PHOTOGRAPHS.format(preset=photographs)))
    if clip is not None:
        try:
            video = write_clip(clip, preset, folder)
        except MissingExtra as error:
            console.say(f"no clip in motion in this demo: {first_line(error)}")
        else:
            sections.append(clip_section(clip, video))
            found = [track.phrase for track in video.tracks]
            yield _row(clip.name, STRATEGY, video.queries.phrases, found, f"{mean_jaccard(clip, video):.2f}")
    answers = compare([scene.sample for scene in scenes], STRATEGIES, preset=preset, device="cpu")
    for place, scene in enumerate(scenes):
        results = {name: answers[name][place] for name in STRATEGIES}
        for name, result in results.items():
            yield _write_card(folder, scene, name, preset, result, f"{jaccard(result.mask, scene.target):.2f}")
        cards += len(results)
        for path, data in scene_files(scene, results):
            _write(folder / path, data)
        sections.append(scene_section(scene, results))
    page = render(Page(f"zsavs demo, preset {preset}", _about(preset), sections), "html")
    _write(folder / "index.html", page.encode())
    yield f"\nwrote {cards} images to {folder}/ and a page with them: {folder / 'index.html'}"


def _look_at_photographs(preset: str) -> tuple[list[Photograph], dict[str, list[AVSResult]]]:
    """The photographs, and the results of each strategy that the preset can run; nothing where there is none.

    What fails is said in a line.
    """
    shown: list[Photograph] = []
    seen: dict[str, list[AVSResult]] = {}
    failed = {}
    try:
        shown = shipped_photographs()
        samples = [photograph.sample for photograph in shown]
        for name in sorted(strategies_of(preset), key=lambda name: name != "classify"):
            try:
                seen |= compare(samples, [name], preset=preset, device="cpu")
            except ZsavsError as error:
                failed[name] = first_line(error)
    except ZsavsError as error:
        failed["all strategies"] = first_line(error)
    if failed:
        console.say(f"left out on photographs: {', '.join(failed)} ({next(iter(failed.values()))})")
    return (shown, seen) if seen else ([], {})


def _write_card(
    folder: Path, shown: DemoScene | Photograph, strategy: str, preset: str | None, result: AVSResult, j: str
) -> str:
    """Write the card of an answer; the line to print of it."""
    card = result.card(shown.sample.audio, f"{strategy} · {preset} · {shown.name}")
    _write(folder / f"{shown.name}_{strategy}.png", png(card))
    return _row(shown.name, strategy, result.queries.phrases, result.phrases, j)


def _row(name: str, strategy: str, heard: Sequence[str], found: Sequence[str], j: str) -> str:
    """The line to print of an answer."""
    return f"{name:<20} {strategy:<15} {', '.join(heard) or '-':<22} {', '.join(found) or 'nothing':<22} {j}"


def _about(preset: str) -> str:
    return _ABOUT.get(preset, f"This demo runs the preset {preset}.")


def _write(path: Path, data: bytes) -> None:
    write_atomically(path, lambda file: file.write(data))
