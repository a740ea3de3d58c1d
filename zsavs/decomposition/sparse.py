"""Sources that the embedding of a sound adds up to, told apart by label texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.calibration.scorers import AudioScorer
from zsavs.decomposition.activity import active_times, overlap, unite
from zsavs.decomposition.component import Component, remembered
from zsavs.decomposition.embedded import EmbeddedClip
from zsavs.decomposition.pursuit import Source, pursue
from zsavs.decomposition.windows import cut, loud
from zsavs.errors import ContractError, InputError
from zsavs.language.vocabulary import load_vocabulary
from zsavs.media.arrays import frozen
from zsavs.protocols import AudioTextEncoder
from zsavs.types import AudioClip

__all__ = ["Ears", "SparseText"]


class Ears:
    """An encoder that hears an :class:`EmbeddedClip` as its embedding, and everything else as it always did.

    Args:
        audio_text: the encoder; all its other abilities show through, but for its tokens, of which an embedding has
            none: with those of the sound that it is a part of, every component would be heard as the whole.
    """

    def __init__(self, audio_text: AudioTextEncoder) -> None:
        self._encoder = audio_text
        self.space = audio_text.space

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_encoder", "encode_audio_tokens"):  # while it is copied, there is none
            raise AttributeError(name)
        return getattr(self._encoder, name)

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """(K, D) unit rows, by the encoder."""
        return self._encoder.encode_text(phrases)

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        """(N, D) unit rows, by the encoder where a clip does not bring its own.

        Raises:
            ContractError: a clip brings one of another space.
        """
        given = {place: clip for place, clip in enumerate(clips) if isinstance(clip, EmbeddedClip)}
        for clip in given.values():
            if clip.space != self.space:
                raise ContractError(f"an embedding of the space {clip.space!r} cannot be heard in {self.space!r}.")
        if not given:
            return self._encoder.encode_audio(clips)
        heard = iter(self._encoder.encode_audio([clip for place, clip in enumerate(clips) if place not in given]))
        rows = [given[place].embedding if place in given else next(heard) for place in range(len(clips))]
        return np.stack(rows).astype(np.float32)  # type: ignore[arg-type]  # an EmbeddedClip has one


class SparseText:
    """Explains each window's embedding as a sum of few label texts; each label's part is a component.

    Nothing is cut out of the sound: a component is what is left of a window's embedding without the other labels
    (:mod:`zsavs.decomposition.pursuit`), and its times are the windows in which its label is found. It costs no
    encoding beyond that of the windows, and tells sources apart that begin and end together, as far as the space adds
    sounds as it adds texts. A strategy that hears with a tagger or a captioner cannot hear embeddings.

    Args:
        audio_text: the strategy's own encoder of sound and text.
        vocabulary: labels, a shipped name or a path (:func:`zsavs.language.vocabulary.load_vocabulary`).
        top_k: the most sources in one window.
        min_z: how far above usual, in standard deviations, a source must be heard beside the others.
        max_gap: how far below the loudest source of its window another one may be.
        window_s: length of a window in seconds, above 0; windows overlap by half.
        max_windows: of a longer recording, as many windows are heard, spread evenly over it; at least 1.

    Raises:
        InputError: a setting is out of range.
    """

    def __init__(
        self,
        audio_text: AudioTextEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        *,
        top_k: int = 3,
        min_z: float = 2.5,
        max_gap: float = 2.0,
        window_s: float = 4.0,
        max_windows: int = 16,
    ) -> None:
        if top_k < 1 or not window_s > 0 or max_windows < 1:
            raise InputError(
                f"sparse: top_k and max_windows must be at least 1 and window_s above 0, "
                f"got {top_k}, {max_windows} and {window_s}."
            )
        self.ears = Ears(audio_text)
        self.hear, self.vocabulary = AudioScorer(audio_text), load_vocabulary(vocabulary)
        self.top_k, self.min_z, self.max_gap = top_k, min_z, max_gap
        self.window_s, self.max_windows = window_s, max_windows
        settings = (self.vocabulary, top_k, min_z, max_gap, window_s, max_windows)
        self._known = remembered(audio_text, "sparse", *settings)

    def decompose(self, clips: Sequence[AudioClip]) -> list[list[Component]]:
        """One component for each label that is found in a clip; none where there is only one."""
        return self._known(clips, self._components)

    def _components(self, clips: Sequence[AudioClip]) -> list[list[Component]]:
        cuts = [cut(clip, self.window_s, self.max_windows) for clip in clips]  # 1. windows that are not pauses
        parts = [[windows[place] for place in loud([window for _, window in windows])] for windows in cuts]
        heard = self.hear.embed([window for windows in parts for _, window in windows])  # 2. (W, D)
        ends = np.cumsum([len(windows) for windows in parts], dtype=int)
        return [
            self._together(clip, windows, [self._sources(sound) for sound in heard[end - len(windows) : end]])
            for clip, windows, end in zip(clips, parts, ends, strict=True)
        ]

    def _sources(self, sound: NDArray[np.float32]) -> list[Source]:
        """3. A window's labels, each with its own part of the embedding."""
        return pursue(
            sound,
            self.hear.bank.embeddings,
            self.hear.text(self.vocabulary),
            top_k=self.top_k,
            min_z=self.min_z,
            max_gap=self.max_gap,
            attention=0.0,
        )

    def _together(
        self, clip: AudioClip, windows: Sequence[tuple[float, AudioClip]], found: Sequence[list[Source]]
    ) -> list[Component]:
        """4. Each label once: as it is heard best, with the times of all its windows."""
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
            window.waveform, window.sample_rate_hz, window.source, frozen(source.embedding), self.hear.encoder.space
        )
