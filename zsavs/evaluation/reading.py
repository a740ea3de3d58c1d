"""Reading a data set for an evaluation: batches of items, the frames around them, and the sounds to judge them by."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from zsavs.datasets.base import Dataset, Item
from zsavs.errors import InputError, ZsavsError
from zsavs.evaluation.video_context import VideoContext
from zsavs.types import AudioClip, AVSample

__all__ = ["Batch", "BatchReader", "lender"]


def lender(dataset: Dataset, items: Sequence[str], place: int) -> tuple[str, Item]:
    """The item whose sound is heard with the image at ``place`` when the sounds are shuffled.

    It lies half the data set away, where the same video or class is least likely, or is the next one after that which
    can be read.

    Args:
        dataset: where the items are.
        items: all ids, in order.
        place: number of the item in them, from 0.

    Returns:
        The id and the item.

    Raises:
        InputError: none of the items can be read.
    """
    away = place + max(1, len(items) // 2)
    for step in range(len(items)):
        name = items[(away + step) % len(items)]
        try:
            return name, dataset.load(name)
        except Exception:
            continue
    raise InputError(f"the data set {dataset.name!r}: no item can be read, so that no sound can be lent.")


class Batch(NamedTuple):
    """All that is read for some items.

    Args:
        order: the place of each id in the data set.
        loaded: ids and items, without those that cannot be read.
        broken: for each of those a row with its id and the reason.
        heard: by the kind of audio, the samples by place; those of the frames around the items too.
    """

    order: Mapping[str, int]
    loaded: Sequence[tuple[str, Item]]
    broken: Sequence[dict[str, Any]]
    heard: Mapping[str, Mapping[int, AVSample]]


class BatchReader:
    """Reads what an evaluation needs of some items.

    Args:
        dataset: where they are.
        items: all ids, in order; items are called by their place in it.
        audio: which of "recorded", "silent" and "shuffled" is heard.
        neighbours: for smoothing over videos; None reads no frames around an item.
    """

    def __init__(
        self, dataset: Dataset, items: Sequence[str], audio: Sequence[str], neighbours: VideoContext | None
    ) -> None:
        self.dataset, self.items, self.audio, self.neighbours = dataset, items, audio, neighbours

    def batch(self, places: Sequence[int]) -> Batch:
        """Read the items at some places."""
        order = {self.items[place]: place for place in places}
        loaded: list[tuple[str, Item]] = []
        broken: list[dict[str, Any]] = []
        for name in order:
            try:
                loaded.append((name, self.dataset.load(name)))
            except ZsavsError as error:
                broken.append({"item": name, "error": str(error)})
            except Exception as error:  # a data set may be anybody's, and one item must not end the run
                broken.append({"item": name, "error": f"{type(error).__name__}: {' '.join(str(error).split())}"})
        context = {order[name]: item.sample for name, item in loaded}
        context |= self.around(context)
        heard = {
            audio: {place: self._heard(audio, place, sample) for place, sample in context.items()}
            for audio in self.audio
        }
        return Batch(order, loaded, broken, heard)

    def around(self, places: Collection[int]) -> dict[int, AVSample]:
        """What can be read of the other frames around some items; nothing without neighbours."""
        near = {other for place in places for other in self.neighbours.of(place).values()} if self.neighbours else set()
        found = {}
        for other in sorted(near - set(places)):
            with contextlib.suppress(Exception):
                found[other] = self.dataset.load(self.items[other]).sample
        return found

    def _heard(self, audio: str, place: int, sample: AVSample) -> AVSample:
        """The sample with the sound it is to be judged by."""
        if audio == "recorded":
            return sample
        if audio == "silent":
            silence = AudioClip(np.zeros_like(sample.audio.waveform), sample.audio.sample_rate_hz)
            return replace(sample, audio=silence)
        _, other = lender(self.dataset, self.items, place)
        return replace(sample, audio=other.sample.audio)
