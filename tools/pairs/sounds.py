"""Which things make which sounds: the categories of ESC-50 with labels of COCO, read from a JSON file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsavs.datasets.metadata import load_json
from zsavs.errors import InputError

__all__ = ["SOUNDS", "Sound", "SoundMap"]

#: The map that was made for ESC-50 and the 133 panoptic categories of COCO.
SOUNDS = Path(__file__).with_name("sounds.json")


@dataclass(frozen=True)
class Sound:
    """A category of ESC-50.

    Args:
        name: as in ``esc50.csv``.
        makes: the labels that visibly make it: one of them is the source of a positive.
        perhaps: labels that might make it, or with which it goes: they have no part in positives, and an image in
            which one is in view is no negative.
    """

    name: str
    makes: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()


@dataclass(frozen=True)
class SoundMap:
    """All sounds.

    Args:
        sounding: sounds of things, by name.
        ambient: sounds that no one thing makes, by name.
        unused: names of sounds that are left out, with the reason.
    """

    sounding: Mapping[str, Sound]
    ambient: Mapping[str, Sound]
    unused: Mapping[str, str]

    @property
    def makers(self) -> frozenset[str]:
        """All labels that make a sound."""
        return frozenset(label for sound in self.sounding.values() for label in sound.makes)

    @classmethod
    def read(cls, path: Path, labels: Iterable[str], categories: Iterable[str]) -> SoundMap:
        """Read a map.

        Args:
            path: a JSON file in the form of ``sounds.json``.
            labels: the labels that there are, of COCO.
            categories: the sounds that there are, of ESC-50.

        Raises:
            InputError: it is no such file, names a label or a sound that does not exist, or lacks a sound.
        """
        listing = load_json(path)
        try:
            sounding, ambient = ({n: _sound(n, s) for n, s in listing[k].items()} for k in ("sounding", "ambient"))
            unused = {name: str(reason) for name, reason in listing.get("unused", {}).items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: is no map of sounds in the form of {SOUNDS.name} ({error}).") from error
        named = {label for s in (*sounding.values(), *ambient.values()) for label in (*s.makes, *s.perhaps)}
        _same(path, "COCO has no label", named - set(labels))
        _same(path, "ESC-50 has no sound", {*sounding, *ambient, *unused} - set(categories))
        _same(path, "it does not say what makes the sound", set(categories) - {*sounding, *ambient, *unused})
        return cls(sounding, ambient, unused)


def _sound(name: str, entry: Any) -> Sound:
    makes, perhaps = (entry.get(key, []) for key in ("makes", "perhaps"))
    if not all(isinstance(labels, list) and all(isinstance(x, str) for x in labels) for labels in (makes, perhaps)):
        raise TypeError(f"{name!r} has no list of labels")
    return Sound(name, tuple(makes), tuple(perhaps))


def _same(path: Path, what: str, odd: set[str]) -> None:
    if odd:
        raise InputError(f"{path}: {what} {min(odd)!r}; correct the map, or name another one with --sounds.")
