"""The photographs that come with zsavs: each with an audio file, what is in them, and where both come from."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zsavs.errors import BrokenInstallation
from zsavs.types import AVSample

__all__ = ["FOLDER", "Origin", "Photograph", "shipped_photographs"]

FOLDER = Path(__file__).parents[1] / "data" / "photographs"


@dataclass(frozen=True)
class Origin:
    """Where a file comes from.

    Args:
        path: of the file.
        real: False where it was synthesised.
        about: what it shows or plays, and how it was made.
        source: who made it public, and where.
        licence: public domain or CC0, in the words of the source.
    """

    path: Path
    real: bool
    about: str
    source: str
    licence: str

    @property
    def told(self) -> str:
        """Whether it is real, what it is and where it comes from, in sentences."""
        return f"{'Real' if self.real else 'Synthesised'}: {self.about} {self.source} {self.licence}"


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph with the audio of a thing of its kind; they were not recorded together.

    Args:
        name: a file name without its ending.
        title: a name for people.
        label: the thing in view that sounds.
        box_xyxy: around it, in pixels, drawn by eye.
        image: the photograph.
        audio: the audio file.
        sample: both, decoded.
    """

    name: str
    title: str
    label: str
    box_xyxy: tuple[int, int, int, int]
    image: Origin
    audio: Origin
    sample: AVSample


def shipped_photographs() -> list[Photograph]:
    """The photographs that come with zsavs.

    Raises:
        BrokenInstallation: they are not there, or their list cannot be read.
        InputError: one of the files cannot be read.
    """
    path = FOLDER / "pairs.json"
    try:
        return [_photograph(row) for row in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokenInstallation(f"{path}: cannot be read ({error!r}); install zsavs again.") from error


def _photograph(row: dict[str, Any]) -> Photograph:
    image, audio = (Origin(FOLDER / row[what].pop("file"), **row[what]) for what in ("image", "audio"))
    sample = replace(AVSample.from_files(image.path, audio.path), name=row["name"])
    x0, y0, x1, y1 = (int(number) for number in row["box_xyxy"])
    return Photograph(row["name"], row["title"], row["label"], (x0, y0, x1, y1), image, audio, sample)
