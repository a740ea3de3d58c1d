"""Frames of a video, each with the audio around it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.media.audio_clip import excerpt
from zsavs.media.audio_file import load_audio
from zsavs.media.image_file import load_image
from zsavs.types import AudioClip, AVSample, Query

__all__ = ["NO_AUDIO", "FrameWithoutAudio", "answer_where_heard", "frames_with_audio"]

log = logging.getLogger(__name__)

#: The name of a query's note that says why nothing was asked for.
NO_AUDIO = "no_audio"


@dataclass(frozen=True, eq=False, repr=False)
class FrameWithoutAudio(AVSample):
    """A frame that begins after the audio of its video has ended; its audio clip is digital silence.

    Args:
        reason: a line that says so, with numbers.
    """

    reason: str = ""


def answer_where_heard(samples: Sequence[AVSample], ask: Callable[[list[AVSample]], list[Query]]) -> list[Query]:
    """The query of each sample; of frames without audio the empty one, whose note :data:`NO_AUDIO` says why.

    Args:
        samples: any number.
        ask: gives the queries of those that have audio.
    """
    heard = [sample for sample in samples if not isinstance(sample, FrameWithoutAudio)]
    answers = ask(heard)
    if len(heard) == len(samples) or len(answers) != len(heard):
        return answers
    queries = iter(answers)
    return [
        replace(Query.nothing(), notes={NO_AUDIO: sample.reason})
        if isinstance(sample, FrameWithoutAudio)
        else next(queries)
        for sample in samples
    ]


def frames_with_audio(
    frames: Iterable[NDArray[np.uint8] | str | PathLike[str]],
    audio: AudioClip | str | PathLike[str],
    *,
    fps: float = 1.0,
    context_s: float = 1.0,
) -> Iterator[AVSample]:
    """The frames of a video with their audio. Frame t, from 0, is shown in [t / fps, (t + 1) / fps).

    Args:
        frames: images (H, W, 3) uint8, or files; taken one at a time.
        audio: the audio of the whole video, from its start. Of a frame that begins when it has ended the sample is a
            :class:`FrameWithoutAudio`, which every pipeline answers with nothing; that is logged for the first one.
        fps: frames a second. AVSBench has one, each at the end of the second that it stands for.
        context_s: seconds of audio for each frame, the frame's own time in the middle, moved into the audio where it
            would pass an end; ``math.inf`` for all of it. See :func:`zsavs.media.audio_clip.excerpt`.

    Yields:
        Samples, named after their numbers.

    Raises:
        InputError: ``fps`` or ``context_s`` is not above 0.
        AudioError: the audio cannot be read.
        ImageError: a frame is no image.
    """
    try:
        in_range = 0 < fps < math.inf and context_s > 0
    except TypeError:
        in_range = False
    if not in_range:
        raise InputError(f"fps and context_s must be numbers above 0, got {fps!r} and {context_s!r}.")
    if isinstance(frames, str | bytes) or not isinstance(frames, Iterable):
        raise InputError(f"frames: expected images or files one after the other, got {type(frames).__name__}.")
    clip = audio if isinstance(audio, AudioClip) else load_audio(audio)
    return _samples(frames, clip, fps, context_s)


def _samples(frames: Iterable[object], clip: AudioClip, fps: float, context_s: float) -> Iterator[AVSample]:
    ended = False
    for number, frame in enumerate(frames):
        begin = number / fps
        image = frame if isinstance(frame, np.ndarray) else load_image(frame)  # type: ignore[arg-type]
        if begin < clip.duration_s:
            yield AVSample(image, excerpt(clip, begin, 1 / fps, context_s), f"frame {number}")
            continue
        reason = f"the frame begins at {begin:.2f} s, and the audio ends at {clip.duration_s:.2f} s"
        if not ended:
            log.warning(
                "%s: ends at %.2f s; frames from number %d on, at %g a second, have no audio, and nothing is heard.",
                *(clip.source or "the audio", clip.duration_s, number, fps),
            )
            ended = True
        yield FrameWithoutAudio(image, _silence(clip, context_s), f"frame {number}", reason)


def _silence(clip: AudioClip, context_s: float) -> AudioClip:
    """As long as the audio of the other frames, at most ten seconds, at the clip's rate."""
    seconds = min(context_s, clip.duration_s, 10.0)
    return AudioClip(np.zeros((1, max(1, round(seconds * clip.sample_rate_hz))), np.float32), clip.sample_rate_hz)
