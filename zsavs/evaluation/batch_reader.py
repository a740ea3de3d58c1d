"""Reads batches of a data set's items, with the frames around them and with each kind of audio."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from zsavs.datasets.base import Dataset, Item, VideoTruth
from zsavs.errors import InputError, reason
from zsavs.evaluation.input_files import InputFiles
from zsavs.evaluation.video_context import VideoContext
from zsavs.media.video_file import VideoFrame
from zsavs.storage.run_key import State
from zsavs.types import AudioClip, AVSample

__all__ = ["Batch", "BatchReader", "WholeVideo", "item_for_shuffled_audio"]


def item_for_shuffled_audio(
    dataset: Dataset, items: Sequence[str], position: int, trying: Callable[[str], Any] = lambda item: None
) -> tuple[str, Item]:
    """The item whose audio replaces that of another one when the audio is shuffled.

    It is half the data set away, where the same video or class is least likely, or the next one after that which can
    be read.

    Args:
        dataset: where the items are.
        items: all ids, in order.
        position: of the item whose audio is replaced, from 0.
        trying: called with each id before it is read.

    Returns:
        Id and item whose audio is used.

    Raises:
        InputError: none of the items can be read.
    """
    away = position + max(1, len(items) // 2)
    for step in range(len(items)):
        name = items[(away + step) % len(items)]
        trying(name)
        try:
            return name, dataset.load(name)
        except Exception:
            continue
    raise InputError(f"the data set {dataset.name!r}: no item can be read, so there is no audio to shuffle.")


class WholeVideo(NamedTuple):
    """What is read of a video that is answered as a whole.

    Args:
        frames: by the position of their items in the data set, in order of time.
        audio: by kind, all of its audio.
        truth: its annotation, where the data set has one of whole videos.
    """

    frames: Mapping[int, VideoFrame]
    audio: Mapping[str, AudioClip]
    truth: VideoTruth | None


class Batch(NamedTuple):
    """All that is read for some items.

    Args:
        positions: the position of each id in the data set.
        loaded: ids and items, without those that cannot be read.
        unreadable: for each of those a row with its id and the reason.
        samples: by kind of audio, the samples by position; those of the frames around the items too.
        files: the states of all files that were read, from before they were.
        beside: ids of other items that were read for this batch: for shuffled audio, or as frames around its own.
        video: in place of samples, the video that the items are frames of, where whole videos are answered.
    """

    positions: Mapping[str, int]
    loaded: Sequence[tuple[str, Item]]
    unreadable: Sequence[dict[str, Any]]
    samples: Mapping[str, Mapping[int, AVSample]]
    files: Mapping[str, State]
    beside: Sequence[str] = ()
    video: WholeVideo | None = None


class BatchReader:
    """Reads what an evaluation needs of some items.

    Args:
        dataset: where they are.
        items: all ids, in order; items are named by their position in it.
        audio: some of "recorded", "silent" and "shuffled", see :data:`zsavs.evaluation.plan.AUDIO`.
        video_context: for smoothing over videos; None reads no frames around an item.
    """

    def __init__(
        self, dataset: Dataset, items: Sequence[str], audio: Sequence[str], video_context: VideoContext | None
    ) -> None:
        self.dataset, self.items, self.audio, self._video_context = dataset, items, audio, video_context
        self._input_files = InputFiles(dataset, "shuffled" in audio)
        #: The items that the batch is read from that is being read, and the states of their files.
        self._read: dict[str, Mapping[str, State]] = {}

    def read(self, positions: Sequence[int]) -> Batch:
        """Read the items at some positions."""
        self._read = {}
        by_name, loaded, unreadable = self.load(positions)
        recorded = {by_name[name]: item.sample for name, item in loaded}
        recorded |= self.context(recorded)
        samples = {
            audio: {position: self._with_audio(audio, position, sample) for position, sample in recorded.items()}
            for audio in self.audio
        }
        return Batch(by_name, loaded, unreadable, samples, *self.noted(by_name))

    def note(self, item: str) -> None:
        """Note the states of an item's files, before they are read."""
        if item not in self._read:
            self._read[item] = self._input_files.states([item])

    def noted(self, own: Container[str]) -> tuple[dict[str, State], list[str]]:
        """The states of all files of a batch, and the items that are read for it beside its ``own``."""
        files = {path: state for states in self._read.values() for path, state in states.items()}
        return files, [item for item in self._read if item not in own]

    def load(self, positions: Sequence[int]) -> tuple[dict[str, int], list[tuple[str, Item]], list[dict[str, Any]]]:
        """The position of each id, the items that can be read, and a row for each of the others."""
        by_name = {self.items[position]: position for position in positions}
        loaded: list[tuple[str, Item]] = []
        unreadable: list[dict[str, Any]] = []
        for name in by_name:
            self.note(name)
            try:
                loaded.append((name, self.dataset.load(name)))
            except Exception as error:  # a third party's data set may raise anything, and one item must not end the run
                unreadable.append({"item": name, "error": reason(error)})
        return by_name, loaded, unreadable

    def context(self, positions: Collection[int]) -> dict[int, AVSample]:
        """What can be read of the other frames around some items, by position; nothing without a video context."""
        if self._video_context is None:
            return {}
        frames = {other for position in positions for other in self._video_context.frames_around(position).values()}
        found = {}
        for other in sorted(frames - set(positions)):
            self.note(self.items[other])
            with contextlib.suppress(Exception):
                found[other] = self.dataset.load(self.items[other]).sample
        return found

    def _with_audio(self, audio: str, position: int, sample: AVSample) -> AVSample:
        """The sample with one kind of audio."""
        if audio == "recorded":
            return sample
        if audio == "silent":
            silence = AudioClip(np.zeros_like(sample.audio.waveform), sample.audio.sample_rate_hz)
            return replace(sample, audio=silence)
        _, other = item_for_shuffled_audio(self.dataset, self.items, position, self.note)
        return replace(sample, audio=other.sample.audio)
