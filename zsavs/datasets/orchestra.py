"""The orchestra: composed scenes of objects and their sounds, with exact masks, in named groups.

Layout: ``scenes.json`` says what is in each scene, ``images/NAME.jpg`` is its image, ``masks/NAME.png`` an 8-bit
palette image in which 0 is the background and i the visible pixels of the i-th object, ``audio/NAME.ogg`` its audio.
A scene whose sources do not sound throughout says when they do: ``"times": {label: [[on, off], ...]}``, in seconds.
``"event"``, if there, is a caption of the sound that does not name its source.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.datasets.audio import AudioFiles
from zsavs.datasets.base import Item, Reader, Target
from zsavs.datasets.layout import find_folder, need_folder
from zsavs.datasets.masks import read_ids, read_image
from zsavs.datasets.scene_list import brief, check_labels, checked_text, checked_times, file_name, read_list
from zsavs.errors import InputError
from zsavs.storage.files import is_there
from zsavs.types import AVSample, Times

__all__ = ["Orchestra", "Scene", "Thing"]

_LIST = "scenes.json"
#: Condition of a scene in which nothing in view sounds, by its group; in other groups the source is off screen.
_CONDITIONS = {"silence": "silence", "noise": "noise"}


class Thing(NamedTuple):
    """An object in the image, and whether it is a source of the sound."""

    label: str
    sounding: bool


class Scene(NamedTuple):
    """The annotation of a scene.

    Args:
        group: the group it belongs to.
        heard: labels of all sources in the audio, in view or off screen.
        things: the objects in the image; the i-th of them, from 1, has the value i in the mask.
        times: by label on and off of the sources in seconds; empty where they sound throughout, or it is not known.
        event: what a person might say who hears the scene, without the source's name; "" where it is not known.
    """

    group: str
    heard: tuple[str, ...]
    things: tuple[Thing, ...]
    times: Mapping[str, Times] = MappingProxyType({})
    event: str = ""

    @property
    def sources(self) -> tuple[str, ...]:
        """Labels of the objects that sound, one for each of them."""
        return tuple(thing.label for thing in self.things if thing.sounding)

    @property
    def condition(self) -> str:
        """The condition of the suite "robust" that the scene belongs to."""
        return "positive" if self.sources else _CONDITIONS.get(self.group, "offscreen")


class Orchestra(Reader):
    """Scenes of one folder; without a folder, the ones that come with zsavs.

    Args:
        root: the folder with ``scenes.json``; None for the scenes in the package.
        split: "test"; a folder has no other.
        groups: names of the groups to keep; None for all.

    Target: at the image's size, labels over :attr:`classes`; sources with one label for each object that sounds;
    category: the scene's group; condition. An id is the scene's name. Items alternate between the groups, a scene of
    each at a time, so that the first N of them are of all groups.

    Attributes:
        groups: the groups that are kept, with what each of them is.
        scenes: by name, the groups, objects and sources of each scene that is kept.
        classes: the background, and every label of a source in any scene of the folder, in alphabetical order.

    Raises:
        UnknownName: no such split or group.
        InputError: no such folder, or a list of scenes that cannot be used; says which and what was found.
    """

    name = "orchestra"
    suite = "robust"
    shipped: ClassVar[Path] = Path(__file__).parents[1] / "data" / "orchestra"

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        split: str = "test",
        groups: Sequence[str] | None = None,
    ) -> None:
        root = self.shipped if root is None else root
        if Path(root) == self.shipped and not is_there(self.shipped / _LIST):
            raise InputError(
                f"{self.shipped / _LIST}: this installation has no scenes of the orchestra; install zsavs again, or "
                f"name a folder of scenes (on the command line with --root)."
            )
        super().__init__(root, split)
        path = find_folder(self.root, ("",), _LIST) / _LIST
        self.annotations = (path,)
        self.groups: dict[str, str]
        self.scenes: Mapping[str, Scene]
        self.groups, self.scenes, everything = read_list(path, "scenes", groups, _scene)
        self.classes = check_labels(path, {label for scene in everything for label in scene.heard})
        self._folders = [need_folder(self.root / name) for name in ("images", "audio", "masks")]
        self._audio_files = AudioFiles(1)

    def __len__(self) -> int:
        return len(self.scenes)

    def __iter__(self) -> Iterator[str]:
        return iter(self.scenes)

    def group_count(self) -> int:
        """Number of images."""
        return len(self.scenes)

    def files(self, item: str) -> tuple[Path, ...]:
        """Image, audio file and mask of an item; see :meth:`Reader.files`."""
        if item not in self.scenes:
            raise self.unknown(item)
        endings = (".jpg", ".ogg", ".png")
        return tuple(folder / f"{item}{end}" for folder, end in zip(self._folders, endings, strict=True))

    def load(self, item: str) -> Item:
        """Read one image with its audio; see :meth:`Reader.load`."""
        image_file, audio_file, mask_file = self.files(item)
        scene, image, index = self.scenes[item], read_image(image_file), self.index_map(item)
        if index.shape != image.shape[:2]:
            raise InputError(f"{mask_file}: {index.shape} pixels, the image {image_file} has {image.shape[:2]}.")
        ids = [0, *(self.classes.index(thing.label) if thing.sounding else 0 for thing in scene.things)]
        target = Target.from_labels(
            np.array(ids, np.uint8)[index],
            self.classes,
            category=scene.group,
            sources=scene.sources,
            video_id=item,
            group=item,
            condition=scene.condition,
        )
        return Item(AVSample(image, self._audio_files(audio_file), self.sample_name(item)), target)

    def index_map(self, item: str) -> NDArray[np.uint8]:
        """The mask as it is stored: (H, W) uint8, 0 the background, i the pixels of ``scenes[item].things[i - 1]``.

        Raises:
            InputError: no such item; the mask cannot be read, has a value that stands for no object of the scene,
                or has no pixel of an object that sounds.
        """
        path, things = self.files(item)[2], self.scenes[item].things
        table = np.full(256, -1, np.int16)
        table[: len(things) + 1] = np.arange(len(things) + 1)
        index = read_ids(path, table)
        for place, thing in enumerate(things, 1):
            if thing.sounding and not (index == place).any():
                raise InputError(f"{path}: no pixel has the value {place}, which is the sounding {thing.label!r}.")
        return index


def _scene(row: Any) -> tuple[str, Scene]:
    """Name and scene of an entry; KeyError, TypeError or ValueError where it is none."""
    name, heard = file_name(row["name"]), tuple(checked_text(label) for label in row["heard"])
    things = tuple(Thing(checked_text(thing["label"]), thing["sounding"]) for thing in row["things"])
    if not all(isinstance(thing.sounding, bool) for thing in things):
        raise TypeError("'sounding' is not true or false")
    unheard = [thing.label for thing in things if thing.sounding and thing.label not in heard]
    if unheard:
        raise ValueError(f"{unheard[0]!r} sounds and is not heard")
    event = checked_text(row["event"]) if "event" in row else ""
    return name, Scene(checked_text(row["group"]), heard, things, _times(row.get("times", {}), heard), event)


def _times(by_label: Any, heard: Sequence[str]) -> dict[str, Times]:
    """The times of an entry; TypeError or ValueError where they are none."""
    if not isinstance(by_label, dict):
        raise TypeError(f"'times' maps labels to seconds, found {brief(by_label)}")
    unheard = [label for label in by_label if label not in heard]
    if unheard:
        raise ValueError(f"{unheard[0]!r} has times and is not heard")
    return checked_times(tuple(by_label), tuple(by_label.values()))
