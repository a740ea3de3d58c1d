"""Where the time of an answer goes: stage by stage, inside the models and around them."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from os import PathLike, fspath
from typing import Any

from zsavs.build.availability import first_preset_here
from zsavs.build.pipelines import build_pipeline
from zsavs.errors import AudioError, InputError
from zsavs.media.video_file import is_video, probe_video
from zsavs.models.model_time import told_of_model_calls
from zsavs.pipeline import Pipeline
from zsavs.presets import find_preset
from zsavs.types import AVSample

__all__ = ["Profile", "StageTime", "profile"]

#: The stages of an answer, each named after its verb, with the pipeline's part that has it.
_PARTS = {"query": "strategy", "ground": "grounder", "verify": "verifier", "segment": "segmenter", "track": "tracker"}
#: What an answer takes outside of its stages.
_REST = "rest"


@dataclass
class StageTime:
    """What one stage took.

    Args:
        stage: "read", "query", "ground", "verify", "segment", "track", or "rest" for what lies between them.
        seconds: of the clock, without the stages that it calls.
        models: seconds inside of each model, with copies to its device and back, by the model's name.
        calls: of each model.
    """

    stage: str
    seconds: float = 0.0
    models: dict[str, float] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    @property
    def in_models_s(self) -> float:
        """Seconds inside of models."""
        return sum(self.models.values())

    @property
    def own_s(self) -> float:
        """Seconds around them: preparing inputs, scoring, masks."""
        return max(0.0, self.seconds - self.in_models_s)


@dataclass(frozen=True)
class Profile:
    """Where the time of the same question went, each time it was asked.

    Args:
        strategy, preset: what answered.
        load_s: seconds until the pipeline was there: importing libraries and loading weights.
        answers: the stages of each answer, the first one first. It alone has what is computed once for a vocabulary
            and for a model: embeddings of texts, calibration on a bank.
    """

    strategy: str
    preset: str
    load_s: float
    answers: tuple[tuple[StageTime, ...], ...]

    def seconds(self, answer: int = -1) -> float:
        """What one answer took; the last one if none is named."""
        return sum(stage.seconds for stage in self.answers[answer])

    def in_models(self, answer: int = -1) -> float:
        """The share of an answer that was spent inside of models, in [0, 1]."""
        inside = sum(stage.in_models_s for stage in self.answers[answer])
        return inside / self.seconds(answer) if inside else 0.0

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        answers = [
            [{**asdict(stage), "in_models_s": stage.in_models_s, "own_s": stage.own_s} for stage in stages]
            for stages in self.answers
        ]
        return {"strategy": self.strategy, "preset": self.preset, "load_s": self.load_s, "answers": answers}


def profile(
    image: str | PathLike[str],
    audio: str | PathLike[str] | None = None,
    strategy: str | None = None,
    preset: str | None = None,
    *,
    repeats: int = 1,
    video: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Profile:
    """Answer the same question several times, and measure where the time goes.

    Files are read anew each time, so that nothing of one answer serves the next but what is kept for a model and for a
    vocabulary. A stage that waits for a GPU is charged with the wait.

    Args:
        image: a file; or a video file, whose own audio is heard if no other is given.
        audio: a file.
        strategy, preset: as :func:`zsavs.segment`.
        repeats: how often it is asked again after the first time, 0 or more.
        video: for a video, settings of :meth:`zsavs.Pipeline.video`: fps, start_s, end_s, show, smooth.
        settings: as :func:`zsavs.build_pipeline`.

    Raises:
        InputError: a negative number of repeats, or settings of a video for an image.
        ImageError, AudioError, VideoError, MissingWeights, UnknownName: as :func:`zsavs.segment`.
    """
    if repeats < 0:
        raise InputError(f"profile: repeats must be 0 or more, got {repeats}.")
    moving = is_video(image)
    if moving:
        probe_video(image)
    elif audio is None:
        raise AudioError(f"{fspath(image)}: no video; an image needs an audio file beside it: profile(image, audio).")
    elif video:
        raise InputError(f"{fspath(image)}: no video, and {', '.join(video)} can only be set for one.")
    else:
        AVSample.from_files(image, audio)  # what cannot be read is told before any model is loaded
    preset = preset or first_preset_here(device=settings.get("device", "auto"))
    strategy = strategy or find_preset(preset).strategy
    start = time.perf_counter()
    pipe = build_pipeline(strategy, preset, **settings)
    load_s = time.perf_counter() - start

    def answer(clock: _Clock) -> None:
        if moving:
            clock.watched(pipe).video(image, audio, **(video or {}))
        else:
            with clock.stage("read"):
                sample = AVSample.from_files(image, audio)  # type: ignore[arg-type]
            clock.watched(pipe)(sample)

    return Profile(strategy, preset, load_s, tuple(_timed(answer) for _ in range(repeats + 1)))


def _timed(answer: Callable[[_Clock], None]) -> tuple[StageTime, ...]:
    clock = _Clock()
    with told_of_model_calls(clock.model), clock.stage(_REST):
        answer(clock)
    return tuple(clock.stages[name] for name in ("read", *_PARTS, _REST) if name in clock.stages)


class _Clock:
    """Seconds by stage. A stage that is entered within another one takes its time from that."""

    def __init__(self) -> None:
        self.stages: dict[str, StageTime] = {}
        self._entered: list[str] = []
        self._since = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self._charge()
        self.stages.setdefault(name, StageTime(name))
        self._entered.append(name)
        try:
            yield
        finally:
            self._charge()
            self._entered.pop()

    def model(self, name: str, seconds: float) -> None:
        stage = self.stages[self._entered[-1]]
        stage.models[name] = stage.models.get(name, 0.0) + seconds
        stage.calls[name] = stage.calls.get(name, 0) + 1

    def watched(self, pipe: Pipeline) -> Pipeline:
        """The pipeline with its parts' verbs timed."""
        timed: dict[str, Any] = {
            name: _Watched(part, stage, functools.partial(self.stage, stage))
            for stage, name in _PARTS.items()
            if (part := getattr(pipe, name)) is not None
        }
        return replace(pipe, **timed)

    def _charge(self) -> None:
        now = time.perf_counter()
        if self._entered:
            self.stages[self._entered[-1]].seconds += now - self._since
        self._since = now


class _Watched:
    """A part whose verb is timed; in all else it is the part itself."""

    def __init__(self, part: Any, verb: str, stage: Callable[[], AbstractContextManager[None]]) -> None:
        self._part, self._verb, self._stage = part, verb, stage

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        if name != self._verb:
            return value

        @functools.wraps(value)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self._stage():
                return value(*args, **kwargs)

        return timed
