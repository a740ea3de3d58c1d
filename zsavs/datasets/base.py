"""The base of every data set: ids in order, and for each a sample, for pipelines, and its target, for metrics only."""

from __future__ import annotations

import hashlib
import inspect
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ContractError, InputError, UnknownName
from zsavs.language.label_sets import IGNORE
from zsavs.media.arrays import frozen
from zsavs.storage.files import is_there
from zsavs.types import AudioClip, AVSample, Times

__all__ = ["IGNORE", "Counts", "Dataset", "Item", "Reader", "Target", "VideoTruth"]


@dataclass(frozen=True, eq=False)
class Target:
    """The annotation of an item, for metrics only.

    Args:
        mask: (H, W) bool, the pixels of all sources in view. H and W are those of the protocol, which may differ
            from the image's: resize the score map to them, not the target.
        labels: (H, W) uint8 class ids, 0 the background and 255 pixels that do not count; None where the data set has
            masks only.
        classes: names of the classes by id, if there are labels.
        category: what the results are broken down by: the data set's own name of the source, or of the kind of scene;
            "" if it has none.
        sources: names of the sources in view, one for each, so a name may occur twice; empty if nothing in view sounds.
        video_id: the video, or for single images the image, by the data set's own name.
        frame: which second of the video, from 0.
        group: equal for items of one video or of one image, for metrics that score them together.
        condition: what was done to the audio: "positive", or "silence", "noise", "offscreen" (AVSBench-Robust).
        padding: frames without content that the published AVSS evaluation scores along with this one.

    Raises:
        ContractError: a wrong dtype or shape, or labels that name no class.
    """

    mask: NDArray[np.bool_]
    labels: NDArray[np.uint8] | None = None
    classes: tuple[str, ...] = ()
    category: str = ""
    sources: tuple[str, ...] = ()
    video_id: str = ""
    frame: int = 0
    group: str = ""
    condition: str = "positive"
    padding: int = 0

    def __post_init__(self) -> None:
        mask = np.asarray(self.mask)
        if mask.dtype != np.bool_ or mask.ndim != 2:
            raise ContractError(f"Target.mask: expected (H, W) bool, got {mask.dtype} {mask.shape}.")
        object.__setattr__(self, "mask", frozen(mask))
        if self.labels is None:
            return
        labels = np.asarray(self.labels)
        if labels.dtype != np.uint8 or labels.shape != mask.shape:
            raise ContractError(f"Target.labels: expected uint8 {mask.shape}, got {labels.dtype} {labels.shape}.")
        if ((labels >= len(self.classes)) & (labels != IGNORE)).any():
            raise ContractError(f"Target.labels: every label must be 255 or one of {len(self.classes)} classes.")
        object.__setattr__(self, "labels", frozen(labels))

    @classmethod
    def from_labels(cls, labels: NDArray[np.uint8], classes: tuple[str, ...], **facts: Any) -> Self:
        """A target whose mask is every pixel of a class other than the background."""
        return cls((labels != 0) & (labels != IGNORE), labels, classes, **facts)

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.mask.shape[0], self.mask.shape[1]


class VideoTruth(NamedTuple):
    """The annotation of a whole video, for metrics only.

    Args:
        objects: for each frame the masks (H, W) of the objects that sound and are seen, by an id of each.
        in_view: by label, when the objects sound that are in the frames; on and off in seconds.
        heard: by label, when every source of the audio sounds, in view or not.
        duration_s: length of the video.
    """

    objects: Sequence[Mapping[int, NDArray[np.bool_]]]
    in_view: Mapping[str, Times]
    heard: Mapping[str, Times]
    duration_s: float


class Item(NamedTuple):
    """One item: ``sample`` is for a pipeline and ``target`` for a metric."""

    sample: AVSample
    target: Target


@runtime_checkable
class Dataset(Protocol):
    """What an evaluation asks of a data set; a class with these members is one, whatever it inherits from."""

    #: The name it is registered under.
    name: str
    #: The metric suite that its published numbers are computed with.
    suite: str

    def __len__(self) -> int:
        """Number of items."""
        ...

    def __iter__(self) -> Iterator[str]:
        """Ids of the items: unique, and the same in the same order every time."""
        ...

    def load(self, item: str) -> Item:
        """Read one item; the same id gives the same bits.

        Raises:
            InputError: a file of it cannot be read; the others still can.
        """
        ...


class Counts(NamedTuple):
    """How large a split is; None where it is not known.

    Args:
        items: what is scored: frames, or images with an audio clip.
        groups: videos, or images.
        empty: items in which nothing in view sounds.
    """

    items: int | None = None
    groups: int | None = None
    empty: int | None = None


class Reader(ABC):
    """A benchmark in the folders in which it is distributed.

    Args:
        root: the folder.
        split: one of ``splits``.

    Attributes:
        name, suite: see :class:`Dataset`.
        splits: the splits that there are.
        published: their sizes, as far as they were published.
        classes: names of the classes by id; empty for a data set of masks.
        shipped: the folder of the copy that comes with the package; None where there is none and a root is needed.
        by_video: whether an evaluation answers whole videos, where it is not told how.
        annotations: the files that items and what is known of them were read from, when it was opened.
        options: what it was made with beside root and split, where that is not the default, as plain JSON values.
            Sizes, masks or boxes, seconds of context: what they change are the numbers.

    Raises:
        UnknownName: no such split.
        InputError: ``root`` is no folder.
    """

    name: ClassVar[str]
    suite: ClassVar[str]
    splits: ClassVar[tuple[str, ...]] = ("test",)
    published: ClassVar[Mapping[str, Counts]] = {}
    shipped: ClassVar[Path | None] = None
    by_video: ClassVar[bool] = False
    classes: tuple[str, ...] = ()
    annotations: tuple[Path, ...] = ()
    options: Mapping[str, Any] = {}

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Note the options, whatever the class that is made calls them."""
        reader = super().__new__(cls)
        parameters = inspect.signature(cls.__init__).parameters
        try:
            given = inspect.signature(cls.__init__).bind(reader, *args, **kwargs).arguments
        except TypeError:  # __init__ says what is wrong
            return reader
        named = {
            key: value for key, value in given.items() if parameters[key].kind is not inspect.Parameter.VAR_KEYWORD
        }
        named = {key: value for key, value in named.items() if value != parameters[key].default}
        for key in given.keys() - named.keys():
            named |= given[key] if parameters[key].kind is inspect.Parameter.VAR_KEYWORD else {}
        reader.options = {key: _plain(named[key]) for key in sorted(named.keys() - {"self", "root", "split"})}
        return reader

    @classmethod
    def known_options(cls) -> dict[str, str]:
        """The options that the class can be made with, and their types as they are written in the code."""
        known: dict[str, str] = {}
        for base in cls.__mro__:
            if "__init__" not in vars(base):
                continue
            parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
            known = {p.name: str(p.annotation) for p in parameters if p.kind is not p.VAR_KEYWORD} | known
            if all(p.kind is not p.VAR_KEYWORD for p in parameters):  # it hands nothing on
                break
        return {name: kind for name, kind in sorted(known.items()) if name not in ("self", "root", "split")}

    def __init__(self, root: str | os.PathLike[str], split: str) -> None:
        if split not in self.splits:
            raise UnknownName(f"split of the data set {self.name!r}", split, self.splits)
        self.root, self.split = Path(root).expanduser(), split
        if not is_there(self.root, folder=True):
            raise InputError(f"{self.root}: no such folder; give the folder that holds the data set {self.name!r}.")

    @abstractmethod
    def __len__(self) -> int:
        """Number of items."""

    @abstractmethod
    def __iter__(self) -> Iterator[str]:
        """Ids of the items, in the order of the data set's own list."""

    @abstractmethod
    def load(self, item: str) -> Item:
        """Read one item.

        Raises:
            InputError: there is no such item, or a file of it cannot be read.
        """

    @abstractmethod
    def files(self, item: str) -> tuple[Path, ...]:
        """The files that :meth:`load` reads for an item.

        Raises:
            InputError: there is no such item.
        """

    @abstractmethod
    def group_count(self) -> int:
        """Number of videos or images that the items belong to."""

    def moment(self, item: str) -> tuple[str, int] | None:
        """The video that an item is a frame of, by a name of its own, and the frame's number; None for an image.

        Raises:
            InputError: there is no such item.
        """
        return None

    def video_audio(self, item: str) -> AudioClip | None:
        """All of the audio of the video that an item is a frame of; None for an image.

        Raises:
            InputError: there is no such item, or the audio cannot be read.
        """
        return None

    def video_time(self, item: str) -> float | None:
        """When the frame of an item is shown, in seconds from the start of its video's audio; None for an image.

        Raises:
            InputError: there is no such item.
        """
        return None

    def video_truth(self, item: str) -> VideoTruth | None:
        """The annotation of the video that an item is a frame of; None where only frames are annotated.

        Raises:
            InputError: there is no such item, or the annotation cannot be read.
        """
        return None

    def other_audio(self, item: str) -> AudioClip | None:
        """Audio of another video that fits nothing in this one, for shuffled audio; None for any other video's.

        Raises:
            InputError: there is no such item, or the audio cannot be read.
        """
        return None

    def other_audio_files(self, item: str) -> tuple[Path, ...]:
        """The files that :meth:`other_audio` reads.

        Raises:
            InputError: there is no such item.
        """
        return ()

    def sample_name(self, item: str) -> str:
        """The name that an item's sample carries.

        Ids hold class names and paths, and a sample must not name its sources. This is a hash of the id, the same on
        every machine.
        """
        key = f"{self.name}/{self.split}/{item}".encode("utf-8", "surrogateescape")
        return f"{self.name}-{hashlib.blake2b(key, digest_size=6).hexdigest()}"

    def unknown(self, item: str) -> InputError:
        """The error for an id that is not of this data set."""
        return InputError(f"{self.name} ({self.split}): there is no item {item!r}; iterate over the data set for ids.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r}, split={self.split!r}, {len(self)} items)"


def _plain(value: Any) -> Any:
    """An option as a JSON value, different for different options."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else repr(value)
