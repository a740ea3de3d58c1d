"""Cards of a sample of the items, to see whether a job does what was meant."""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from zsavs.errors import ZsavsError
from zsavs.labelling.items import Item
from zsavs.labelling.labeller import Row
from zsavs.labelling.rows import result_of
from zsavs.media.audio_file import load_audio
from zsavs.media.image_file import load_image
from zsavs.media.video_file import load_video_audio, read_frames
from zsavs.result import AVSResult
from zsavs.storage.files import write_png

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["sample_of", "write_previews"]

log = logging.getLogger(__name__)

#: Of an item's name, in characters, within that of a file.
_LONGEST = 120


def sample_of(items: Sequence[Item], count: int) -> list[Item]:
    """So many of the items, from the first to the last at equal distances."""
    places = np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int))
    return [items[place] for place in places]


def write_previews(folder: Path, answered: Sequence[tuple[Item, Sequence[Row]]]) -> list[Path]:
    """Write a card for each answer, called after the item and, of several, the strategy; earlier cards are removed.

    Args:
        folder: for the cards.
        answered: items with their rows, of which failed ones have no card.

    Raises:
        OutputError: a card cannot be written.
    """
    written = []
    for item, rows in answered:
        for row in rows:
            if row["status"] == "failed":
                continue
            try:
                card = _card(item, row)
            except ZsavsError as error:  # the file has changed meanwhile
                log.warning("%s: no preview (%s)", item.id, error)
                continue
            ending = f"_{row['strategy']}" if len(rows) > 1 else ""
            path = folder / f"{_file_name(item.id)}{quote(ending, safe='')}.png"
            write_png(path, card)
            written.append(path)
    for old in folder.glob("*.png"):
        if old not in written:
            old.unlink(missing_ok=True)
    return written


def _file_name(name: str) -> str:
    """A name without folders; what is left out of a long one is told by a digest."""
    quoted = quote(name, safe=" ", errors="surrogateescape")
    if len(quoted) <= _LONGEST:
        return quoted
    return f"{quoted[:_LONGEST]}-{hashlib.sha256(quoted.encode()).hexdigest()[:8]}"


def _card(item: Item, row: Row) -> Image.Image:
    """The card of a row: of a video, of the first frame in which most sounds."""
    title = f"{item.id} · {row['strategy']} · {row['preset']}"
    result = result_of(row)
    if isinstance(result, AVSResult):
        return result.card(load_audio(item.path("audio")), title, load_image(item.path("image")))
    clip = load_audio(item.path("audio")) if item.audio else load_video_audio(item.path("video"))
    number = max(range(len(result)), key=lambda frame: len(result.shown(frame)))
    frames = read_frames(item.path("video"), fps=row["fps"], start_s=item.start_s, end_s=item.end_s)
    shown = next(itertools.islice(frames, number, None))
    return result.frame(number, image=shown.image).card(clip, f"{title} · {result.frames[number]:.2f} s")
