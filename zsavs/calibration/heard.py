"""What is heard in an audio clip over time: its audible windows, embedded, and their evidence pooled label by label.

A model's embedding of a whole clip is a mean over time, in which what is brief drowns. So the windows of what is
audible (:func:`zsavs.media.activity.audible_windows`) are embedded and scored by themselves, and the evidence for a
label is pooled over them: one clear second is enough.

An encoder that embeds every frame (:class:`zsavs.protocols.AudioFrameEncoder`) is asked once for each stretch of what
is audible. Its windows are means of frames, and short; its frames say when.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.algebra.directions import unit
from zsavs.media.activity import Times, active_times, audible_windows, overlap, unite
from zsavs.media.arrays import frozen
from zsavs.protocols import AudioFrameEncoder, AudioTextEncoder
from zsavs.storage.memo import shared_memo
from zsavs.types import AudioClip

__all__ = ["HOP_S", "WINDOW_S", "Frames", "Heard", "by_chance", "listen", "pool", "times_of"]

Scores = NDArray[np.floating[Any]]

#: Length of a window, and seconds from one to the next.
WINDOW_S, HOP_S = 4.0, 1.0
#: The same where windows are means of frames; they overlap as much.
_OF_FRAMES_S, _HOP_OF_FRAMES_S = 1.0, 0.25
#: A stretch of frames is embedded in pieces about as long, so many of them at once, as frames fill memory.
_PIECE_S, _PIECES_AT_ONCE = 60.0, 8
#: A pause of less than this, in seconds, is part of a source's sound.
_PAUSE_S = 1.0
#: How much of what the largest of independent windows gains by chance is taken off.
_BY_CHANCE = 0.25


class Frames(NamedTuple):
    """The audible frames of an audio clip.

    Args:
        embeddings: (F, D) unit rows, in order of time, in half precision: 25 rows a second of an hour fill memory.
        starts_s: (F,) where each frame begins.
        frame_s: length of a frame.
    """

    embeddings: NDArray[np.float16]
    starts_s: NDArray[np.float64]
    frame_s: float


class Heard(NamedTuple):
    """The audible windows of an audio clip.

    Args:
        embeddings: (W, D) unit rows, in order of time, W at least 1.
        starts_s: (W,) where each window begins.
        window_s: length of a window, the clip's if that is shorter.
        active: when the clip is not silent.
        whole: whether the clip is a single window.
        frames: of an encoder that embeds frames.
    """

    embeddings: NDArray[np.float32]
    starts_s: NDArray[np.float64]
    window_s: float
    active: Times
    whole: bool
    frames: Frames | None = None

    def window(self, clip: AudioClip, row: int) -> AudioClip:
        """The audio of a window, all channels."""
        if self.whole:
            return clip
        first, length = (round(seconds * clip.sample_rate_hz) for seconds in (self.starts_s[row], self.window_s))
        return clip.part(first, first + length)


def listen(encoder: AudioTextEncoder, clips: Sequence[AudioClip]) -> list[Heard]:
    """Embed the audible windows of N clips, all in one batch, each once however many ask."""
    known = shared_memo(encoder, "heard", WINDOW_S, HOP_S)
    if not isinstance(encoder, AudioFrameEncoder):
        return known(list(clips), lambda new: _by_windows(encoder, new))

    def compute(new: list[AudioClip]) -> list[Heard]:
        # A clip that stands for more than its waveform (a subclass) has no frames of its own.
        plain = [clip for clip in new if type(clip) is AudioClip]
        others = [clip for clip in new if type(clip) is not AudioClip]
        heard = zip([*plain, *others], [*_by_frames(encoder, plain), *_by_windows(encoder, others)], strict=True)
        by_clip = {id(clip): each for clip, each in heard}
        return [by_clip[id(clip)] for clip in new]

    return known(list(clips), compute)


def _by_windows(encoder: AudioTextEncoder, clips: list[AudioClip]) -> list[Heard]:
    """Each window goes through the encoder."""
    windows = [audible_windows(clip, WINDOW_S, HOP_S) for clip in clips]
    rows = encoder.encode_audio([window for each in windows for _, window in each])
    ends = np.cumsum([len(each) for each in windows], dtype=int)
    return [
        Heard(
            rows[end - len(each) : end],
            np.array([start for start, _ in each]),
            min(WINDOW_S, clip.duration_s),
            active_times(clip),
            len(each) == 1 and each[0][1] is clip,
        )
        for clip, each, end in zip(clips, windows, ends, strict=True)
    ]


def _by_frames(encoder: AudioFrameEncoder, clips: list[AudioClip]) -> list[Heard]:
    """Each stretch of what is audible goes through the encoder, once; a steady background too, for when it sounds."""
    windows = [audible_windows(clip, _OF_FRAMES_S, _HOP_OF_FRAMES_S) for clip in clips]
    active = [active_times(clip) for clip in clips]
    stretches = [
        unite([*times, *((start, start + window.duration_s) for start, window in each)])
        for times, each in zip(active, windows, strict=True)
    ]
    pieces = [[piece for on, off in each for piece in _cut(on, off, encoder.frame_s)] for each in stretches]
    parts = [
        clip.part(round(on * clip.sample_rate_hz), round(off * clip.sample_rate_hz))
        for clip, each in zip(clips, pieces, strict=True)
        for on, off in each
    ]
    rows = (
        some.astype(np.float16)
        for at in range(0, len(parts), _PIECES_AT_ONCE)
        for some in encoder.encode_audio_frames(parts[at : at + _PIECES_AT_ONCE])
    )
    heard = []
    for clip, each, times, spans in zip(clips, windows, active, pieces, strict=True):
        of_spans = [next(rows) for _ in spans]
        begins = [on + encoder.frame_s * np.arange(len(some)) for some, (on, _) in zip(of_spans, spans, strict=True)]
        frames, frames_s = np.concatenate(of_spans), np.concatenate(begins)
        starts_s, window_s = np.array([start for start, _ in each]), min(_OF_FRAMES_S, clip.duration_s)
        # The nearest frames, at least one.
        first = np.searchsorted(frames_s, starts_s - encoder.frame_s / 2)
        last = np.maximum(np.searchsorted(frames_s, starts_s + window_s - encoder.frame_s / 2), first + 1)
        means = [frames[begin:end].mean(axis=0, dtype=np.float32) for begin, end in zip(first, last, strict=True)]
        heard.append(
            Heard(
                np.asarray(unit(np.stack(means)), np.float32),
                starts_s,
                window_s,
                times,
                len(each) == 1 and each[0][1] is clip,
                Frames(frozen(frames), frames_s, encoder.frame_s),
            )
        )
    return heard


def _cut(on_s: float, off_s: float, frame_s: float) -> list[tuple[float, float]]:
    """A stretch in pieces of whole frames, all but the last equally long, so that none is too short to be heard."""
    count = max(1, round((off_s - on_s) / _PIECE_S))
    step = math.ceil((off_s - on_s) / count / frame_s) * frame_s
    starts = [on_s + number * step for number in range(count)]
    return list(zip(starts, [*starts[1:], off_s], strict=True))


def pool(z: Scores) -> NDArray[np.float32]:
    """The evidence for each label in a clip: (W, K) scores of its windows give (K,).

    The largest of the windows, less what it gains :func:`by_chance`.
    """
    return np.asarray(z.max(axis=0) - by_chance(len(z)), np.float32)


def by_chance(count: int) -> float:
    """What the largest score of so many windows gains by chance, in deviations.

    The largest of n independent ones exceeds the mean by sqrt(2 ln n) at most. A quarter of that is taken off, as the
    windows of one recording resemble one another (``docs/calibration.md`` says what was tried).
    """
    return _BY_CHANCE * math.sqrt(2 * math.log(1 + (count - 1) * HOP_S / WINDOW_S))


def times_of(z: Scores, starts_s: NDArray[np.float64], window_s: float, active: Times) -> Times:
    """When a label is heard: (W,) scores of the windows give on and off in seconds.

    A window's score counts for its middle, and lines join the middles. A source is on where the score is above half of
    its largest, in every stretch where it reaches three quarters of that; a source that fills half of a window is then
    on from where it begins. Where no window is near, it lasts to the window's ends. Only audible time counts, and
    pauses below a second are part of the sound. Edges are right to within half a second where windows follow one
    another, and to a twentieth of one beside silence.

    Args:
        z: the label's scores, W at least 1.
        starts_s: (W,) where each window begins.
        window_s: length of a window.
        active: when the clip is not silent.
    """
    half, most = 0.5 * float(z.max()), 0.75 * float(z.max())
    middles = starts_s + window_s / 2
    spans: list[tuple[float, float]] = []
    follows = np.append(np.diff(middles) <= 1.5 * HOP_S, False)
    begin: float | None = None
    reached = False
    for row, middle in enumerate(middles):
        on = z[row] >= half
        if on and begin is None:
            before = row > 0 and follows[row - 1]
            begin = _crossing(middles, z, row - 1, half) if before else middle - window_s / 2
            reached = False
        reached = reached or bool(on and z[row] >= most)
        if on and not (follows[row] and z[row + 1] >= half):
            end = _crossing(middles, z, row, half) if follows[row] else middle + window_s / 2
            if reached and begin is not None:
                spans.append((begin, end))
            begin = None
    return unite(overlap(unite(spans), active), gap_s=_PAUSE_S) or unite(spans)


def _crossing(middles: NDArray[np.float64], z: Scores, row: int, level: float) -> float:
    """Where the line from one window's middle to the next one's crosses a level."""
    share = (level - float(z[row])) / (float(z[row + 1]) - float(z[row]))
    return float(middles[row] + share * (middles[row + 1] - middles[row]))
