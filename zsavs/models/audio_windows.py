"""Audio clips as the windows that a model hears, and its answers by clip again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.media.waveform import stream_windows
from zsavs.models.batching import in_batches
from zsavs.types import AudioClip

if TYPE_CHECKING:
    import torch

__all__ = ["answers_by_clip", "checked_hop", "joined_captions", "mono_windows"]

R = TypeVar("R")


def checked_hop(adapter: object, hop_s: float | None, window_s: float) -> float:
    """Seconds from window to window: ``hop_s``, or a window's length for None.

    Raises:
        InputError: it is not above 0, or longer than a window, so that a part of a clip would not be heard.
    """
    hop_s = window_s if hop_s is None else hop_s
    if not 0 < hop_s <= window_s:
        raise InputError(f"{type(adapter).__name__}: hop_s must be in (0, {window_s:g}] seconds, got {hop_s}.")
    return hop_s


def mono_windows(clip: AudioClip, rate_hz: int, window_s: float, hop_s: float) -> Iterator[NDArray[np.float32]]:
    """Cut a clip into mono windows at a model's rate, one at a time (:func:`zsavs.media.waveform.stream_windows`).

    A clip that is not longer than a window is one window, as long as it is: models fill it up each in its own way.

    Args:
        clip: of any rate, length and channel count.
        rate_hz: the model's.
        window_s: length of a window in seconds.
        hop_s: from window to window, in (0, window_s]; the last one is moved back to end with the clip.

    Yields:
        Waveforms (T,), at least one.
    """
    for _, wave in stream_windows(clip, rate_hz, window_s, hop_s):
        yield wave


def answers_by_clip(
    clips: Iterable[AudioClip],
    features: Callable[[AudioClip], Iterable[torch.Tensor]],
    compute: Callable[[list[torch.Tensor]], Iterable[R]],
    batch_size: int,
) -> list[list[R]]:
    """A model's answer for each window of each clip.

    Windows of all clips share batches, where neighbours have features of one shape; only one clip's windows and one
    batch are in memory.

    Args:
        clips: N audio clips.
        features: from a clip to a tensor for each of its windows, whose first axis has length 1.
        compute: from a batch of such tensors to one answer for each.
        batch_size: the most windows in the model at once.

    Returns:
        For each clip the answers for its windows, in order of time.
    """
    counts: list[int] = []

    def all_features() -> Iterator[torch.Tensor]:
        for clip in clips:
            counts.append(0)
            for tensor in features(clip):
                counts[-1] += 1
                yield tensor

    answers: list[R] = []
    for _, alike in groupby(all_features(), key=lambda tensor: tensor.shape):
        answers += in_batches(compute, alike, batch_size)
    remaining = iter(answers)
    return [[next(remaining) for _ in range(count)] for count in counts]


def joined_captions(captions: Sequence[str]) -> str:
    """The captions of a clip's windows as one, each sentence once."""
    if len(captions) == 1:
        return captions[0]
    sentences = (sentence.strip() for caption in captions for sentence in caption.split(". "))
    once = dict.fromkeys(sentence.rstrip(".") for sentence in sentences if sentence.rstrip("."))
    return ". ".join(once)
