"""Runs one whole video: every strategy on every kind of its audio, scored frame by frame and as a video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from zsavs.datasets.base import Dataset
from zsavs.errors import InputError
from zsavs.evaluation.batch_reader import Batch, WholeVideo
from zsavs.evaluation.batch_runner import BatchRunner, failure
from zsavs.evaluation.oracle import Oracle
from zsavs.evaluation.plan import AUDIO, TOLD, Plan
from zsavs.evaluation.whole_video import VideoReader, answer_video, update_tracking
from zsavs.metrics.tracking_suite import Tracking
from zsavs.pipeline import Pipeline
from zsavs.result import AVSResult
from zsavs.temporal.video_result import VideoResult
from zsavs.types import AVSample

__all__ = ["VideoRunner"]

_Answers = dict[tuple[str, str], VideoResult | str]


class VideoRunner(BatchRunner):
    """Answers and scores whole videos; a batch is one of them.

    Args:
        dataset, items, pipes, plan, suite_names: see :class:`~zsavs.evaluation.batch_runner.BatchRunner`. A pipeline
            whose strategy is an :class:`~zsavs.evaluation.oracle.Oracle` is told what sounds when, and answers once.
        videos: the positions of each video's items, see :func:`zsavs.evaluation.whole_video.videos_of`.

    Raises:
        InputError, UnknownName: as BatchRunner.
    """

    counted = (AUDIO[0], TOLD)
    soft = False

    def __init__(
        self,
        dataset: Dataset,
        items: Sequence[str],
        pipes: Mapping[str, Pipeline],
        plan: Plan,
        suite_names: Sequence[str],
        videos: Sequence[Sequence[int]],
    ) -> None:
        super().__init__(dataset, items, pipes, replace(plan, smooth=0.0), suite_names)
        self._smooth = plan.smooth
        self.reader = self._videos = VideoReader(dataset, items, plan.audio, videos)
        self._answered: _Answers = {}
        self._last: tuple[tuple[str, int], VideoResult] | None = None

    def run(self, batch: Batch) -> dict[str, Any]:
        """Answer and score a video.

        Returns:
            As :meth:`BatchRunner.run`; and ``videos``, by kind of audio and strategy, the state of the numbers of whole
            videos after this one alone, where the data set annotates them.
        """
        self._answered = {}
        result = super().run(batch)
        truth = batch.video.truth if batch.video else None
        answered = {key: answer for key, answer in self._answered.items() if not isinstance(answer, str)}
        if truth is None or len(answered) < len(self._answered):  # a video counts for every strategy, or for none
            return result
        states: dict[str, dict[str, Any]] = {}
        for (audio, strategy), answer in answered.items():
            suite = Tracking()
            update_tracking(suite, truth, answer)
            states.setdefault(audio, {})[strategy] = suite.state()
        return {**result, "videos": states}

    def answers(self, batch: Batch) -> dict[tuple[str, str], list[AVSResult | str]]:
        """By kind of audio and strategy, the result of each frame, or why there is none of the video."""
        video = batch.video
        if video is None:
            return {key: [] for key in self._kinds()}
        for audio, strategy in self._kinds():
            try:
                self._answered[audio, strategy] = self._answer_video(strategy, video, audio)
            except Exception as error:
                self._answered[audio, strategy] = failure(strategy, error)
        # Items may be listed in another order than their frames have.
        places = {position: number for number, position in enumerate(video.frames)}
        positions = [batch.positions[name] for name, _ in batch.loaded]
        self.asked.update(positions)
        return {
            key: [answer if isinstance(answer, str) else _frame(answer, places[at]) for at in positions]
            for key, answer in self._answered.items()
        }

    def answer(self, strategy: str, item: str) -> tuple[AVSample, AVSResult]:
        """One frame with its audio, and the strategy's result for it, the same as in its video."""
        position = self.items.index(item)
        positions = next(video for video in self._videos.videos if position in video)
        batch = self._videos.read(positions)
        assert batch.video is not None, "it was read before"
        number = list(batch.video.frames).index(position)
        key = (strategy, positions[0])
        if self._last is None or self._last[0] != key:  # as the best frames are often those of one video
            audio = TOLD if isinstance(self.pipes[strategy].strategy, Oracle) else AUDIO[0]
            self._last = key, self._answer_video(strategy, batch.video, audio)
        sample = next(item_.sample for name, item_ in batch.loaded if name == item)
        return sample, _frame(self._last[1], number, sample)

    def _kinds(self) -> list[tuple[str, str]]:
        """Kind of audio and strategy of all that is answered of a video."""
        oracles = [name for name, pipe in self.pipes.items() if isinstance(pipe.strategy, Oracle)]
        heard = [(audio, name) for audio in self.plan.audio for name in self.pipes if name not in oracles]
        return [*heard, *((TOLD, name) for name in oracles)]

    def _answer_video(self, strategy: str, video: WholeVideo, audio: str) -> VideoResult:
        pipe = self.pipes[strategy]
        if audio == TOLD:
            if video.truth is None:
                raise InputError(f"{strategy}: the data set does not say what sounds when in this video.")
            assert isinstance(pipe.strategy, Oracle)
            clip = pipe.strategy.tell(video.truth.heard, video.truth.duration_s)
        else:
            clip = video.audio[audio]
        frames = list(video.frames.values())
        result = answer_video(pipe, frames, clip, self._smooth, self.plan.batch_size)
        if len(result) != len(frames):
            raise InputError(f"{len(frames)} frames were given and {len(result)} answered.")
        return result


def _frame(result: VideoResult, number: int, sample: AVSample | None = None) -> AVSResult:
    """The result of a frame, with its share of the time that the video took."""
    seconds = {stage: spent / len(result) for stage, spent in result.timings.items()}
    return replace(result.frame(number, image=None if sample is None else sample.image), timings=seconds)
