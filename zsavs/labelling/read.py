"""Items as they are read before the models are asked: in a thread beside them, or in processes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zsavs.errors import InputError, reason
from zsavs.labelling.items import Item
from zsavs.media.audio_clip import excerpt
from zsavs.media.audio_file import load_audio
from zsavs.media.image_file import load_image
from zsavs.types import AVSample

__all__ = ["ReadItem", "read_items"]


@dataclass(frozen=True)
class ReadItem:
    """An item, and what of it has been read.

    Args:
        item: the item.
        sample: its image and its audio; None of a video, whose frames are read while it is looked at.
        unread: why it could not be read; "" where it could.
    """

    item: Item
    sample: AVSample | None = None
    unread: str = ""

    @property
    def size_bytes(self) -> int:
        """Of its arrays."""
        return 0 if self.sample is None else self.sample.image.nbytes + self.sample.audio.waveform.nbytes


def read_items(items: Sequence[Item]) -> list[ReadItem]:
    """Read the images and the audio of items; one that cannot be read costs itself alone."""
    return [ReadItem(item) if item.video else _read(item) for item in items]


def _read(item: Item) -> ReadItem:
    try:
        return ReadItem(item, _sample(item))
    except Exception as error:
        return ReadItem(item, unread=reason(error))


def _sample(item: Item) -> AVSample:
    """The image and the audio of an item, of which its part alone.

    Raises:
        ImageError, AudioError: a file cannot be read.
        InputError: the part begins after the audio has ended.
    """
    image, clip = load_image(item.path("image")), load_audio(item.path("audio"))
    if item.start_s >= clip.duration_s:
        raise InputError(
            f"{item.audio}: begins to be heard at {item.start_s:g} s, and is {clip.duration_s:.2f} s long."
        )
    length_s = min(item.end_s, clip.duration_s) - item.start_s
    return AVSample(image, excerpt(clip, item.start_s, length_s, length_s), item.id)
