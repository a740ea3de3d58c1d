"""The times at which an audio clip sounds, sets of times, and windows over what is audible."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from zsavs.media.audio_clip import AudioClip
from zsavs.media.mapped import release

__all__ = ["Times", "active_times", "audible_windows", "foreground_times", "overlap", "unite"]

#: On and off in seconds from the start, in order.
Times = tuple[tuple[float, float], ...]

#: Length of the frames whose level is measured.
_FRAME_S = 0.05
#: Frames whose levels are computed at once: ten seconds, of which a long clip has many.
_FRAMES_AT_ONCE = 200
#: So far below its loudest frame, in dB, a clip still sounds; and this is silence, full scale being 0 dB.
_RANGE_DB, _SILENCE_DB = 25.0, -60.0
#: A steady background varies by less, in dB.
_BACKGROUND_DB = 3.0
#: Shorter gaps are part of the sound: between two notes, two barks, two claps.
_GAP_S = 0.3


def active_times(clip: AudioClip) -> Times:
    """The times at which a clip is louder than 25 dB below its loudest twentieth of a second, and than -60 dB.

    Returns:
        On and off in seconds from the start, in order; gaps below 0.3 s are closed. None for silence.
    """
    return _times(clip, _sounding(clip)[0])


def foreground_times(clip: AudioClip) -> Times:
    """The active times without a steady background: a hiss or a hum that is there all along.

    The background is what lies within 3 dB of the level that a tenth of the active time stays below, if it is steady:
    if that is at least a quarter of the active time, and something is louder.
    """
    return _times(clip, _sounding(clip)[1])


def _sounding(clip: AudioClip) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which frames are active, and which of these are foreground; the levels of a clip are measured once for both."""
    level_db = _levels_db(clip)
    active = level_db > max(level_db.max() - _RANGE_DB, _SILENCE_DB)
    if not active.any():
        return active, active
    louder = active & (level_db > np.quantile(level_db[active], 0.1) + _BACKGROUND_DB)
    steady = louder.any() and (active & ~louder).sum() >= active.sum() / 4
    return active, louder if steady else active


def _levels_db(clip: AudioClip) -> NDArray[np.float64]:
    """The level of each twentieth of a second, in dB below full scale."""
    frame = _frame(clip)
    levels = []
    for begin in range(0, clip.waveform.shape[1], _FRAMES_AT_ONCE * frame):
        power = np.square(clip.waveform[:, begin : begin + _FRAMES_AT_ONCE * frame], dtype=np.float64).mean(axis=0)
        starts = np.arange(0, len(power), frame)
        levels.append(np.add.reduceat(power, starts) / np.diff(np.append(starts, len(power))))
        release(clip.waveform)
    return np.asarray(10 * np.log10(np.maximum(np.concatenate(levels), 1e-12)))


def _frame(clip: AudioClip) -> int:
    return max(1, round(_FRAME_S * clip.sample_rate_hz))


def _times(clip: AudioClip, sounding: NDArray[np.bool_]) -> Times:
    """The times of frames."""
    frame, rate, samples = _frame(clip), clip.sample_rate_hz, clip.waveform.shape[1]
    places = np.flatnonzero(sounding) * frame
    return unite((start / rate, min(start + frame, samples) / rate) for start in places.tolist())


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


def audible_windows(clip: AudioClip, window_s: float, hop_s: float) -> list[tuple[float, AudioClip]]:
    """Windows over what is audible in a clip; silence around it takes no part.

    Sounds that lie less than half a window apart are one. One that is not longer than a window is in the middle of its
    window; a longer one is covered by windows a hop apart, the last of which ends with it. A steady background
    (:func:`foreground_times`) has a single window. No window passes an end of the clip.

    Args:
        clip: of any length. One that stands for more than its waveform (a subclass) is its own window.
        window_s: length of a window in seconds, above 0.
        hop_s: from window to window in seconds, in (0, window_s].

    Returns:
        Start in seconds and audio of each window, all channels, in order; at least one. They share the clip's memory.
    """
    rate, samples = clip.sample_rate_hz, clip.waveform.shape[1]
    length, hop = max(1, round(window_s * rate)), max(1, round(hop_s * rate))
    if type(clip) is not AudioClip or samples <= length:
        return [(0.0, clip)]
    active, foreground = (_times(clip, frames) for frames in _sounding(clip))
    starts: list[int] = []
    spans = unite(foreground, gap_s=window_s / 2) or ((0.0, window_s),)
    for on, off in spans:
        first, last = round(on * rate), round(off * rate) - length
        if last <= first:  # in the middle
            first = last = (first + last) // 2
        starts += [*range(first, last, hop), last]
    background = [(off - on, on) for on, off in _without(active, spans) if off - on >= window_s]
    if background:  # one window says what all of it sounds like
        starts.append(round(max(background)[1] * rate))
    places = sorted({min(max(start, 0), samples - length) for start in starts})
    return [(start / rate, clip.part(start, start + length)) for start in places]


def _without(times: Times, others: Times) -> Times:
    """What of some times is in none of the others; both in order."""
    left: list[tuple[float, float]] = []
    for on, off in times:
        for a, b in others:
            if a < off and b > on:
                left += [(on, a)] if a > on else []
                on = max(on, b)
        left += [(on, off)] if on < off else []
    return tuple(left)
