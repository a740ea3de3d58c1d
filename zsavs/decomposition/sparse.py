"""Decomposition by label texts: sources at once, as the few labels that an embedding is a sum of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs.calibration.scorers import AudioScorer
from zsavs.decomposition.component import Component, component_memo
from zsavs.decomposition.embedded_clip import EmbeddedClip, EmbeddedClipEncoder
from zsavs.decomposition.pursuit import Source, pursue
from zsavs.decomposition.windows import cut, loud
from zsavs.errors import InputError
from zsavs.language.vocabulary import load_vocabulary
from zsavs.media.activity import active_times, overlap, unite
from zsavs.media.arrays import frozen
from zsavs.protocols import AudioTextEncoder
from zsavs.types import AudioClip

__all__ = ["SparseText"]


class SparseText:
    """Each window's embedding as a sum of few label texts, by a sparse code; each label's part is a component.

    No waveform is separated: a component is what is left of a window's embedding without the other labels
    (:mod:`zsavs.decomposition.pursuit`), and its times are the windows in which its label is found. It costs no
    encoding beyond that of the windows, and distinguishes sources that begin and end together, as far as embeddings of
    audio add up as those of text do. A strategy with a tagger or a captioner cannot be asked about embeddings.

    Args:
        audio_text: the strategy's own encoder of audio and text.
        vocabulary: labels, a shipped name or a path (:func:`zsavs.language.vocabulary.load_vocabulary`).
        top_k: the most sources in one window.
        min_z: the score that a source must exceed beside the others, in standard deviations.
        max_gap: how far below the first source of its window another one may be, in standard deviations.
        window_s: length of a window in seconds, above 0; windows overlap by half.
        max_windows: of a longer clip, as many windows are encoded, spread evenly over it; at least 1.

    Raises:
        InputError: a setting is out of range.
    """

    def __init__(
        self,
        audio_text: AudioTextEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        *,
        top_k: int = 3,
        min_z: float = 3.0,
        max_gap: float = 2.0,
        window_s: float = 4.0,
        max_windows: int = 16,
    ) -> None:
        if top_k < 1 or not window_s > 0 or max_windows < 1:
            raise InputError(
                f"sparse: top_k and max_windows must be at least 1 and window_s above 0, "
                f"got {top_k}, {max_windows} and {window_s}."
            )
        self.component_encoder = EmbeddedClipEncoder(audio_text)
        self.vocabulary = load_vocabulary(vocabulary)
        self.audio_scorer = AudioScorer(audio_text, self.vocabulary)
        self.vocabulary = self.audio_scorer.meanings.distinct(self.vocabulary)
        self.top_k, self.min_z, self.max_gap = top_k, min_z, max_gap
        self.window_s, self.max_windows = window_s, max_windows
        settings = (self.vocabulary, top_k, min_z, max_gap, window_s, max_windows)
        self._known = component_memo(audio_text, "sparse", *settings)

    def decompose(self, clips: Sequence[AudioClip]) -> list[list[Component]]:
        """One component for each label that is found in a clip; none where there is only one."""
        return self._known(clips, self._components)

    def _components(self, clips: Sequence[AudioClip]) -> list[list[Component]]:
        cuts = [cut(clip, self.window_s, self.max_windows) for clip in clips]  # 1. windows that are no pauses
        parts = [[windows[place] for place in loud([window for _, window in windows])] for windows in cuts]
        embeddings = self.audio_scorer.embed([window for windows in parts for _, window in windows])  # 2. (W, D)
        ends = np.cumsum([len(windows) for windows in parts], dtype=int)
        return [
            self._merged(clip, windows, [self._sources(row) for row in embeddings[end - len(windows) : end]])
            for clip, windows, end in zip(clips, parts, ends, strict=True)
        ]

    def _sources(self, embedding: NDArray[np.float32]) -> list[Source]:
        """3. A window's labels, each with its own part of the embedding (D,)."""
        return pursue(
            embedding,
            self.audio_scorer,
            self.vocabulary,
            top_k=self.top_k,
            min_z=self.min_z,
            max_gap=self.max_gap,
            attention=0.0,
        )

    def _merged(
        self, clip: AudioClip, windows: Sequence[tuple[float, AudioClip]], found: Sequence[list[Source]]
    ) -> list[Component]:
        """4. Each label once: of the window in which it scores highest, with the times of all its windows."""
        best: dict[int, tuple[Source, AudioClip]] = {}
        spans: dict[int, list[tuple[float, float]]] = {}
        for (start, window), sources in zip(windows, found, strict=True):
            for source in sources:
                spans.setdefault(source.label, []).append((start, start + window.duration_s))
                if source.label not in best or source.z > best[source.label][0].z:
                    best[source.label] = source, window
        if len(best) < 2:
            return []
        loud_times = active_times(clip)
        components = [
            Component(self._embedded(*best[label]), overlap(loud_times, unite(spans[label], gap_s=0.0)))
            for label in best
        ]
        return [component for component in components if component.times]

    def _embedded(self, source: Source, window: AudioClip) -> EmbeddedClip:
        return EmbeddedClip(
            window.waveform,
            window.sample_rate_hz,
            window.source,
            frozen(source.embedding),
            self.audio_scorer.encoder.space,
        )
