"""The times at which an audio clip sounds, and sets of times."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from zsavs.types import AudioClip, Times

__all__ = ["active_times", "overlap", "unite"]

#: Length of the frames whose level is measured.
_FRAME_S = 0.05
#: So far below its loudest frame, in dB, a clip still sounds; and this is silence, full scale being 0 dB.
_RANGE_DB, _SILENCE_DB = 25.0, -60.0
#: Shorter gaps are part of the sound: between two notes, two barks, two claps.
_GAP_S = 0.3


def active_times(clip: AudioClip) -> Times:
    """The times at which a clip is louder than 25 dB below its loudest twentieth of a second, and than -60 dB.

    Returns:
        On and off in seconds from the start, in order; gaps below 0.3 s are closed. None for silence.
    """
    samples = clip.waveform.shape[1]
    frame = max(1, round(_FRAME_S * clip.sample_rate_hz))
    starts = np.arange(0, samples, frame)
    power = np.square(clip.waveform, dtype=np.float64).mean(axis=0)
    level = np.add.reduceat(power, starts) / np.diff(np.append(starts, samples))
    least = max(level.max() * 10 ** (-_RANGE_DB / 10), 10 ** (_SILENCE_DB / 10))
    loud = np.flatnonzero(level > least)
    ends = np.minimum((loud + 1) * frame, samples)
    return unite((s / clip.sample_rate_hz, e / clip.sample_rate_hz) for s, e in zip(starts[loud], ends, strict=True))


def unite(times: Iterable[tuple[float, float]], gap_s: float = _GAP_S) -> Times:
    """The union of intervals in any order; those that lie less than ``gap_s`` seconds apart are joined."""
    joined: list[tuple[float, float]] = []
    for on, off in sorted((float(on), float(off)) for on, off in times):
        if joined and on - joined[-1][1] < gap_s:
            joined[-1] = (joined[-1][0], max(joined[-1][1], off))
        else:
            joined.append((on, off))
    return tuple(joined)


def overlap(one: Times, other: Times) -> Times:
    """The intersection of two sets of times."""
    shared = [(max(a, c), min(b, d)) for a, b in one for c, d in other]
    return tuple(sorted((on, off) for on, off in shared if on < off))
