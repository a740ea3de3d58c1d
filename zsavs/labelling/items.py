"""An item of a labelling job, and what of the input was refused."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zsavs.storage.run_key import State, file_states
from zsavs.storage.source_code import digest

__all__ = ["Inputs", "Item", "Refused"]


@dataclass(frozen=True)
class Item:
    """One image with its audio, or one video.

    Args:
        id: its name, which no other item of the job has.
        root: the folder that its files are named from.
        image, audio: an image file and its audio file, as the input names them.
        video: a video file in their place; its own sound is heard where there is no ``audio``.
        start_s, end_s: the part that is asked about, in seconds: of the video, or of the image's audio.
    """

    id: str
    root: str
    image: str = ""
    audio: str = ""
    video: str = ""
    start_s: float = 0.0
    end_s: float = math.inf

    @property
    def named(self) -> dict[str, Any]:
        """Its files and its part, as entries of a row; what it does not have is left out."""
        found: dict[str, Any] = {kind: path for kind in ("image", "audio", "video") if (path := getattr(self, kind))}
        if self.start_s:
            found["start_s"] = self.start_s
        if self.end_s < math.inf:
            found["end_s"] = self.end_s
        return found

    def path(self, kind: str) -> Path:
        """Where its image, audio or video is."""
        return Path(self.root, getattr(self, kind))

    def states(self) -> dict[str, State]:
        """The states of its files now, by what they are."""
        kinds = [kind for kind in ("image", "audio", "video") if getattr(self, kind)]
        return {kind: next(iter(file_states([self.path(kind)]).values())) for kind in kinds}

    def key(self, job: str) -> str:
        """Changes with the item's name, its files, its part, and the key of the job."""
        return digest(json.dumps([job, self.id, self.named, self.states()]).encode())


@dataclass(frozen=True)
class Refused:
    """A row or a file of the input that is no item.

    Args:
        where: the line, or the file.
        why: in words, for a person.
    """

    where: str
    why: str


@dataclass(frozen=True)
class Inputs:
    """What there is to label.

    Args:
        root: the folder that files are named from.
        items: in order.
        refused: what is in the input and is no item.
        rules: how the items were found, a sentence each.
    """

    root: Path
    items: tuple[Item, ...]
    refused: tuple[Refused, ...] = ()
    rules: tuple[str, ...] = field(default=())

    def counted(self) -> str:
        """How many of what there are, in words.

        >>> Inputs(Path(), (Item("a", ".", image="a.png", audio="a.wav"),)).counted()
        '1 image with its audio'
        """
        videos = sum(bool(item.video) for item in self.items)
        pairs = len(self.items) - videos
        told = [f"{pairs} image{'s'[: pairs != 1]} with {'its' if pairs == 1 else 'their'} audio"] if pairs else []
        told += [f"{videos} video{'s'[: videos != 1]}"] if videos else []
        return " and ".join(told) or "nothing"
