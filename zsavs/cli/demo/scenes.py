"""The scenes of the demo: an image with its sound, and what is true of them."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zsavs.datasets.orchestra import Orchestra
from zsavs.errors import InputError
from zsavs.testing import toy
from zsavs.types import AudioClip, AVSample

__all__ = ["DemoScene", "shipped_scenes", "toy_scenes"]

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
        audio_file: the bytes of a file with the audio.
        ending: of that file, for example ".ogg".
    """

    name: str
    title: str
    story: str
    sample: AVSample
    sources: tuple[str, ...]
    masks: NDArray[np.bool_]
    heard: tuple[str, ...]
    audio_file: bytes
    ending: str

    @property
    def target(self) -> NDArray[np.bool_]:
        """(H, W) bool, every pixel that sounds."""
        return np.asarray(self.masks.any(axis=0))


def toy_scenes() -> list[DemoScene]:
    """A silent distractor, two sources and a sound off screen, in the toy world."""
    return [_toy_scene(name, *what) for name, what in _TOY.items()]


def _toy_scene(name: str, visible: tuple[str, ...], sounding: tuple[str, ...], story: str) -> DemoScene:
    """A scene of the toy world, by its colours."""
    sample, _ = toy.scene(visible, sounding, size_hw=(360, 480), seed=7)
    sources = tuple(colour for colour in visible if colour in sounding)
    # The same seed gives the same image, and here the pixels of one colour at a time.
    masks = [toy.scene(visible, (colour,), size_hw=(360, 480), seed=7)[1] for colour in sources]
    return DemoScene(
        name=name,
        title=_title(name),
        story=story,
        sample=sample,
        sources=sources,
        masks=np.array(masks, np.bool_).reshape(-1, *sample.size_hw),
        heard=sounding,
        audio_file=_wav(sample.audio),
        ending=".wav",
    )


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
    return [_shipped_scene(data, name) for name in chosen]


def _shipped_scene(data: Orchestra, name: str) -> DemoScene:
    """A scene of the orchestra, by its name."""
    scene, path, index = data.scenes[name], data.files(name)[1], data.index_map(name)
    sounding = [number for number, thing in enumerate(scene.things, 1) if thing.sounding]
    try:
        audio_file = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); run: chmod u+r on it.") from error
    return DemoScene(
        name=name,
        title=_title(scene.group),
        story=data.groups[scene.group],
        sample=data.load(name).sample,
        sources=scene.sources,
        masks=np.array([index == number for number in sounding], np.bool_).reshape(-1, *index.shape),
        heard=scene.heard,
        audio_file=audio_file,
        ending=path.suffix,
    )


def _title(name: str) -> str:
    """The name of a scene or a group for people."""
    return name.replace("_", " ").capitalize()


def _wav(clip: AudioClip) -> bytes:
    """The clip, mixed down to one channel, as a 16-bit WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(clip.sample_rate_hz)
        audio.writeframes((clip.mono().clip(-1, 1) * 32767).round().astype("<i2").tobytes())
    return file.getvalue()
