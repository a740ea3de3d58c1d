"""Rescoring of regions in the joint space of the audio: text-bridged alignment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.algebra.directions import common_part, unit
from zsavs.algebra.log_linear_pooling import log_linear, log_softmax, sure_share
from zsavs.calibration.scorers import AudioScorer, ImageScorer
from zsavs.errors import ContractError
from zsavs.language.vocabulary import load_vocabulary
from zsavs.media.regions import crop_with_margin, highlight
from zsavs.protocols import JointEncoder
from zsavs.types import AVSample, Proposals, Query
from zsavs.verification.competing_labels import competing
from zsavs.verification.region_embeddings import RegionEmbeddings
from zsavs.verification.selection import select

__all__ = ["JointVerifier"]

#: Of every softmax over labels here, in standard deviations.
_TEMPERATURE = 0.35

Rows = NDArray[np.floating[Any]]


class _Row(NamedTuple):
    """A row's audio and text directions (D,), unit; its scores for C labels; the labels that it does not sound like."""

    audio: NDArray[np.float64]
    text: NDArray[np.float64]
    scores: NDArray[np.float64]
    others: NDArray[np.bool_]


class JointVerifier:
    """The similarity of a region with a row's audio and pseudo text, against other labels, as evidence for the region.

    A region is given to the encoder as by OWOD-BIND (Bhosale et al., arXiv 2309.06728) and TAViS (Luo et al., ICCV
    2025, arXiv 2506.11436): the background blurred, then cropped to the box. OWOD-BIND takes a softmax over the regions
    of one image, so some region wins whatever is heard. Here a region competes with labels instead:

    1. *Text-bridged alignment.* The similarity of the region with the row's audio, and with its text: the row's phrase
       and TAViS's pseudo text, here all labels weighted by their probabilities for the audio. Each modality is centred
       on its bank, so that the modality gap cancels, and both similarities are standardised, region by region, over
       the labels that the row does *not* sound like. Their mean, less ``min_z``, is the evidence. A silent thing fits
       its own label best, and the audio of an off-screen source fits no region.
    2. *Additive class decision.* A region is one source. Labels are scored by audio and region together, the one with
       the lower entropy weighing more (:mod:`zsavs.algebra.log_linear_pooling`); a row whose label scores below another
       row's loses evidence.

    Of names that mean the same only the row's own is a label here (:func:`.competing_labels.competing`).

    Rows with ``meanings`` have these as their text, instead of phrase and pseudo text. Rows without embeddings are
    compared by their text alone.

    Args:
        joint: encoder of audio, images and text in one space.
        vocabulary: labels of sounding things, a shipped name, a path or a list.
        silent: labels of silent things; () for none.
        margin: of the crop, as a share of the box's sides.
        min_z: how much better than other labels a region must fit, in standard deviations.
    """

    def __init__(
        self,
        joint: JointEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        *,
        silent: str | Sequence[str] = "silent",
        margin: float = 0.1,
        min_z: float = 2.5,
    ) -> None:
        self.space = joint.space
        self.alternatives = load_vocabulary(
            [*load_vocabulary(vocabulary), *(load_vocabulary(silent) if silent else ())]
        )
        self.audio_scorer, self.image_scorer = AudioScorer(joint, vocabulary), ImageScorer(joint, self.alternatives)
        self.margin, self.min_z = margin, min_z
        self._embed_regions = RegionEmbeddings(joint, self._view, "highlighted crop", margin)

    def verify(
        self, samples: Sequence[AVSample], queries: Sequence[Query], proposals: Sequence[Proposals]
    ) -> list[Proposals]:
        """The proposals with evidence, scores and selection; a region is embedded once, whatever rows it answers.

        Raises:
            ContractError: the query's embeddings are of another space.
        """
        return [
            select(query, found, self._evidence(regions, query, found), sample.size_hw)
            for regions, sample, query, found in zip(
                self._embed_regions(samples, proposals), samples, queries, proposals, strict=True
            )
        ]

    def _view(self, image: NDArray[np.uint8], box_xyxy: NDArray[np.float32]) -> NDArray[np.uint8]:
        return crop_with_margin(highlight(image, box_xyxy), box_xyxy, margin=self.margin)

    def _evidence(self, regions: NDArray[np.float32], query: Query, found: Proposals) -> NDArray[np.float32]:
        """(R,) log evidence of each region for its row of the query."""
        if query.space not in (None, self.space):
            raise ContractError(
                f"the query's embeddings are of the space {query.space!r} and the joint verifier's of "
                f"{self.space!r}; give both the same joint encoder."
            )
        if not len(found):
            return np.zeros(0, np.float32)
        labels, names = competing(self.alternatives, query.phrases, self.image_scorer.meanings)
        text = self.image_scorer.text(labels).astype(np.float64)
        common = common_part(text)
        directions = unit(text - common)
        own = directions[names] if query.meanings is None else unit(query.meanings - common)
        rows = [self._row(query, row, labels, directions, name, own[row]) for row, name in enumerate(names)]

        bank = self.image_scorer.bank.embeddings.astype(np.float64)
        centred = regions - bank.mean(axis=0)
        similarity = centred @ directions.T  # regions with labels   (R, C)
        spread = bank.var(axis=0).mean()
        fits = np.stack([self._fit(centred, similarity, row, spread) for row in rows], axis=1)  # (R, K)

        seen = self.image_scorer.standardise(regions, labels)[:, None]  # (R, 1, C)
        heard = np.stack([row.scores for row in rows])[None]  # (1, K, C)
        pooled = log_softmax(log_linear(heard, seen, sure_share(heard, seen, _TEMPERATURE)), _TEMPERATURE)
        named = pooled[:, np.arange(len(rows)), names]  # (R, K)

        evidence = fits - self.min_z - (named.max(axis=1, keepdims=True) - named)
        return np.asarray(evidence[np.arange(len(found)), found.sources], np.float32)

    def _row(
        self,
        query: Query,
        row: int,
        labels: Sequence[str],
        directions: NDArray[np.float64],
        name: int,
        own: NDArray[np.float64],
    ) -> _Row:
        """A row of the query: by its embedding and its own text (D,), or by its text where it has no embedding."""
        if query.embeddings is None:
            similarity = directions @ own
            audio, scores = own, similarity / (similarity.std() + 1e-12)
        else:
            audio = unit(query.embeddings[row] - self.audio_scorer.bank.embeddings.mean(axis=0, dtype=np.float64))
            scores = self.audio_scorer.standardise(query.embeddings[row : row + 1], labels)[0].astype(np.float64)
        log_p = log_softmax(scores, _TEMPERATURE)
        pseudo_text = unit(np.exp(log_p) @ directions)
        text = own if query.meanings is not None else unit(pseudo_text + own)
        others = log_p < -np.log(len(labels))  # less than evenly likely
        others[name] = False
        return _Row(audio, text, scores, others)

    def _fit(self, centred: Rows, similarity: Rows, row: _Row, spread: float) -> NDArray[np.float64]:
        """(R,) similarity of regions with a row, standardised over labels that the row does not sound like."""
        others = similarity[:, row.others]
        usual = others.mean(axis=1) if others.size else 0.0
        deviation = np.sqrt((others.var(axis=1) if others.size else 0.0) + spread + 1e-12)
        fit: NDArray[np.float64] = (0.5 * (centred @ (row.audio + row.text)) - usual) / deviation
        return fit
