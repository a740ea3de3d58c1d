"""The pairs that ship with zsavs as checks with known answers: two photographs with audio, and scenes of the orchestra.

What is expected of a preset is what its models can know: ``nano`` knows the orchestra and nothing else, and the models
of the other presets photographs and real audio, for whom emoji are shown and not judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zsavs.datasets.orchestra import Orchestra
from zsavs.datasets.photographs import Photograph, shipped_photographs
from zsavs.evaluation.known_answers import Case, Check
from zsavs.types import AudioClip, AVSample

__all__ = ["checks_for"]

_RATE_HZ = 16_000
_SECONDS = 4
#: Pixels between two photographs side by side, and their grey.
_GAP, _GREY = 16, 127
#: A scene of the orchestra with the sound of one real instrument, which no photograph shows.
_INSTRUMENT = "single_001"


@dataclass(frozen=True)
class _Row:
    """A check of photographs.

    Args:
        name: of the check.
        seen: names of the photographs, side by side.
        heard: name of the photograph whose audio is heard; or "silence", "noise" or "instrument".
    """

    name: str
    seen: tuple[str, ...]
    heard: str


_PHOTOGRAPHS = (
    _Row("person", ("astronaut",), "astronaut"),
    _Row("cat", ("cat",), "cat"),
    _Row("person beside cat", ("astronaut", "cat"), "astronaut"),
    _Row("cat beside person", ("astronaut", "cat"), "cat"),
    _Row("person unseen", ("cat",), "astronaut"),
    _Row("cat unseen", ("astronaut",), "cat"),
    _Row("instrument unseen", ("astronaut", "cat"), "instrument"),
    _Row("silence", ("astronaut", "cat"), "silence"),
    _Row("noise", ("astronaut", "cat"), "noise"),
)
_SOUNDS = {
    "silence": "silence",
    "noise": "white noise",
    "instrument": "the sound of a trumpet",
}
#: Scenes of each group of the orchestra. The first two sounds off screen resemble a thing in view, which misleads
#: strategies with a joint encoder honestly.
_GROUPS = dict.fromkeys(("single", "two", "three", "same_colours", "two_instances", "silence", "noise"), 2)
_GROUPS |= {"off_screen": 6}
#: What is shown of the orchestra to models that were not made for it.
_SHOWN = ("single", "off_screen")


def checks_for(preset: str) -> list[Check]:
    """The checks of a preset.

    Args:
        preset: a name. Of one that is not known here, what is expected of models for photographs.

    Raises:
        BrokenInstallation, InputError: what ships with zsavs is not there or cannot be read.
    """
    if preset == "nano":
        return _orchestra(_GROUPS, judged=True)
    # The settings of the one synthesised sound were searched for until pocket's tagger heard it.
    checks = photograph_checks(trust_synthesised=preset == "pocket")
    return checks if preset == "pocket" else [*checks, *_orchestra(dict.fromkeys(_SHOWN, 1), judged=False)]


def photograph_checks(*, trust_synthesised: bool) -> list[Check]:
    """The photographs, alone and side by side, with their own audio, with other audio, and with none.

    Args:
        trust_synthesised: whether an audio file that was synthesised must be heard; else finding nothing is right too.
    """
    photographs = {photograph.name: photograph for photograph in shipped_photographs()}
    return [_photograph_check(row, photographs, trust_synthesised) for row in _PHOTOGRAPHS]


def _photograph_check(row: _Row, photographs: Mapping[str, Photograph], trust_synthesised: bool) -> Check:
    seen = [photographs[name] for name in row.seen]
    source = photographs.get(row.heard)
    image, where = _side_by_side(seen, row.heard)
    audio = source.sample.audio if source else _audio(row.heard)
    in_view = source is not None and row.heard in row.seen
    unsure = in_view and source is not None and not source.audio.real and not trust_synthesised
    labels = (source.label,) if source and in_view else ()
    case = Case(AVSample(image, audio, row.name), where, labels, may_abstain=unsure)
    expected = f"the {source.label}, and nothing else" if source and in_view else "nothing"
    expected += " (or nothing: its sound is synthesised)" if unsure else ""
    given = " beside ".join(f"a photograph of a {photograph.label}" for photograph in seen)
    sound = _SOUNDS.get(row.heard) or f"the sound of a {photographs[row.heard].label}"
    return Check(row.name, f"{given}, with {sound}", expected, (case,))


def _side_by_side(seen: Sequence[Photograph], sounding: str) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The photographs from left to right on grey, (H, W, 3) uint8, and the box of the one that sounds, (H, W) bool."""
    sizes = [photograph.sample.size_hw for photograph in seen]
    height, width = max(h for h, _ in sizes), sum(w for _, w in sizes) + _GAP * (len(seen) - 1)
    image, where = np.full((height, width, 3), _GREY, np.uint8), np.zeros((height, width), np.bool_)
    left = 0
    for photograph, (h, w) in zip(seen, sizes, strict=True):
        image[:h, left : left + w] = photograph.sample.image
        if photograph.name == sounding:
            x0, y0, x1, y1 = photograph.box_xyxy
            where[y0:y1, left + x0 : left + x1] = True
        left += w + _GAP
    return image, where


def _audio(name: str) -> AudioClip:
    """Silence, white noise, or an instrument."""
    if name == "instrument":
        return Orchestra().load(_INSTRUMENT).sample.audio
    shape = (1, _SECONDS * _RATE_HZ)
    noise = 0.1 * np.random.default_rng(0).standard_normal(shape).clip(-4, 4)
    return AudioClip((noise if name == "noise" else np.zeros(shape)).astype(np.float32), _RATE_HZ)


def _orchestra(scenes_of: Mapping[str, int], *, judged: bool) -> list[Check]:
    """A check for each group of the orchestra, with its first scenes."""
    data = Orchestra(groups=list(scenes_of))
    checks = []
    for group, count in scenes_of.items():
        names = [name for name, scene in data.scenes.items() if scene.group == group][:count]
        cases = []
        for name in names:
            item = data.load(name)
            cases.append(Case(item.sample, np.asarray(item.target.mask, np.bool_), data.scenes[name].sources))
        sounds = any(case.where.any() for case in cases)
        expected = ("what sounds" if sounds else "nothing") + (f", in half of {count} scenes" if count > 1 else "")
        name = f"orchestra: {group.replace('_', ' ')}"
        checks.append(Check(name, f"emoji: {data.groups[group]}", expected, cases, judged))
    return checks
