"""The protocol "whole video seen": a batch is a video, answered from all its annotated frames and all its audio."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from zsavs.datasets.base import Dataset, VideoTruth
from zsavs.errors import InputError, reason
from zsavs.evaluation.batch_reader import Batch, BatchReader, WholeVideo
from zsavs.media.activity import unite
from zsavs.media.video_file import VideoFrame
from zsavs.media.waveform import fit
from zsavs.metrics.tracking_suite import Tracking
from zsavs.pipeline import Pipeline
from zsavs.temporal.video_result import VideoResult
from zsavs.types import AudioClip, Times

__all__ = ["VideoReader", "answer_video", "tells_truth", "update_tracking", "videos_of"]


def videos_of(dataset: Dataset, items: Sequence[str]) -> list[list[int]]:
    """The positions of each video's items; videos in order of their first items.

    Raises:
        InputError: an item is no frame of a video, or the data set does not say what the whole video is.
    """
    moment = getattr(dataset, "moment", lambda item: None)
    videos: dict[str, list[int]] = defaultdict(list)
    for position, item in enumerate(items):
        at = moment(item)
        if at is None or not hasattr(dataset, "video_audio"):
            raise InputError(
                f"the data set {dataset.name!r} has no whole videos; evaluate it frame by frame (--frame-by-frame)."
            )
        videos[at[0]].append(position)
    return list(videos.values())


def tells_truth(dataset: Any, items: Sequence[str]) -> bool:
    """Whether the data set annotates whole videos, as far as its first video says that can be read."""
    for item in items:
        try:
            return getattr(dataset, "video_truth", lambda item: None)(item) is not None
        except Exception:
            continue
    return False


class VideoReader(BatchReader):
    """Reads whole videos, the frames of one at a time.

    Args:
        dataset: where they are.
        items: all ids, in order; items are named by their position in it.
        audio: some of "recorded", "silent" and "shuffled", see :data:`zsavs.evaluation.plan.AUDIO`.
        videos: the positions of each video's items.
    """

    def __init__(
        self, dataset: Dataset, items: Sequence[str], audio: Sequence[str], videos: Sequence[Sequence[int]]
    ) -> None:
        super().__init__(dataset, items, audio, None)
        self.videos = videos
        self._number = {position: number for number, video in enumerate(videos) for position in video}

    def read(self, positions: Sequence[int]) -> Batch:
        """Read the video whose items are at these positions; frames that cannot be read are left out."""
        self._read = {}
        by_name, loaded, unreadable = self.load(positions)
        if not loaded:
            return Batch(by_name, loaded, unreadable, {}, *self.noted(by_name))
        images = {by_name[name]: item.sample.image for name, item in loaded}
        first = loaded[0][0]
        try:
            times_s = {position: self._time(self.items[position]) for position in positions}
            order = sorted(positions, key=times_s.__getitem__)
            frames = {at: VideoFrame(images[at], times_s[at]) for at in order if at in images}
            audio = self._all_audio(first)
            kinds = {kind: self._of_kind(kind, by_name[first], audio) for kind in self.audio}
            truth = getattr(self.dataset, "video_truth", lambda item: None)(first)
            if truth is not None:
                objects = [of for at, of in zip(order, truth.objects, strict=True) if at in images]
                truth = truth._replace(objects=objects)
        except Exception as error:
            failed = [{"item": name, "error": reason(error)} for name, _ in loaded]
            return Batch(by_name, [], [*unreadable, *failed], {}, *self.noted(by_name))
        return Batch(by_name, loaded, unreadable, {}, *self.noted(by_name), video=WholeVideo(frames, kinds, truth))

    def _time(self, item: str) -> float:
        time_s = self.dataset.video_time(item)  # type: ignore[attr-defined]
        if time_s is None:
            raise InputError(f"{self.dataset.name}: says no time of the frame {item!r}.")
        return float(time_s)

    def _all_audio(self, item: str) -> AudioClip:
        audio = self.dataset.video_audio(item)  # type: ignore[attr-defined]
        if audio is None:
            raise InputError(f"{self.dataset.name}: has no audio of the video of {item!r}.")
        return audio  # type: ignore[no-any-return]

    def _of_kind(self, kind: str, position: int, own: AudioClip) -> AudioClip:
        """The audio of a video of one kind."""
        if kind == "recorded":
            return own
        if kind == "silent":
            return AudioClip(np.zeros_like(own.waveform), own.sample_rate_hz)
        other = getattr(self.dataset, "other_audio", lambda item: None)(self.items[position])
        if other is None:
            other = self._half_away(position)
        length = round(own.duration_s * other.sample_rate_hz)
        return AudioClip(np.stack([fit(channel, length) for channel in other.waveform]), other.sample_rate_hz)

    def _half_away(self, position: int) -> AudioClip:
        """The audio of the video that is half the data set away, or of the next one after it that can be read."""
        count = len(self.videos)
        start = self._number[position] + max(1, count // 2)
        for step in range(count):
            item = self.items[self.videos[(start + step) % count][0]]
            self.note(item)
            try:
                return self._all_audio(item)
            except Exception:
                continue
        raise InputError(f"the data set {self.dataset.name!r}: no audio can be read, so there is none to shuffle.")


def answer_video(
    pipe: Pipeline, frames: Sequence[VideoFrame], audio: AudioClip, smooth: float = 0.0, batch_size: int = 8
) -> VideoResult:
    """The result of a whole video, with the pipeline's tracker.

    Args:
        pipe: what answers.
        frames: in order of time; all of them are looked at.
        audio: of the whole video.
        smooth, batch_size: see :meth:`zsavs.pipeline.Pipeline.video`.

    Raises:
        ZsavsError: as :meth:`zsavs.pipeline.Pipeline.video`.
    """
    apart = np.diff([frame.time_s for frame in frames])
    fps = 1 / float(apart.min()) if len(apart) else 1.0
    tracker = pipe.tracker or "none"
    return pipe.video(frames, audio, fps=fps, smooth=smooth, batch_size=batch_size, tracker=tracker)


def update_tracking(suite: Tracking, truth: VideoTruth, result: VideoResult) -> None:
    """Add the result of a video to the numbers of whole videos.

    Labels are compared whatever their case; when a source sounds is taken from all tracks of its label.

    Raises:
        InputError: the result has another number of frames than the annotation.
    """
    shown = [{track.id: track.mask(number) for track, _ in result.shown(number)} for number in range(len(result))]
    said = [(track.phrase, track.times) for track in result.tracks if len(track)]
    heard = list(zip(result.queries.phrases, result.queries.times or (), strict=False))
    suite.update(
        [{key: mask for key, mask in masks.items() if mask is not None} for masks in shown],
        truth.objects,
        size_hw=result.size_hw,
        followed=(_by_label(list(truth.in_view.items())), _by_label(said)),
        heard=(_by_label(list(truth.heard.items())), _by_label(heard)),
        n_tracks=len(result.tracks),
        duration_s=truth.duration_s,
    )


def _by_label(rows: Sequence[tuple[str, Times]]) -> dict[Any, Times]:
    """When each label sounds, whatever its case and however many have it."""
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for label, times in rows:
        spans[label.casefold()] += times
    return {label: unite(times, gap_s=1e-6) for label, times in spans.items() if times}
