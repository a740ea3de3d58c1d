"""Text-bridged: text takes a recording apart into its sources, and leads each to its regions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from zsavs.calibration.abstention import check_limits, evidence_to_query
from zsavs.calibration.scorers import AudioScorer
from zsavs.decomposition.activity import unite
from zsavs.decomposition.pursuit import Source, pursue
from zsavs.decomposition.windows import cut
from zsavs.errors import InputError
from zsavs.language.vocabulary import load_vocabulary
from zsavs.protocols import JointEncoder
from zsavs.types import AudioClip, AVSample, Query

__all__ = ["TextBridged"]


class TextBridged:
    """A joint space hears a recording window by window; label texts explain each window as a sum of few sources.

    TAViS (Luo et al., ICCV 2025, arXiv 2506.11436) learns queries that split ImageBind's tokens of a sound into
    sources, a pseudo text for each ("text prototypes"), and masks; its classes are the sum of what sound and region
    say. Without training: the sources are those few labels whose texts add up to the sound (a non-negative pursuit
    in calibrated units, :mod:`zsavs.decomposition`), so that two sources at once are told apart, and labels that
    mean the same are one source. What a source's embedding has besides labels is damped by attention over the
    texts. Regions, assignment and the additive class decision are the verifier's
    (:class:`zsavs.verification.joint.JointVerifier`).

    Args:
        joint: sound, images and text in one space.
        vocabulary: labels, a shipped name or a path (:func:`zsavs.language.vocabulary.load_vocabulary`).
        top_k: the most sources, in one window and in all.
        min_z: how far above usual, in standard deviations, a source must be heard beside the others.
        max_gap: how far below the loudest source, in standard deviations, another one may be.
        window_s: length of a window, in seconds; windows overlap by half.
        max_windows: of a longer recording, as many windows are heard, spread evenly over it.
        attention: how far a source's embedding moves to the label texts that it is like, in [0, 1].

    Raises:
        InputError: a setting out of range.
    """

    #: Regions without a name, judged in the joint space.
    stages: ClassVar[dict[str, str]] = {"grounder": "segments", "verifier": "joint"}

    def __init__(
        self,
        joint: JointEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        *,
        top_k: int = 3,
        min_z: float = 2.5,
        max_gap: float = 2.0,
        window_s: float = 4.0,
        max_windows: int = 16,
        attention: float = 0.5,
    ) -> None:
        if not 0 <= attention <= 1:
            raise InputError(f"text_bridged: attention is a share and lies in [0, 1], got {attention}.")
        if not 0 < window_s < math.inf or max_windows < 1:
            raise InputError(
                f"text_bridged: window_s is a number of seconds above 0 and max_windows at least 1, got {window_s} and "
                f"{max_windows}."
            )
        check_limits("text_bridged", top_k, min_z=min_z, max_gap=max_gap)
        self.hear, self.space = AudioScorer(joint), joint.space
        self.vocabulary = load_vocabulary(vocabulary)
        self.top_k, self.min_z, self.max_gap = top_k, min_z, max_gap
        self.window_s, self.max_windows, self.attention = window_s, max_windows, attention

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """One row for each source that is heard, with its own embedding and its windows' times."""
        parts = [cut(sample.audio, self.window_s, self.max_windows) for sample in samples]  # 1. windows of each sound
        heard = self.hear.embed([part for windows in parts for _, part in windows])  # 2. hear             (W, D)
        sources = [self._sources(sound) for sound in heard]  # 3. each window's sources, by their texts
        ends = np.cumsum([len(windows) for windows in parts], dtype=int)
        return [
            self._together(windows, sources[end - len(windows) : end]) for windows, end in zip(parts, ends, strict=True)
        ]

    def _sources(self, sound: NDArray[np.float32]) -> list[Source]:
        return pursue(
            sound,
            self.hear.bank.embeddings,
            self.hear.text(self.vocabulary),
            top_k=self.top_k,
            min_z=self.min_z,
            max_gap=self.max_gap,
            attention=self.attention,
        )

    def _together(self, windows: Sequence[tuple[float, AudioClip]], found: Sequence[list[Source]]) -> Query:
        """4. The windows' sources under one query: a label once, as it is heard best, at the times of all of them."""
        best = {source.label: source for source in sorted(chain(*found), key=lambda source: source.z)}
        query = evidence_to_query(
            [self.vocabulary[label] for label in best],
            np.array([source.z for source in best.values()], np.float32),
            top_k=self.top_k,
            min_z=self.min_z,
            max_gap=self.max_gap,
        )
        if not len(query):
            return query
        rows = {self.vocabulary[label]: source.embedding for label, source in best.items()}
        spans: dict[str, list[tuple[float, float]]] = {}
        for (start, window), sources in zip(windows, found, strict=True):
            for source in sources:
                spans.setdefault(self.vocabulary[source.label], []).append((start, start + window.duration_s))
        return replace(
            query,
            embeddings=np.stack([rows[phrase] for phrase in query.phrases]),
            space=self.space,
            times=tuple(unite(spans[phrase]) for phrase in query.phrases),
        )
