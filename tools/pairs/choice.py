"""Which image goes with which sound: chosen by a seed, in turn over labels and sounds, each image once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tools.pairs.downloads import Clip, CocoImage
from tools.pairs.sounds import Sound, SoundMap

__all__ = ["Pair", "choose"]


@dataclass(frozen=True)
class Pair:
    """An image with an audio clip.

    Args:
        kind: "positive": the label is in view and sounds. "offscreen": none of the things that could make the sound
            is in view. "ambient": the sound has no source that could be pointed at.
        label: of a positive the source; of an off-screen sound all labels that could make it, joined by ";"; else "".
        image, clip: what is paired.
    """

    kind: str
    label: str
    image: CocoImage
    clip: Clip

    @property
    def name(self) -> str:
        """The name of its files: the image's, the kind and the sound."""
        return f"{self.image.file.stem}_{self.kind}_{self.clip.category}"


def choose(
    images: Sequence[CocoImage],
    clips: Sequence[Clip],
    sounds: SoundMap,
    *,
    seed: int,
    counts: Mapping[str, int],
    min_share: float,
) -> list[Pair]:
    """Choose pairs; nothing but the arguments decides, on any machine.

    The labels of positives take turns, the rarest first, and so do the sounds of negatives, until there are as many as
    wanted or no image is left. The sounds of a label take turns too, and the clips of a sound: none is used again
    before all others were.

    - In a positive exactly one of the labels that make the sound is in view, and covers at least ``min_share``.
    - In a negative no label that makes the sound, or perhaps does, is in view, however small; something that could
      sound is, at ``min_share`` or more, so that there is something to be mistaken for the source.

    Args:
        images, clips: to choose from.
        sounds: what makes which sound.
        seed: any whole number.
        counts: the most pairs of the kinds "positive", "offscreen" and "ambient".
        min_share: a part of the image's area, in [0, 1].

    Returns:
        The pairs, sorted by name; fewer than wanted where the images do not give more.
    """
    stock = _Stock(clips, seed)
    left = {image.file.name: image for image in images}
    pairs = _positives(left, stock, sounds, seed, counts["positive"], min_share)
    for kind, wanted in (("offscreen", sounds.sounding), ("ambient", sounds.ambient)):
        pairs += _negatives(kind, left, stock, wanted, sounds.makers, seed, counts[kind], min_share)
    return sorted(pairs, key=lambda pair: pair.name)


def _positives(
    left: dict[str, CocoImage], stock: _Stock, sounds: SoundMap, seed: int, count: int, min_share: float
) -> list[Pair]:
    """Positives; their images are taken out of ``left``."""
    fitting: dict[str, dict[str, list[Sound]]] = {}
    for name in _shuffled(left, seed, "positive"):
        for sound in sounds.sounding.values():
            seen = [label for label in sound.makes if label in left[name].shares]
            if len(seen) == 1 and left[name].shares[seen[0]] >= min_share:
                fitting.setdefault(seen[0], {}).setdefault(name, []).append(sound)

    def take(label: str) -> Pair | None:
        name = next((name for name in fitting[label] if name in left), None)
        if name is None:
            return None
        sound = stock.rarest([sound.name for sound in fitting[label][name]])
        return Pair("positive", label, left.pop(name), stock.take(sound))

    return _in_turn(sorted(fitting, key=lambda label: (len(fitting[label]), label)), take, count)


def _negatives(
    kind: str,
    left: dict[str, CocoImage],
    stock: _Stock,
    wanted: Mapping[str, Sound],
    makers: frozenset[str],
    seed: int,
    count: int,
    min_share: float,
) -> list[Pair]:
    """Negatives of a kind; their images are taken out of ``left``."""
    order = [
        name
        for name in _shuffled(left, seed, kind)
        if any(left[name].shares.get(label, 0) >= min_share for label in makers)
    ]

    def take(sound: str) -> Pair | None:
        sources = (*wanted[sound].makes, *wanted[sound].perhaps)
        name = next((n for n in order if n in left and left[n].segments.keys().isdisjoint(sources)), None)
        if name is None:
            return None
        label = ";".join(sources) if kind == "offscreen" else ""
        return Pair(kind, label, left.pop(name), stock.take(sound))

    return _in_turn(_shuffled(wanted, seed, kind), take, count)


def _in_turn(turns: Sequence[str], take: Callable[[str], Pair | None], count: int) -> list[Pair]:
    """Take from each in turn until there are ``count``; who has nothing more is passed over."""
    found: list[Pair] = []
    open_turns = list(turns)
    while open_turns:
        for turn in tuple(open_turns):
            if len(found) >= count:
                return found
            pair = take(turn)
            if pair is None:
                open_turns.remove(turn)
            else:
                found.append(pair)
    return found


class _Stock:
    """The clips by category, handed out in a shuffled order and again from its beginning."""

    def __init__(self, clips: Sequence[Clip], seed: int) -> None:
        self._seed = seed
        self._used: Counter[str] = Counter()
        self._clips: dict[str, list[Clip]] = {}
        files = {clip.file.name: clip for clip in clips}
        for name in _shuffled(files, seed, "clip"):
            self._clips.setdefault(files[name].category, []).append(files[name])

    def rarest(self, categories: Iterable[str]) -> str:
        """The category that was handed out least."""
        return min(_shuffled(categories, self._seed, "sound"), key=self._used.__getitem__)

    def take(self, category: str) -> Clip:
        """The next clip of a category."""
        clips = self._clips[category]
        self._used[category] += 1
        return clips[(self._used[category] - 1) % len(clips)]


def _shuffled(names: Iterable[str], seed: int, purpose: str) -> list[str]:
    """Names in an order that depends on the seed, the purpose and themselves alone."""
    return sorted(names, key=lambda name: (hashlib.blake2b(f"{seed}/{purpose}/{name}".encode()).digest(), name))
