"""What the demo shows of scenes and photographs: sections of its page, and the files beside the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsavs import draw
from zsavs.cli.demo.scenes import DemoScene
from zsavs.datasets.photographs import Photograph
from zsavs.metrics.functional import jaccard
from zsavs.report.blocks import Audio, Block, Cell, Figure, Figures, Heading, Paragraph, Row, Section, Table
from zsavs.report.values import line
from zsavs.result import AVSResult
from zsavs.storage.files import png
from zsavs.types import Times, when

__all__ = ["photograph_files", "photographs_section", "scene_files", "scene_section"]

_J = (
    "J is the overlap of what is marked with what really sounds: 1 if it is the same, 0 if nothing is. Where nothing "
    "in view sounds, marking nothing scores 1."
)
#: What the files of the image alone and of the true masks are called.
_IMAGE, _TRUTH = "picture", "truth"


def scene_section(scene: DemoScene, results: Mapping[str, AVSResult]) -> Section:
    """The section of a scene: what is given, what is true, and the result of each strategy."""
    given = (
        Figure(_image_path(scene, _IMAGE), "as the strategies get it", "image"),
        Figure(_image_path(scene, _TRUTH), _listed(scene.sources) or "nothing in view sounds", "ground truth"),
    )
    overlays, rows = [], []
    for name, result in results.items():
        j = jaccard(result.mask, scene.target)
        heard, found = _heard(result), _found(result)
        overlays.append(Figure(_image_path(scene, name), f"J {j:.2f}: {found}", name))
        rows.append(Row((Cell(name), Cell(heard), Cell(found), Cell(f"{j:.2f}", share=j))))
    story = line(scene.story)
    return Section(
        line(scene.title),
        (
            Paragraph(f"{story[:1].upper()}{story[1:]}."),
            Audio(_audio_path(scene), f"In the sound: {_listed(scene.heard) or 'nothing that has a name'}."),
            Figures(given, large=True),
            Figures(overlays, large=True),
            Table(("Strategy", "Heard, with weights", "Found, with scores", "J"), rows, 1, _J, frozenset({1, 2})),
        ),
    )


def scene_files(scene: DemoScene, results: Mapping[str, AVSResult]) -> Iterator[tuple[str, bytes]]:
    """The files that the section refers to, each as a path relative to the page and its bytes."""
    yield _audio_path(scene), scene.audio_file
    yield _image_path(scene, _IMAGE), png(Image.fromarray(scene.sample.image))
    yield _image_path(scene, _TRUTH), png(draw.overlay(scene.sample.image, scene.masks, scene.sources, []))
    for name, result in results.items():
        yield _image_path(scene, name), png(result.overlay())


def photographs_section(
    photographs: Sequence[Photograph], results: Mapping[str, Sequence[AVSResult]], about: str
) -> Section:
    """The section of the photographs: what is given, where it comes from, and the result of each strategy.

    Args:
        photographs: in the order of the results.
        results: of each strategy, one for each photograph.
        about: what is said first.
    """
    blocks: list[Block] = [Paragraph(about)]
    for place, photograph in enumerate(photographs):
        image, audio = photograph.image, photograph.audio
        figures, rows = [Figure(_shown(photograph), line(image.told), "photograph")], []
        for name, answers in results.items():
            heard, found = _heard(answers[place]), _found(answers[place])
            figures.append(Figure(_image_path(photograph, name), found, name))
            rows.append(Row((Cell(name), Cell(heard), Cell(found))))
        blocks += [
            Heading(f"{line(photograph.title)}: what sounds is the {line(photograph.label)}"),
            Audio(_played(photograph), line(audio.told)),
            Figures(figures, large=True),
            Table(("Strategy", "Heard, with weights", "Found, with scores"), rows, 3, prose=frozenset({1, 2})),
        ]
    return Section("Photographs", blocks)


def photograph_files(photograph: Photograph, results: Mapping[str, AVSResult]) -> Iterator[tuple[str, bytes]]:
    """The files that the section refers to, each as a path relative to the page and its bytes."""
    yield _played(photograph), photograph.audio.path.read_bytes()
    yield _shown(photograph), photograph.image.path.read_bytes()
    for name, result in results.items():
        yield _image_path(photograph, name), png(result.overlay())


def _image_path(scene: DemoScene | Photograph, what: str) -> str:
    return f"page/{scene.name}_{what}.png"


def _audio_path(scene: DemoScene) -> str:
    return f"page/{scene.name}{scene.ending}"


def _shown(photograph: Photograph) -> str:
    return f"page/{photograph.image.path.name}"


def _played(photograph: Photograph) -> str:
    return f"page/{photograph.audio.path.name}"


def _heard(result: AVSResult) -> str:
    return _scored(result.queries.phrases, result.queries.weights, result.queries.times) or "nothing it knows"


def _found(result: AVSResult) -> str:
    return _scored(result.phrases, result.scores) or "nothing"


def _scored(phrases: Sequence[str], numbers: NDArray[np.float32], times: Sequence[Times] | None = None) -> str:
    """Phrases as a list, each with its number and the times at which it is heard, if they are known."""
    rows = zip(phrases, numbers, times or ((),) * len(phrases), strict=True)
    return ", ".join(f"{line(phrase)} {number:.2f}{when(spans)}" for phrase, number, spans in rows)


def _listed(labels: Sequence[str]) -> str:
    """Labels as a list; several of one kind with their number."""
    counts = {label: labels.count(label) for label in labels}
    return ", ".join(line(label) if count == 1 else f"{count} × {line(label)}" for label, count in counts.items())
