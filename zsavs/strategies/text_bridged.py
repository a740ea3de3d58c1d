"""Text-bridged: audio decomposed into sources by label texts, which bridge to the regions (TAViS)."""

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
    """Query decomposition of each window's audio embedding by label texts; one row for each source.

    TAViS (Luo et al., ICCV 2025, arXiv 2506.11436) learns queries that decompose ImageBind's audio tokens into
    sources, a pseudo text for each of them from text prototypes, and masks; its classes are the sum of audio and region
    logits. Here nothing is learned:

    - *Query decomposition.* The sources are those few labels whose texts add up to the audio embedding (non-negative
      pursuit in calibrated units, :mod:`zsavs.decomposition.pursuit`), so that two sources at once are two rows, and
      labels with the same meaning are one source.
    - *Text prototypes.* Attention over the label texts damps what is in a source's embedding and in no label
      (:func:`zsavs.decomposition.pursuit.attend`).
    - *Text-bridged alignment.* Pseudo text, regions and the additive class decision are the verifier's
      (:class:`zsavs.verification.joint_rescoring.JointVerifier`).

    Args:
        joint: encoder of audio, images and text in one space.
        vocabulary: labels, a shipped name or a path (:func:`zsavs.language.vocabulary.load_vocabulary`).
        top_k: the most sources, in one window and in all.
        min_z: the score that a source must exceed beside the others, in standard deviations above usual.
        max_gap: how far below the first source, in standard deviations, another one may be.
        window_s: length of a window, in seconds; windows overlap by half.
        max_windows: of a longer clip, as many windows are encoded, spread evenly over it.
        attention: how far a source's embedding moves to its text prototype, in [0, 1].

    Raises:
        InputError: a setting out of range.
    """

    #: Class-agnostic regions, rescored in the joint space.
    stages: ClassVar[dict[str, str]] = {"grounder": "segments", "verifier": "joint"}

    def __init__(
        self,
        joint: JointEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        *,
        top_k: int = 3,
        min_z: float = 3.0,
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
        self.vocabulary = load_vocabulary(vocabulary)
        self.audio_scorer, self.space = AudioScorer(joint, self.vocabulary), joint.space
        self.vocabulary = self.audio_scorer.meanings.distinct(self.vocabulary)
        self.top_k, self.min_z, self.max_gap = top_k, min_z, max_gap
        self.window_s, self.max_windows, self.attention = window_s, max_windows, attention

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """One row for each source that is heard, with its own embedding and the times of its windows."""
        parts = [cut(sample.audio, self.window_s, self.max_windows) for sample in samples]  # 1. windows
        embeddings = self.audio_scorer.embed([part for windows in parts for _, part in windows])  # 2. audio CLS (W, D)
        sources = [self._decomposed(embedding) for embedding in embeddings]  # 3. query decomposition
        ends = np.cumsum([len(windows) for windows in parts], dtype=int)
        return [
            self._merged(windows, sources[end - len(windows) : end]) for windows, end in zip(parts, ends, strict=True)
        ]

    def _decomposed(self, embedding: NDArray[np.float32]) -> list[Source]:
        """The sources of one window, by label texts, with attention over the text prototypes."""
        return pursue(
            embedding,
            self.audio_scorer,
            self.vocabulary,
            top_k=self.top_k,
            min_z=self.min_z,
            max_gap=self.max_gap,
            attention=self.attention,
        )

    def _merged(self, windows: Sequence[tuple[float, AudioClip]], found: Sequence[list[Source]]) -> Query:
        """4. One query of all windows: each label once, of the window where it scores highest, with all its times."""
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
