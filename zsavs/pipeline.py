"""The pipeline: query, ground, verify, segment, compose."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from zsavs.considered import Considered
from zsavs.errors import ContractError, InputError
from zsavs.media.resize import WORKING_PIXELS, shrink
from zsavs.media.video_file import VideoFrame
from zsavs.models.torch_compile import compile_towers
from zsavs.protocols import Grounder, Segmenter, Strategy, Tracker, Verifier
from zsavs.result import AVSResult
from zsavs.storage.isolation import OnError, answered, handler, read_in_batches
from zsavs.storage.memo import Memo
from zsavs.storage.prefetch import prefetch
from zsavs.storage.progress_bar import Progress, telling
from zsavs.temporal.follow import FPS, follow
from zsavs.temporal.frame_source import source_of_file, source_of_frames
from zsavs.temporal.frames import answer_where_heard, frames_with_audio
from zsavs.temporal.smoothed_queries import SmoothedQueries
from zsavs.temporal.smoothing import Smoother
from zsavs.temporal.video_result import VideoResult
from zsavs.types import AudioClip, AVSample, Proposals, Query, as_sample
from zsavs.version import __version__

__all__ = ["Pipeline"]

#: The method of each stage.
_VERBS = {"strategy": "query", "grounder": "ground", "verifier": "verify", "segmenter": "segment"}

_shrunk: Memo[AVSample] = Memo(max_items=16)


@dataclass(frozen=True, eq=False)
class Pipeline:
    """One strategy and the three stages after it; swap any with :func:`dataclasses.replace`, the rest is shared.

    Args:
        strategy: from audio and image to a query, the phrases of the sources that sound.
        grounder: from phrases to region proposals.
        verifier: from region proposals to those that are the sources, with evidence and scores.
        segmenter: from regions to mask logits.
        meta: what the parts are; goes into every result.
        tracker: follows what is found through the frames of a video; None for every frame by itself.
        trackers: builds another tracker by its name, for :meth:`video`.
        components: all that the stages are made of, so far as they were built from names; says whose code and weights
            a result comes from.

    Raises:
        ContractError: a part does not have the verb of its stage; an object is needed, not its class.
    """

    strategy: Strategy
    grounder: Grounder
    verifier: Verifier
    segmenter: Segmenter
    meta: Mapping[str, Any] = field(default_factory=dict)
    tracker: Tracker | None = None
    trackers: Callable[[str], Tracker | None] | None = field(default=None, repr=False)
    components: tuple[Any, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        for stage, verb in _VERBS.items():
            part = getattr(self, stage)
            if isinstance(part, type) or not callable(getattr(part, verb, None)):
                raise ContractError(f"{stage}: expected an object with {verb}(...), got {part!r}; see zsavs.protocols.")

    def __call__(self, sample: AVSample) -> AVSResult:
        """The result of one sample: a batch of one."""
        return self.batch([sample])[0]

    def map(
        self,
        samples: Iterable[AVSample | tuple[str | PathLike[str], str | PathLike[str]]],
        batch_size: int = 8,
        *,
        load_ahead: bool = False,
        on_error: OnError = "raise",
    ) -> Iterator[AVSResult]:
        """The results of many samples, lazily and in order, holding one batch at a time.

        Args:
            samples: any iterable, also an endless one, of samples, or of pairs of an image file and an audio file,
                which are read when their batch comes.
            batch_size: samples that go through the models together, at least 1.
            load_ahead: take the next batch from ``samples`` in a thread while this one is worked on, and so hold two;
                for files, and for an iterable that reads files as it goes.
            on_error: "raise", or "skip" to leave out what cannot be read or answered, which a warning names by its
                position; or a function that is told the position, from 0, and the error. A result says in
                ``meta["sample"]`` whose it is. An error of the iterable itself is raised: a generator has ended with
                it, so that files which may be broken are best given as pairs.

        Raises:
            ContractError: a batch size that is no whole number from 1.
            InputError: ``samples`` cannot be gone through, or ``on_error`` is none of these.
        """
        check_batches(samples, batch_size)
        failed = handler(on_error)
        batches = read_in_batches(samples, batch_size, as_sample, failed)
        for batch in prefetch(batches) if load_ahead else batches:
            yield from answered(batch, self.batch, failed).values()

    # A text is an iterable of texts to mypy; here it is a file.
    @overload
    def video(  # type: ignore[overload-overlap]
        self,
        frames: str | PathLike[str],
        audio: AudioClip | str | PathLike[str] | None = None,
        *,
        fps: float | None = None,
        smooth: float = 0.0,
        batch_size: int = 8,
        tracker: str | Tracker | None = None,
        start_s: float = 0.0,
        end_s: float = math.inf,
        show: str = "sounding",
        progress: bool | Progress | None = None,
    ) -> VideoResult: ...

    @overload
    def video(
        self,
        frames: Iterable[NDArray[np.uint8] | VideoFrame | str | PathLike[str]],
        audio: AudioClip | str | PathLike[str],
        *,
        fps: float | None = None,
        smooth: float = 0.0,
        batch_size: int = 8,
        tracker: str | Tracker,
        start_s: float = 0.0,
        end_s: float = math.inf,
        show: str = "sounding",
        progress: bool | Progress | None = None,
    ) -> VideoResult: ...

    @overload
    def video(
        self,
        frames: Iterable[NDArray[np.uint8] | str | PathLike[str]],
        audio: AudioClip | str | PathLike[str],
        *,
        fps: float | None = None,
        context_s: float = 1.0,
        smooth: float = 0.0,
        batch_size: int = 8,
    ) -> Iterator[AVSResult]: ...

    def video(
        self,
        frames: str | PathLike[str] | Iterable[NDArray[np.uint8] | VideoFrame | str | PathLike[str]],
        audio: AudioClip | str | PathLike[str] | None = None,
        *,
        fps: float | None = None,
        context_s: float = 1.0,
        smooth: float = 0.0,
        batch_size: int = 8,
        tracker: str | Tracker | None = None,
        start_s: float = 0.0,
        end_s: float = math.inf,
        show: str = "sounding",
        progress: bool | Progress | None = None,
    ) -> VideoResult | Iterator[AVSResult]:
        """The result of a video: what sounds when, followed through its frames (:func:`zsavs.temporal.follow.follow`).

        Frames that are given one by one without a tracker are answered one by one, lazily and in order, each with the
        audio of its own time alone; a frame that begins after the audio has ended has an empty result, and
        ``meta["notes"]`` says why.

        Args:
            frames: a video file, or images (H, W, 3) uint8 or image files in order; with a tracker also
                :class:`~zsavs.media.video_file.VideoFrame`, each with its own time.
            audio: of the video, from its start; the file's own if left out.
            fps: of a file, the frames that are followed in a second, 8 if left out, or all where it has fewer. Of
                frames, how many a second there are, 1 if left out.
            context_s: seconds of audio for each frame that is answered by itself
                (:func:`zsavs.temporal.frames.frames_with_audio`).
            smooth: how much a frame, or a second, counts for the next one, in [0, 1): the evidence of sources is
                smoothed before the query is chosen (:class:`zsavs.temporal.smoothing.Smoother`). 0 is off.
            batch_size: frames that go through the models together, at least 1; the answers do not depend on it.
            tracker: a name ("associate", "sam2_video", "none" for every frame by itself), or an object; the pipeline's
                own if left out.
            start_s, end_s: the part to answer, in seconds.
            show: "sounding" to look for a source while it sounds; "always" to look for it also while nothing does.
            progress: told how many frames are done, and how many there are; True for a progress bar.

        Raises:
            InputError: a setting is out of range; or no audio is given with frames.
            VideoError, AudioError, ImageError: something cannot be read; or the video has no sound.
            MissingExtra: a file is given, and PyAV is not installed.
            MissingWeights: the tracker's checkpoint is not on this machine.
        """
        if isinstance(frames, str | PathLike):
            fps = FPS if fps is None else fps
            source = source_of_file(frames, audio, start_s, end_s)
        elif audio is None:
            raise InputError("video: frames need their audio; give it as the second argument.")
        elif tracker is None:
            smoother = Smoother(smooth)
            rate = 1.0 if fps is None else fps
            samples = frames_with_audio(frames, audio, fps=rate, context_s=context_s)  # type: ignore[arg-type]
            return self._smoothed(samples, smoother, batch_size) if smoother.reach else self.map(samples, batch_size)
        else:
            fps = 1.0 if fps is None else fps
            source = source_of_frames(frames, fps, audio, start_s, end_s)
        check_batches([], batch_size)
        follower = self._tracker(tracker)
        settings: dict[str, Any] = {"smooth": smooth, "show": show, "batch_size": batch_size}
        with telling(progress, "frames") as tell:
            result = follow(source, self.query, self._looked, follower, fps=fps, progress=tell, **settings)
        name = tracker if isinstance(tracker, str) else "none" if follower is None else type(follower).__name__
        meta = {"zsavs": __version__, "sample": source.name, **self.meta, "tracker": name, **result.meta}
        return replace(result, meta=meta)

    def _looked(self, samples: list[AVSample], queries: list[Query]) -> list[AVSResult]:
        return self.batch(samples, lambda _: queries)

    def _tracker(self, asked: str | Tracker | None) -> Tracker | None:
        """The tracker that is asked for."""
        if asked is None:
            return self.tracker
        if not isinstance(asked, str):
            if isinstance(asked, type) or not callable(getattr(asked, "track", None)):
                raise ContractError(f"tracker: expected an object with track(...), got {asked!r}; see zsavs.protocols.")
            return asked
        if self.trackers is None:
            if asked == "none":
                return None
            raise InputError(f"tracker {asked!r}: this pipeline was not built from names; give the tracker itself.")
        return self.trackers(asked)

    def _smoothed(self, frames: Iterator[AVSample], smoother: Smoother, batch_size: int) -> Iterator[AVSResult]:
        check_batches(frames, batch_size)
        smoothed = SmoothedQueries(frames, smoother, self.query, batch_size)
        while batch := smoothed.next_batch():
            yield from self.batch(batch, smoothed.query)

    def compile(self, **options: Any) -> list[str]:
        """Compile the towers of the models with torch.compile: for many samples, on a GPU; off unless called.

        In place: pipelines that share the models share it. See :func:`zsavs.models.torch_compile.compile_towers`.

        Args:
            options: of ``torch.compile``.

        Returns:
            What was compiled, as ``"Sam2Model.vision_encoder"``; empty where no part holds a model of torch.
        """
        return compile_towers(self.strategy, self.grounder, self.verifier, self.segmenter, **options)

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """The strategy's query of each sample; nothing is grounded."""
        return self._ask([_working_size(sample) for sample in samples])

    def _ask(self, samples: Sequence[AVSample]) -> list[Query]:
        """The strategy's queries; a frame without audio, of a video, is not asked about."""
        return answer_where_heard(samples, self.strategy.query)

    def batch(
        self, samples: Sequence[AVSample], ask: Callable[[Sequence[AVSample]], list[Query]] | None = None
    ) -> list[AVSResult]:
        """The results of all samples, which go through the models together; in order.

        Args:
            samples: any number.
            ask: gives their queries in place of the strategy.

        Raises:
            InputError: something that is not an :class:`~zsavs.AVSample`.
            ContractError: a stage breaks its protocol.
        """
        return [considered.result() for considered in self.consider(samples, ask)]

    def consider(
        self, samples: Sequence[AVSample], ask: Callable[[Sequence[AVSample]], list[Query]] | None = None
    ) -> list[Considered]:
        """All that is considered for each sample: its results by any thresholds, without running a model again.

        Args:
            samples, ask: as for :meth:`batch`.

        Returns:
            One for each sample, with the mask logits of all its regions; ``considered.result()`` is what
            :meth:`batch` gives.

        Raises:
            InputError, ContractError: as :meth:`batch`.
        """
        for sample in samples:
            if not isinstance(sample, AVSample):
                raise InputError(
                    f"expected a zsavs.AVSample, got {type(sample).__name__}; use AVSample.from_files(image, audio)."
                )
        work = [_working_size(sample) for sample in samples]
        clock = _Clock(len(samples))
        queries = _within(samples, clock.time("query", (ask or self._ask)(work)))
        proposals = _answering("ground", queries, clock.time("ground", self.grounder.ground(work, queries)))
        verified = _answering("verify", queries, clock.time("verify", self.verifier.verify(work, queries, proposals)))
        logits = clock.time("segment", self.segmenter.segment(work, verified))
        timings = _with_parts(clock.seconds, queries)
        return [
            Considered(sample, query, regions, maps, timings, self.meta)
            for sample, query, regions, maps in zip(samples, queries, verified, logits, strict=True)
        ]


def check_batches(samples: Iterable[Any], batch_size: int) -> None:
    """Check that ``samples`` are many, and ``batch_size`` is a number of them.

    Raises:
        ContractError: a batch size that is no whole number from 1.
        InputError: ``samples`` cannot be gone through, as a single sample cannot.
    """
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise ContractError(f"batch_size must be at least 1, got {batch_size!r}; give a whole number.")
    if not isinstance(samples, Iterable):
        raise InputError(f"expected several zsavs.AVSample, got {type(samples).__name__}; put one into a list.")


class _Clock:
    """Seconds for each stage and sample, and a check that every stage answered for every sample."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.seconds: dict[str, float] = {}
        self.last = time.perf_counter()

    def time(self, stage: str, answers: list[Any]) -> list[Any]:
        now = time.perf_counter()
        self.seconds[stage] = (now - self.last) / max(self.count, 1)
        self.last = now
        if len(answers) != self.count:
            raise ContractError(
                f"{stage}: {len(answers)} answers for {self.count} samples; each verb gives one a sample."
            )
        return answers


def _within(samples: Sequence[AVSample], queries: list[Query]) -> list[Query]:
    """The queries, after a check that their times lie within their audio clips."""
    for sample, query in zip(samples, queries, strict=True):
        ends = [row[-1][1] for row in query.times or () if row]
        if ends and max(ends) > sample.audio.duration_s + 1e-6:
            raise ContractError(
                f"query: a row sounds until {max(ends):g} s in an audio clip of {sample.audio.duration_s:g} s."
            )
    return queries


def _answering(stage: str, queries: list[Query], proposals: list[Proposals]) -> list[Proposals]:
    """The proposals, after a check that each answers a row of its query."""
    for query, found in zip(queries, proposals, strict=True):
        if len(found) and found.sources.max() >= len(query):
            raise ContractError(f"{stage}: a region answers row {found.sources.max()} of a query of {len(query)} rows.")
    return proposals


def _with_parts(seconds: Mapping[str, float], queries: Sequence[Query]) -> dict[str, float]:
    """The stages' times, with what the strategy timed by itself taken out of "query"; shared among the batch too."""
    parts: dict[str, float] = {}
    for query in queries:
        for name, part in query.seconds.items():
            parts[name] = parts.get(name, 0.0) + part / len(queries)
    return {**seconds, "query": max(0.0, seconds["query"] - sum(parts.values())), **parts}


def _working_size(sample: AVSample) -> AVSample:
    """The sample at a size that models make use of; the same object again for the same sample."""
    height, width = sample.size_hw
    if height * width <= WORKING_PIXELS:
        return sample
    return _shrunk([sample], lambda new: [replace(s, image=shrink(s.image, WORKING_PIXELS)) for s in new])[0]
