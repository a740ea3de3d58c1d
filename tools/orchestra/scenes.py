"""Scenes: an image and an audio clip that belong together, or do not, in named groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tools.orchestra.audio import RATE_HZ, SECONDS, Band, background, in_turn, mix
from tools.orchestra.catalogue import SILENT, SOUNDING, THINGS, Thing
from tools.orchestra.events import HELD_OUT
from tools.orchestra.images import Placed, draw

__all__ = ["GROUPS", "Scene", "make_scene"]

#: The groups, described; the texts are part of scenes.json.
GROUPS: dict[str, str] = {
    "single": "one source among one to three other things, which may be silent or could sound and do not",
    "two": "two sources sounding together",
    "three": "three sources sounding together",
    "same_colours": "one source among silent things painted in its colour",
    "two_instances": "one sound and two of the things that make it; both count",
    "silence": "a recording with nothing in it but a faint hiss, or nothing at all",
    "noise": "loud noise that nothing in the image makes",
    "off_screen": "the sound of something that is not in the image",
    "partly_off_screen": "two sources sounding together, one in the image and one that is not",
    "in_turn": "two sources, one after the other in twenty seconds",
    "events": "two things that could sound, of which one does, and a caption of the sound that names neither",
}
#: Sources of a scene, where it is not one.
_SOURCES = {"two": 2, "three": 3, "silence": 0, "noise": 0, "partly_off_screen": 2, "in_turn": 2}


@dataclass(frozen=True)
class Scene:
    """An image and its audio.

    Args:
        group: a name of ``GROUPS``.
        image: (H, W, 3) uint8 RGB.
        index: (H, W) uint8: 0 the background, i the visible pixels of thing i - 1.
        labels: name of each thing in the image.
        sounding: whether each of them is a source of the sound.
        heard: labels of all sources in the audio, in view or off screen.
        wave: (T,) float32 mono at ``RATE_HZ``.
        times: by label on and off of each source in seconds; empty where they all sound throughout.
        event: what a person might say who hears it, without the source's name; "" where nobody is asked.
    """

    group: str
    image: NDArray[np.uint8]
    index: NDArray[np.uint8]
    labels: tuple[str, ...]
    sounding: tuple[bool, ...]
    heard: tuple[str, ...]
    wave: NDArray[np.float32]
    times: Mapping[str, list[tuple[float, float]]] = field(default_factory=dict)
    event: str = ""


def make_scene(group: str, rng: np.random.Generator, band: Band) -> Scene:
    """Make a scene of a group.

    Raises:
        KeyError: no such group.
    """
    if group not in GROUPS:
        raise KeyError(f"{group}: no such group; there are {', '.join(GROUPS)}")
    if group == "events":
        return _event(rng, band)
    heard = _some(SOUNDING, _SOURCES.get(group, 1), rng)
    others = [thing for thing in SOUNDING if thing not in heard]
    if group == "same_colours":
        hue = float(rng.random())
        placed = [Placed(thing, hue) for thing in (*heard, *_some(SILENT, int(rng.integers(1, 4)), rng))]
    else:
        seen = {"two_instances": heard * 2, "off_screen": [], "partly_off_screen": heard[:1]}.get(group, heard)
        least = (
            2 if group in ("off_screen", "silence", "noise") else (1 if group in ("single", "partly_off_screen") else 0)
        )
        most = max(least + 1, 5 - len(seen)) if group != "three" else 2
        quiet = int(rng.integers(least, most))
        could = int(rng.binomial(quiet, 0.4))
        bystanders = [*_some(others, could, rng), *_some(SILENT, quiet - could, rng)]
        placed = [Placed(thing) for thing in (*seen, *bystanders)]
    placed = [placed[i] for i in rng.permutation(len(placed))]
    image = draw(placed, rng)
    names = tuple(thing.label for thing in heard)
    wave, times = _audio(group, heard, rng, band)
    return Scene(
        group,
        image.image,
        image.index,
        tuple(one.thing.label for one in placed),
        tuple(one.thing.label in names for one in placed),
        names,
        wave,
        times,
    )


def _event(rng: np.random.Generator, band: Band) -> Scene:
    """A scene in which it takes to know what makes a sound: of two things one can make what the caption describes."""
    event = HELD_OUT[int(rng.integers(len(HELD_OUT)))]
    source = THINGS[str(rng.choice(event.makers))]
    (other,) = _some([thing for thing in SOUNDING if thing.label not in event.makers], 1, rng)
    things = [source, other] if rng.random() < 0.5 else [other, source]
    image = draw([Placed(thing) for thing in things], rng)
    wave, _ = _audio("events", [source], rng, band)
    labels = tuple(thing.label for thing in things)
    sounding = tuple(label == source.label for label in labels)
    return Scene("events", image.image, image.index, labels, sounding, (source.label,), wave, event=event.text)


def _some(things: Sequence[Thing], count: int, rng: np.random.Generator) -> list[Thing]:
    """Some different things."""
    return [things[int(i)] for i in rng.choice(len(things), count, replace=False)]


def _audio(
    group: str, heard: Sequence[Thing], rng: np.random.Generator, band: Band
) -> tuple[NDArray[np.float32], dict[str, list[tuple[float, float]]]]:
    """The audio of a scene, and when its sources sound, where they do not throughout."""
    if group == "in_turn":
        wave, times = in_turn([band.play(thing, rng, rng.uniform(3, 6)) for thing in heard], rng)
        return wave, {thing.label: [span] for thing, span in zip(heard, times, strict=True)}
    if group == "silence":
        hiss = background(rng) * 10 ** (-rng.uniform(65, 90) / 20)
        return (hiss if rng.random() < 0.7 else np.zeros(int(SECONDS * RATE_HZ), np.float32)), {}
    if group == "noise":
        noise = background(rng)
        return np.asarray(noise / np.abs(noise).max() * 10 ** (-rng.uniform(3, 25) / 20), np.float32), {}
    return mix([band.play(THINGS[thing.label], rng) for thing in heard], rng), {}
