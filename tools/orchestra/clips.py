"""Clips: things in motion and sounds that start and stop by a schedule of their own, in named groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tools.orchestra.audio import RATE_HZ, Band, at_times, background, longest_rest, sounding
from tools.orchestra.catalogue import SILENT, SOUNDING, Thing
from tools.orchestra.images import SIZES_HW, Costume, Placed
from tools.orchestra.motion import Actor, Film, Path, film, visible

__all__ = ["GROUPS", "Clip", "make_clip"]

#: The groups, described; the texts are part of clips.json.
GROUPS: dict[str, str] = {
    "moving": "one source that moves, among one or two other things that move",
    "crossing": "two sources, or a source and a silent thing painted in its colour, that cross each other twice",
    "covered": "a source that passes behind a larger thing and is hidden for a while",
    "leaves": "a source that leaves the frame and comes back",
    "in_turn": "two sources, one after the other in eight seconds",
    "seen_long": "a source that is seen all along and sounds for two of eight seconds",
    "off_screen": "the sound of something that is never in the frame",
    "silent": "a recording with nothing in it but a faint hiss, or nothing at all, or loud noise",
}
#: Seconds of a clip, where they are not six.
_SECONDS = {"leaves": 7.0, "in_turn": 8.0, "seen_long": 8.0}
#: Things behind which another one can hide.
_COVERS = ("apple", "book", "cake", "cat", "hat", "house", "tree")

#: Things whose recorded sound has rests of seconds, so that nobody could say when they sound; here they are silent.
_INTERRUPTED = ("bird",)

#: A source sounds for this long at least, and rests for this long between two times, in seconds.
_SOUND_S, _PAUSE_S = 1.0, 1.5
#: Rests between two notes are shorter: no pause of a second is part of a sound.
_REST_S = 0.7
#: A sound that is cut off fades within this time.
_FADE_S = 0.03

Span = tuple[float, float]


@dataclass(frozen=True)
class Clip:
    """The frames of a clip and its audio.

    Args:
        group: a name of ``GROUPS``.
        film: its frames, with masks.
        labels: name of each thing in it; no two have the same.
        times: for each of them on and off in seconds; empty for what never sounds.
        off_screen: likewise for sources that are never in the frame, by label.
        noise: whether the audio is loud noise.
        wave: (T,) float32 mono at ``RATE_HZ``.
    """

    group: str
    film: Film
    labels: tuple[str, ...]
    times: tuple[list[Span], ...]
    off_screen: dict[str, list[Span]]
    noise: bool
    wave: NDArray[np.float32]


def make_clip(group: str, number: int, rng: np.random.Generator, band: Band) -> Clip:
    """Make a clip of a group.

    Args:
        group: its name.
        number: of the clip in its group, from 0. Two sources cross in those with even numbers; in turn there is noise,
            a hiss and nothing at all in those that are silent.

    Raises:
        KeyError: no such group.
    """
    if group not in GROUPS:
        raise KeyError(f"{group}: no such group; there are {', '.join(GROUPS)}")
    seconds = _SECONDS.get(group, 6.0)
    silent = [SILENT[int(i)] for i in rng.permutation(len(SILENT))]
    things = [SOUNDING[int(i)] for i in rng.permutation(len(SOUNDING))]
    count = {"in_turn": 2, "silent": 0, "crossing": 2 - number % 2}.get(group, 1)
    sources = [one for one in things if one.label not in _INTERRUPTED][:count]
    others = [one for one in things if one not in sources]
    cast = [] if group == "off_screen" else sources
    # Who is told apart by sound or by name, not by looks.
    twin = [others.pop() if rng.random() < 0.4 else silent.pop()] if group == "crossing" and count == 1 else []
    cover = [one for one in silent if one.label in _COVERS][: group == "covered"]
    silent = [one for one in silent if one not in cover]
    least = {"off_screen": 2, "silent": 2, "covered": 0, "in_turn": 0, "crossing": 0}.get(group, 1)
    quiet = int(rng.integers(least, least + 2))
    extras = [others.pop() if rng.random() < 0.4 else silent.pop() for _ in range(quiet)]
    hue = float(rng.random()) if twin else None
    placed = [Placed(one) for one in extras] + [Placed(one, hue) for one in (*cast, *twin)]
    if twin:
        placed[-2:] = [placed[int(i)] for i in rng.permutation(2) - 2]
    placed += [Placed(one) for one in cover]
    shot = _filmed(group, placed, {one.label for one in cast}, seconds, rng)
    wave, heard, noise = _heard(group, number, sources, seconds, rng, band)
    labels = tuple(one.thing.label for one in placed)
    return Clip(
        group,
        shot,
        labels,
        tuple(heard.get(label, []) for label in labels),
        {label: spans for label, spans in heard.items() if label not in labels},
        noise,
        wave,
    )


# --------------------------------------------------------------------------- what is seen
def _filmed(group: str, placed: Sequence[Placed], sources: set[str], seconds: float, rng: np.random.Generator) -> Film:
    """A film in which what the group is about comes to pass."""
    lead = [place for place, one in enumerate(placed) if one.thing.label in sources]
    while True:
        size_hw = SIZES_HW[int(rng.integers(len(SIZES_HW)))]
        actors = _actors(group, placed, size_hw, seconds, rng)
        shares = visible(actors, size_hw, seconds)
        if _comes_to_pass(group, shares, lead) and _uncrowded(group, shares):
            return film(actors, size_hw, seconds, rng)


def _comes_to_pass(group: str, shares: NDArray[np.float64], lead: Sequence[int]) -> bool:
    """Whether the visible shares (T, N) are those of a group, given the places of the sources."""
    seen = shares[:, lead]
    if group == "covered":
        return (seen < 0.1).sum() >= 4 and (seen > 0.7).mean() > 0.45 and (seen[[0, -1]] > 0.9).all()
    if group == "leaves":
        return (seen == 0).sum() >= 8 and (seen > 0.7).mean() > 0.5 and (seen[[0, -1]] > 0.9).all()
    if group == "crossing":
        return bool(shares.min(axis=0)[-2:].min() < 0.6 and (shares[:, -2:] > 0.2).all())
    return bool((seen > 0.6).all())


def _uncrowded(group: str, shares: NDArray[np.float64]) -> bool:
    """Whether things that are to be seen are seen, most of the time."""
    met = {"crossing": 2, "covered": 2, "leaves": 1}.get(group, 0)
    return bool((shares[:, : shares.shape[1] - met].mean(axis=0) > 0.85).all())


def _actors(
    group: str, placed: Sequence[Placed], size_hw: tuple[int, int], seconds: float, rng: np.random.Generator
) -> list[Actor]:
    """Each thing with a path: the last ones have those of the group, the others roam."""
    side = min(size_hw)
    largest = 0.5 if len(placed) < 3 else 0.42
    longest = [rng.uniform(0.32, largest) * side for _ in placed]
    special: list[Path] = []
    if group == "crossing":
        special = _crossing(size_hw, longest[-2:], seconds, rng)
    elif group == "covered":
        longest[-2:] = [rng.uniform(0.3, 0.34) * side, rng.uniform(0.5, 0.58) * side]
        special = _covered(size_hw, longest[-2:], seconds, rng)
    elif group == "leaves":
        special = [_leaving(size_hw, longest[-1], seconds, rng)]
    roaming = [_roaming(size_hw, size, seconds, rng) for size in longest[: len(placed) - len(special)]]
    return [
        Actor(
            Costume.drawn(one, rng),
            path,
            size,
            degrees=rng.uniform(-25, 25),
            swing=rng.uniform(0, 10),
            nearer=rng.uniform(0, 0.1),
            period_s=rng.uniform(2, 5),
            phase=rng.random(),
        )
        for one, path, size in zip(placed, [*roaming, *special], longest, strict=True)
    ]


def _inside(size_hw: tuple[int, int], longest: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lowest and the highest x and y of the centre of a thing that stays within the frame."""
    margin = 0.55 * longest
    return np.array([margin, margin]), np.array([size_hw[1] - margin, size_hw[0] - margin])


def _roaming(size_hw: tuple[int, int], longest: float, seconds: float, rng: np.random.Generator) -> Path:
    """A path through four places of the frame, not too near to one another."""
    low, high = _inside(size_hw, longest)
    points = [rng.uniform(low, high)]
    while len(points) < 4:
        point = rng.uniform(low, high)
        if 0.2 * min(size_hw) < np.hypot(*(point - points[-1])) < 0.7 * min(size_hw):
            points.append(point)
    return Path(_moments(4, seconds, rng), np.array(points))


def _moments(count: int, seconds: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Times from 0 to the end, about equally far apart."""
    times = np.linspace(0, seconds, count)
    times[1:-1] += rng.uniform(-0.15, 0.15, count - 2) * seconds / (count - 1)
    return times


def _crossing(
    size_hw: tuple[int, int], longest: Sequence[float], seconds: float, rng: np.random.Generator
) -> list[Path]:
    """Two paths between opposite sides, there and back, which meet twice on the way."""
    paths, times, across = [], _moments(3, seconds, rng), int(rng.integers(2))
    level = rng.uniform(0.35, 0.65, 3)
    for number, size in enumerate(longest):
        low, high = _inside(size_hw, size)
        points = np.zeros((3, 2))
        points[:, across] = np.where(np.arange(3) % 2 == number, low[across], high[across])
        points[:, 1 - across] = low[1 - across] + (high - low)[1 - across] * (level + rng.uniform(-0.15, 0.15, 3))
        paths.append(Path(times, points))
    return paths


def _covered(
    size_hw: tuple[int, int], longest: Sequence[float], seconds: float, rng: np.random.Generator
) -> list[Path]:
    """A path from one side to the other, and that of what it passes behind, which moves little."""
    height, width = size_hw
    along = int(width < height)  # the longer way
    (low, high), (inner, outer) = (_inside(size_hw, size) for size in longest)
    cover = np.clip(np.array([width, height]) * rng.uniform(0.45, 0.55, 2), inner, np.maximum(inner, outer))
    points = np.tile(cover, (3, 1))
    points[[0, 2], along] = np.array([low[along], high[along]])[:: int(rng.choice([-1, 1]))]
    points[[0, 2], 1 - along] = rng.uniform(low[1 - along], high[1 - along], 2)
    times = _moments(3, seconds, rng)
    drift = cover + rng.uniform(-0.04, 0.04, (3, 2)) * min(size_hw)
    return [Path(times, points), Path(_moments(3, seconds, rng), drift)]


def _leaving(size_hw: tuple[int, int], longest: float, seconds: float, rng: np.random.Generator) -> Path:
    """A path out of the frame on one side, along it out there, and in again."""
    low, high = _inside(size_hw, longest)
    across, far = int(rng.integers(2)), int(rng.integers(2))
    points = rng.uniform(low, high, (4, 2))
    points[1:3, across] = size_hw[1 - across] + 0.75 * longest if far else -0.75 * longest
    times = np.array([0, rng.uniform(0.3, 0.38), rng.uniform(0.58, 0.65), 1]) * seconds
    return Path(times, points)


# -------------------------------------------------------------------------- what is heard
def _heard(
    group: str, number: int, sources: Sequence[Thing], seconds: float, rng: np.random.Generator, band: Band
) -> tuple[NDArray[np.float32], dict[str, list[Span]], bool]:
    """The audio of a clip, when each source sounds, and whether it is loud noise."""
    if group == "silent":
        noise = background(rng, seconds)
        if number % 3 == 0:
            return np.asarray(noise / np.abs(noise).max() * 10 ** (-rng.uniform(3, 25) / 20), np.float32), {}, True
        return np.asarray(noise * 10 ** (-rng.uniform(65, 90) / 20) * (number % 3 == 1), np.float32), {}, False
    parts, starts, heard = [], [], {}
    for source, spans in zip(sources, _schedules(group, len(sources), seconds, rng), strict=True):
        one = replace(source, patches=(source.patches[int(rng.integers(len(source.patches)))],))
        heard[source.label] = []
        for on, off in spans:
            part, start = _played(one, off - on, rng, band), round(on * RATE_HZ)
            first, last = sounding(part)
            heard[source.label].append((float(start / RATE_HZ + first), float(start / RATE_HZ + last)))
            parts.append(part)
            starts.append(start)
    return at_times(parts, starts, seconds, rng), heard, False


def _schedules(group: str, count: int, seconds: float, rng: np.random.Generator) -> list[list[Span]]:
    """When each source is played."""
    if group == "seen_long":
        on = rng.uniform(1, seconds - 3.5)
        return [[(on, on + 2.15)]]  # it takes a moment to begin and to end
    if group == "in_turn":
        first, on = rng.uniform(0, 1), rng.uniform(4.2, 4.8)
        return [[(first, on - rng.uniform(0.6, 1.2))], [(on, seconds - rng.uniform(0, 1))]]
    choose: Sequence[Callable[[], list[Span]]] = (
        lambda: [(0.0, seconds)],
        lambda: _spans(1, seconds, rng),
        lambda: _spans(2, seconds, rng),
    )
    return [choose[int(rng.choice(3, p=(0.2, 0.3, 0.5)))]() for _ in range(count)]


def _spans(count: int, seconds: float, rng: np.random.Generator) -> list[Span]:
    """Times to sound with pauses between them, and perhaps before and after."""
    least = np.array([0.0, *[1.3 * _SOUND_S, _PAUSE_S] * count])
    least[-1] = 0.0
    lengths = least + (seconds - least.sum()) * rng.dirichlet(np.ones(len(least)))
    edges = np.cumsum(lengths)
    return [(float(edges[2 * k]), float(edges[2 * k + 1])) for k in range(count)]


def _played(thing: Thing, seconds: float, rng: np.random.Generator, band: Band) -> NDArray[np.float32]:
    """A clip of a thing that sounds nearly from its begin to its end."""
    while True:
        part = band.play(thing, rng, seconds)
        fade = round(_FADE_S * RATE_HZ)
        part[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
        on, off = sounding(part)
        if off - on >= max(_SOUND_S, seconds - 0.6) and longest_rest(part) <= _REST_S:
            return part
