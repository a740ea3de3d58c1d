"""Decomposition by time: sources one after the other, as clusters of sliding windows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.calibration.scorers import AudioScorer
from zsavs.decomposition.component import Component, component_memo
from zsavs.decomposition.embedded_clip import EmbeddedClip
from zsavs.errors import InputError
from zsavs.media.activity import active_times, overlap, unite
from zsavs.media.waveform import rms_db
from zsavs.protocols import AudioTextEncoder
from zsavs.types import AudioClip

__all__ = ["SlidingWindows", "average_link", "cut", "loud"]

log = logging.getLogger(__name__)

#: A window that is so far below the loudest one, in dB, or below -60 dB, is a pause.
_RANGE_DB, _SILENCE_DB = 30.0, -60.0


class SlidingWindows:
    """Windows of a clip, clustered by the similarity of their embeddings; each cluster is a component.

    Embeddings of windows, less the mean of the bank, are clustered by their cosine (average link). A component's audio
    is the concatenation of those moments that are nearest to the middles of its windows, and those moments are its
    times, where the clip is not silent; so they are right to within a window. Sources that always sound together stay
    one component.

    Args:
        audio_text: embeds windows; the strategy's own encoder is best.
        window_s: length of a window in seconds, above 0; windows overlap by half.
        max_windows: of a longer clip, as many windows are encoded, spread evenly over it; at least 1.
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
        min_similarity: float = 0.6,
    ) -> None:
        if not window_s > 0 or max_windows < 1 or not -1 <= min_similarity <= 1:
            raise InputError(
                f"windows: window_s must be above 0, max_windows at least 1 and min_similarity in [-1, 1], "
                f"got {window_s}, {max_windows} and {min_similarity}."
            )
        self.audio_scorer = AudioScorer(audio_text)
        self.window_s, self.max_windows, self.min_similarity = window_s, max_windows, min_similarity
        self._known = component_memo(audio_text, "windows", window_s, max_windows, min_similarity)

    def decompose(self, clips: Sequence[AudioClip]) -> list[list[Component]]:
        """The components of each clip; none where its windows are one cluster. All windows are encoded in one batch."""
        return self._known(clips, self._components)

    def _components(self, clips: Sequence[AudioClip]) -> list[list[Component]]:
        parts = [cut(clip, self.window_s, self.max_windows) for clip in clips]  # 1. windows of each clip
        for clip, windows in zip(clips, parts, strict=True):
            self._say_what_is_heard(clip, len(windows))
        louds = [loud([window for _, window in windows]) for windows in parts]
        rows = self.audio_scorer.embed(  # 2. those that are not pauses  (W, D)
            [windows[place][1] for windows, places in zip(parts, louds, strict=True) for place in places]
        )
        rows = rows - self.audio_scorer.bank.embeddings.mean(axis=0)
        ends = np.cumsum([len(places) for places in louds], dtype=int)
        return [
            self._grouped(clip, [start for start, _ in windows], places, rows[end - len(places) : end])
            for clip, windows, places, end in zip(clips, parts, louds, ends, strict=True)
        ]

    def _say_what_is_heard(self, clip: AudioClip, count: int) -> None:
        """Log how much of a file is in its windows, where that is not all."""
        heard_s = count * self.window_s
        if clip.source and not isinstance(clip, EmbeddedClip) and heard_s < clip.duration_s:
            log.warning(
                "%s: %.1f s long; the decomposition by windows hears %d of %g s, evenly spaced (max_windows=%d).",
                *(clip.source, clip.duration_s, count, self.window_s, self.max_windows),
            )

    def _grouped(
        self, clip: AudioClip, starts: Sequence[float], places: Sequence[int], rows: NDArray[np.float32]
    ) -> list[Component]:
        """3. One component for each cluster of windows; every moment belongs to the window whose middle is nearest."""
        clusters = average_link(rows, self.min_similarity)
        if len(clusters) < 2:
            return []
        middles = [(a + b + self.window_s) / 2 for a, b in pairwise(starts)]
        edges = [0.0, *middles, clip.duration_s]
        components = [_component(clip, [(edges[places[r]], edges[places[r] + 1]) for r in rows]) for rows in clusters]
        return [component for component in components if component.times]


def cut(clip: AudioClip, window_s: float, max_windows: int) -> list[tuple[float, AudioClip]]:
    """Windows of a clip that overlap by half, or ``max_windows`` that are spread evenly over it.

    Args:
        clip: of any length.
        window_s: seconds of a window, above 0.
        max_windows: at least 1.

    Returns:
        Start in seconds and audio of each window, all channels; the clip itself if it is not longer than one, or is
        known by its embedding: that is of the whole clip, and a window would be encoded as all that sounds in it.
    """
    if isinstance(clip, EmbeddedClip):
        return [(0.0, clip)]
    rate = clip.sample_rate_hz
    length = max(1, round(window_s * rate))
    beyond = clip.waveform.shape[1] - length
    if beyond <= 0:
        return [(0.0, clip)]
    count = min(1 + -(-2 * beyond // length), max_windows)
    starts = np.linspace(0, beyond, count).round().astype(int)
    return [(s / rate, clip.part(s, s + length)) for s in starts.tolist()]


def loud(windows: Sequence[AudioClip]) -> list[int]:
    """Numbers of the windows that are no pauses."""
    levels = [rms_db(window.waveform) for window in windows]
    least = max(max(levels) - _RANGE_DB, _SILENCE_DB)
    return [place for place, level in enumerate(levels) if level >= least]


def average_link(rows: NDArray[np.floating[Any]], min_similarity: float) -> list[list[int]]:
    """Clusters by cosine: the two with the highest mean cosine between them are joined, while it is high enough.

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


def _component(clip: AudioClip, spans: Sequence[tuple[float, float]]) -> Component:
    """The component in some spans of a clip: their audio without the rest, and when the clip sounds in them."""
    times = unite(spans, gap_s=1e-6)
    rate, samples = clip.sample_rate_hz, clip.waveform.shape[1]
    # At least one sample of each, of a clip of very few.
    edges = [(min(round(on * rate), samples - 1), round(off * rate)) for on, off in times]
    parts = [clip.waveform[:, start : max(start + 1, end)] for start, end in edges]
    whole = AudioClip(np.concatenate(parts, axis=1), rate, clip.source)
    return Component(whole, overlap(active_times(clip), times))
