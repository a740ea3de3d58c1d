"""Sources that sound one after the other, told apart by when they sound: sliding windows, clustered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.calibration import SoundScorer
from zsavs.decomposition.activity import active_times, overlap, unite
from zsavs.decomposition.component import Component, remembered
from zsavs.errors import InputError
from zsavs.media.audio import rms_db
from zsavs.protocols import AudioTextEncoder
from zsavs.types import AudioClip

__all__ = ["SlidingWindows", "average_link", "cut", "loud"]

#: A window that is so far below the loudest one, in dB, or below -60 dB, is a pause.
_RANGE_DB, _SILENCE_DB = 30.0, -60.0


class SlidingWindows:
    """Hears a recording window by window; windows that sound alike are one component.

    Embeddings of windows, less what sounds of any kind have in common, are clustered by their cosine (average link).
    A component's sound is that of its windows, without the rest of the recording, and its times are theirs, where the
    recording is not silent; so they are right to within a window. Sources that always sound together stay together.

    Args:
        audio_text: embeds windows; the strategy's own encoder is best.
        window_s: length of a window in seconds, above 0; windows overlap by half.
        max_windows: of a longer recording, as many windows are heard, spread evenly over it; at least 1.
        min_similarity: clusters are joined while their mean cosine is at least this, in [-1, 1].

    Raises:
        InputError: a setting is out of range.
    """

    def __init__(
        self,
        audio_text: AudioTextEncoder,
        *,
        window_s: float = 1.0,
        max_windows: int = 32,
        min_similarity: float = 0.5,
    ) -> None:
        if not window_s > 0 or max_windows < 1 or not -1 <= min_similarity <= 1:
            raise InputError(
                f"windows: window_s must be above 0, max_windows at least 1 and min_similarity in [-1, 1], "
                f"got {window_s}, {max_windows} and {min_similarity}."
            )
        self.hear = SoundScorer(audio_text)
        self.window_s, self.max_windows, self.min_similarity = window_s, max_windows, min_similarity
        self._known = remembered(audio_text, "windows", window_s, max_windows, min_similarity)

    def take_apart(self, clips: Sequence[AudioClip]) -> list[list[Component]]:
        """The components of each clip; none where all of its windows sound alike. All windows are heard together."""
        return self._known(clips, self._components)

    def _components(self, clips: Sequence[AudioClip]) -> list[list[Component]]:
        parts = [loud(cut(clip, self.window_s, self.max_windows)) for clip in clips]  # 1. windows of each clip
        heard = self.hear.embed([window for windows in parts for _, window in windows])  # 2. (W, D)
        heard = heard - self.hear.bank.embeddings.mean(axis=0)
        ends = np.cumsum([len(windows) for windows in parts], dtype=int)
        return [
            self._grouped(clip, windows, heard[end - len(windows) : end])
            for clip, windows, end in zip(clips, parts, ends, strict=True)
        ]

    def _grouped(
        self, clip: AudioClip, windows: Sequence[tuple[float, AudioClip]], heard: NDArray[np.float32]
    ) -> list[Component]:
        """3. One component for each cluster of windows."""
        groups = average_link(heard, self.min_similarity)
        if len(groups) < 2:
            return []
        components = [_component(clip, [windows[row] for row in rows]) for rows in groups]
        return [component for component in components if component.times]


def cut(clip: AudioClip, window_s: float, max_windows: int) -> list[tuple[float, AudioClip]]:
    """Cut a clip into windows that overlap by half, or into ``max_windows`` that are spread evenly over it.

    Args:
        clip: of any length.
        window_s: seconds of a window, above 0.
        max_windows: at least 1.

    Returns:
        Start in seconds and sound of each window, all channels; the clip itself if it is not longer than one.
    """
    rate = clip.sample_rate_hz
    length = max(1, round(window_s * rate))
    beyond = clip.waveform.shape[1] - length
    if beyond <= 0:
        return [(0.0, clip)]
    count = min(1 + -(-2 * beyond // length), max_windows)
    starts = np.linspace(0, beyond, count).round().astype(int)
    return [(s / rate, AudioClip(clip.waveform[:, s : s + length], rate, clip.source)) for s in starts.tolist()]


def loud(windows: Sequence[tuple[float, AudioClip]]) -> list[tuple[float, AudioClip]]:
    """The windows that are not pauses."""
    levels = [rms_db(window.waveform) for _, window in windows]
    least = max(max(levels) - _RANGE_DB, _SILENCE_DB)
    return [window for window, level in zip(windows, levels, strict=True) if level >= least]


def average_link(rows: NDArray[np.floating[Any]], min_similarity: float) -> list[list[int]]:
    """Cluster by cosine: join the two clusters with the highest mean cosine between them, while it is high enough.

    Args:
        rows: (N, D), of any length.
        min_similarity: the lowest mean cosine of clusters that are joined.

    Returns:
        Row numbers of each cluster, in order, clusters by their first row.
    """
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    cosine = unit.astype(np.float64) @ unit.T
    clusters = [[row] for row in range(len(rows))]
    while len(clusters) > 1:
        mean = np.array([[cosine[np.ix_(a, b)].mean() for b in clusters] for a in clusters])
        mean[np.tril_indices(len(clusters))] = -np.inf
        first, second = np.unravel_index(int(mean.argmax()), mean.shape)
        if mean[first, second] < min_similarity:
            break
        clusters[first] = sorted(clusters[first] + clusters.pop(second))
    return sorted(clusters)


def _component(clip: AudioClip, windows: Sequence[tuple[float, AudioClip]]) -> Component:
    """What some windows of a clip hold: their sound without the rest, and when the clip sounds in them."""
    spans = unite(((start, start + window.duration_s) for start, window in windows), gap_s=0.0)
    rate = clip.sample_rate_hz
    pieces = [clip.waveform[:, round(on * rate) : round(off * rate)] for on, off in spans]
    whole = AudioClip(np.concatenate(pieces, axis=1), rate, clip.source)
    return Component(whole, overlap(active_times(clip), spans))
