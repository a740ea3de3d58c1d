"""Example samples and region proposals, and the copies of them that the checks make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zsavs.testing import toy
from zsavs.types import AudioClip, AVSample, Proposals

__all__ = ["example_proposals", "example_samples", "fresh", "mono_and_dual"]


def example_samples() -> list[AVSample]:
    """Toy scenes of two sizes: the same image with several sounds, several images with the same sound."""
    small, wide = (60, 80), (50, 120)
    return [
        toy.scene(("red", "blue"), ("red",), size_hw=small)[0],
        toy.scene(("red", "blue"), ("blue",), size_hw=small)[0],
        toy.scene(("red", "blue"), ("green",), size_hw=small)[0],
        toy.scene(("green", "yellow", "purple"), ("green", "purple"), size_hw=wide, seed=1)[0],
        toy.scene(("blue",), ("blue",), size_hw=wide, seed=2)[0],
    ]


def example_proposals(samples: Sequence[AVSample]) -> list[Proposals]:
    """Two boxes for each sample but the second one, which has none: counts differ within the batch."""
    shares = np.array([[0.05, 0.1, 0.45, 0.9], [0.5, 0.2, 0.95, 0.8]], np.float32)
    found = []
    for number, sample in enumerate(samples):
        height, width = sample.size_hw
        boxes = shares * np.array([width, height, width, height], np.float32)
        found.append(
            Proposals.nothing() if number == 1 else Proposals(boxes, np.array([0.8, 0.6], np.float32), np.array([0, 1]))
        )
    return found


def mono_and_dual(clip: AudioClip) -> tuple[AudioClip, AudioClip]:
    """A clip's one channel, and the same channel twice."""
    mono = AudioClip(clip.mono()[None], clip.sample_rate_hz)
    return mono, AudioClip(np.repeat(mono.waveform, 2, axis=0), clip.sample_rate_hz)


def fresh(item: Any) -> Any:
    """A copy that no memo knows, so that a single call is computed and not remembered."""
    if isinstance(item, str):
        return item
    if isinstance(item, np.ndarray):
        return item.copy()
    if isinstance(item, AudioClip):
        return AudioClip(item.waveform.copy(), item.sample_rate_hz)
    return AVSample(item.image.copy(), fresh(item.audio), item.name)
