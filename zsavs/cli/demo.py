"""``zsavs demo``: several strategies on a few scenes, as images and as one page to look at and to listen to."""

from __future__ import annotations

import io
import textwrap
import wave
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsavs import draw
from zsavs.build import compare
from zsavs.datasets.orchestra import Orchestra
from zsavs.errors import InputError
from zsavs.metrics.functional import jaccard
from zsavs.report.blocks import Audio, Cell, Figure, Figures, Page, Paragraph, Row, Section, Table
from zsavs.report.render import render
from zsavs.report.values import line
from zsavs.result import AVSResult
from zsavs.storage.files import write_atomically
from zsavs.testing import toy
from zsavs.types import AudioClip, AVSample, Times, when

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
_J = (
    "J is the overlap of what is marked with what really sounds: 1 if it is the same, 0 if nothing is. Where nothing "
    "in view sounds, marking nothing scores 1."
)

#: What is visible and what hums in the toy scenes, and what they are there for.
_TOY = {
    "silent_distractor": (("red", "blue", "green"), ("blue",), "one source among things that could sound and do not"),
    "two_sources": (("red", "blue", "green"), ("red", "green"), "two sources sounding together"),
    "off_screen": (("red", "blue"), ("purple",), "the sound of something that is not in the image"),
}
#: The scenes of the orchestra that are shown.
_SHIPPED = ("same_colours_000", "two_000", "two_instances_000", "off_screen_000")


@dataclass(frozen=True, eq=False)
class DemoScene:
    """An image with its sound, and what is true of them.

    Args:
        name: a file name without its ending.
        title: a name for people.
        story: what the scene is there for.
        sample: what the strategies get.
        sources: the label of each thing in view that sounds.
        masks: (N, H, W) bool, its pixels.
        heard: labels that are in the sound, in view or not.
        sound: the recording as a file's bytes.
        ending: of that file, for example ".ogg".
    """

    name: str
    title: str
    story: str
    sample: AVSample
    sources: tuple[str, ...]
    masks: NDArray[np.bool_]
    heard: tuple[str, ...]
    sound: bytes
    ending: str

    @property
    def target(self) -> NDArray[np.bool_]:
        """(H, W) bool, every pixel that sounds."""
        return np.asarray(self.masks.any(axis=0))


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


def toy_scenes() -> list[DemoScene]:
    """A silent distractor, two sources and a sound off screen, in the toy world."""
    scenes = []
    for name, (visible, sounding, story) in _TOY.items():
        sample, _ = toy.scene(visible, sounding, size_hw=(360, 480), seed=7)
        sources = tuple(colour for colour in visible if colour in sounding)
        # The same seed gives the same image, and here the pixels of one colour at a time.
        masks = [toy.scene(visible, (colour,), size_hw=(360, 480), seed=7)[1] for colour in sources]
        stacked = np.array(masks, np.bool_).reshape(-1, *sample.size_hw)
        recording = _wav(sample.audio)
        scenes.append(DemoScene(name, _title(name), story, sample, sources, stacked, sounding, recording, ".wav"))
    return scenes


def shipped_scenes(dataset: Orchestra | None = None) -> list[DemoScene]:
    """Some scenes of the orchestra; the first one of each group where it does not have those of our choice.

    Args:
        dataset: where they are; those that come with zsavs if left out.

    Raises:
        InputError: they are not there, or one of them cannot be read.
    """
    data = Orchestra() if dataset is None else dataset
    chosen = [name for name in _SHIPPED if name in data.scenes]
    if len(chosen) < len(_SHIPPED):
        first: dict[str, str] = {}
        for name, scene in data.scenes.items():
            first.setdefault(scene.group, name)
        chosen = list(first.values())
    scenes = []
    for name in chosen:
        scene, sound = data.scenes[name], data.files(name)[1]
        sample, index = data.load(name).sample, data.index_map(name)
        places = [place for place, thing in enumerate(scene.things, 1) if thing.sounding]
        masks = np.array([index == place for place in places], np.bool_).reshape(-1, *index.shape)
        try:
            recording = sound.read_bytes()
        except OSError as error:
            raise InputError(f"{sound}: cannot be read ({error.strerror}); run: chmod u+r on it.") from error
        scenes.append(
            DemoScene(
                name,
                _title(scene.group),
                data.groups[scene.group],
                sample,
                scene.sources,
                masks,
                scene.heard,
                recording,
                sound.suffix,
            )
        )
    return scenes


def write_demo(scenes: Sequence[DemoScene], preset: str, folder: Path) -> Iterator[str]:
    """Run the strategies on scenes and write what they answer.

    ``folder`` gets ``index.html`` with ``page/`` (its images and sounds), and a card of every answer.

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
            _write(folder / f"{scene.name}_{name}.png", _png(card))
            heard, found = ", ".join(result.queries.phrases) or "-", ", ".join(result.phrases) or "nothing"
            yield f"{scene.name:<20} {name:<15} {heard:<22} {found:<22} {jaccard(result.mask, scene.target):.2f}"
        sections.append(_section(scene, results, folder))
    page = render(Page(f"zsavs demo, preset {preset}", _about(preset), sections), "html")
    # Half a character, as in a file name that is not UTF-8, becomes an escape.
    _write(folder / "index.html", page.encode("utf-8", "backslashreplace"))
    yield f"\nwrote {len(STRATEGIES) * len(scenes)} images to {folder}/ and a page with them: {folder / 'index.html'}"


def _section(scene: DemoScene, results: Mapping[str, AVSResult], folder: Path) -> Section:
    """One scene of the page; its images and its sound are written on the way."""
    sound = f"page/{scene.name}{scene.ending}"
    _write(folder / sound, scene.sound)
    truth = draw.overlay(scene.sample.image, scene.masks, scene.sources, [])
    given = (
        _image(folder, scene, "picture", Image.fromarray(scene.sample.image), "as the strategies get it"),
        _image(folder, scene, "truth", truth, _listed(scene.sources) or "nothing in view sounds"),
    )
    overlays, rows = [], []
    for name, result in results.items():
        j = jaccard(result.mask, scene.target)
        found = _scored(result.phrases, result.scores) or "nothing"
        heard = _scored(result.queries.phrases, result.queries.weights, result.queries.times) or "nothing it knows"
        overlays.append(_image(folder, scene, name, result.overlay(), f"J {j:.2f}: {found}"))
        rows.append(Row((Cell(name), Cell(heard), Cell(found), Cell(f"{j:.2f}", share=j))))
    return Section(
        line(scene.title),
        (
            Paragraph(f"{line(scene.story)[:1].upper()}{line(scene.story)[1:]}."),
            Audio(sound, f"In the sound: {_listed(scene.heard) or 'nothing that has a name'}."),
            Figures(given, large=True),
            Figures(overlays, large=True),
            Table(("Strategy", "Heard, with weights", "Found, with scores", "J"), rows, 1, _J, frozenset({1, 2})),
        ),
    )


def _image(folder: Path, scene: DemoScene, what: str, image: Image.Image, title: str) -> Figure:
    """Write an image of the page."""
    path = f"page/{scene.name}_{what}.png"
    _write(folder / path, _png(image))
    return Figure(path, title, what)


def _about(preset: str) -> str:
    return _ABOUT.get(preset, f"This demo runs the preset {preset}.")


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _scored(phrases: Sequence[str], numbers: NDArray[np.float32], times: Sequence[Times] | None = None) -> str:
    rows = zip(phrases, numbers, times or ((),) * len(phrases), strict=True)
    return ", ".join(f"{line(phrase)} {number:.2f}{when(spans)}" for phrase, number, spans in rows)


def _listed(labels: Sequence[str]) -> str:
    """Labels as a list; several of one kind with their number."""
    counts = {label: labels.count(label) for label in labels}
    return ", ".join(line(label) if count == 1 else f"{count} × {line(label)}" for label, count in counts.items())


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()


def _wav(clip: AudioClip) -> bytes:
    """The clip, mixed down, as a 16-bit WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(clip.sample_rate_hz)
        recording.writeframes((clip.mono().clip(-1, 1) * 32767).round().astype("<i2").tobytes())
    return file.getvalue()


def _write(path: Path, data: bytes) -> None:
    write_atomically(path, lambda file: file.write(data))
