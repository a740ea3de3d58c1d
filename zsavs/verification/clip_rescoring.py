"""Rescoring of regions by CLIP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zsavs.algebra.log_linear_pooling import log_softmax
from zsavs.calibration.scorers import ImageScorer
from zsavs.errors import UnknownName
from zsavs.language.vocabulary import load_vocabulary
from zsavs.media.regions import crop_with_margin, highlight
from zsavs.protocols import ImageTextEncoder
from zsavs.types import AVSample, Proposals, Query
from zsavs.verification.competing_labels import competing
from zsavs.verification.region_embeddings import RegionEmbeddings
from zsavs.verification.selection import select

__all__ = ["ClipVerifier"]

_VIEWS = ("crop", "highlight")


class ClipVerifier:
    """CLIP's probability of a region's phrase among many other labels, as evidence for the region.

    The other labels make the evidence absolute: a detector that is asked for a dog finds the most doglike region even
    where there is no dog, and "dog" as the only label always has probability 1. With K labels in all (vocabulary,
    silent labels and the query's own phrases, one for each meaning: :func:`.competing_labels.competing`) and p the
    softmax over cosines at the temperature that CLIP was trained with, the evidence of a region for its phrase is
    ``log(p sqrt(K))``: 0 lies midway, in log probability, between chance (p = 1/K) and certainty (p = 1).

    Args:
        image_text: encoder of images and text in one space.
        vocabulary: labels of sounding things, a shipped name, a path or a list.
        silent: labels of silent things; () for none.
        view: the image that CLIP is given for a region: "crop" (with a margin), or "highlight" (the whole image,
            blurred outside the box, which keeps the context; OWOD-BIND and TAViS do so).
        margin: of the crop, as a share of the box's sides.
        temperature: of the softmax over cosines, above 0; the encoder's own if left out, or one deviation of its bank.

    Raises:
        UnknownName: no such view.
    """

    def __init__(
        self,
        image_text: ImageTextEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        *,
        silent: str | Sequence[str] = "silent",
        view: Literal["crop", "highlight"] = "crop",
        margin: float = 0.1,
        temperature: float | None = None,
    ) -> None:
        if view not in _VIEWS:
            raise UnknownName("view of a region", str(view), _VIEWS)
        self.alternatives = load_vocabulary(
            [*load_vocabulary(vocabulary), *(load_vocabulary(silent) if silent else ())]
        )
        self.image_scorer = ImageScorer(image_text, self.alternatives)
        self.view, self.margin, self.temperature = view, margin, temperature
        self._embed_regions = RegionEmbeddings(image_text, self._view, view, margin)

    def verify(
        self, samples: Sequence[AVSample], queries: Sequence[Query], proposals: Sequence[Proposals]
    ) -> list[Proposals]:
        """The proposals with evidence, scores and selection; all regions of the batch are embedded together.

        A region that several phrases share is embedded once, also where several pipelines verify it.
        """
        return [
            select(query, found, evidence, sample.size_hw)
            for evidence, sample, query, found in zip(
                self.evidence(samples, queries, proposals), samples, queries, proposals, strict=True
            )
        ]

    def evidence(
        self, samples: Sequence[AVSample], queries: Sequence[Query], proposals: Sequence[Proposals]
    ) -> list[NDArray[np.float32]]:
        """For each sample (R,) log evidence of each region for its phrase."""
        return [
            self._evidence(regions, query, found)
            for regions, query, found in zip(self._embed_regions(samples, proposals), queries, proposals, strict=True)
        ]

    def _view(self, image: NDArray[np.uint8], box_xyxy: NDArray[np.float32]) -> NDArray[np.uint8]:
        if self.view == "crop":
            return crop_with_margin(image, box_xyxy, margin=self.margin)
        return highlight(image, box_xyxy)

    def _evidence(self, embeddings: NDArray[np.float32], query: Query, found: Proposals) -> NDArray[np.float32]:
        """(R,) log evidence of each region for its phrase."""
        if not len(found):
            return np.zeros(0, np.float32)
        labels, places = competing(self.alternatives, query.phrases, self.image_scorer.meanings)
        similarity = embeddings @ self.image_scorer.text(labels).T
        log_p = log_softmax(similarity, self.temperature or self.image_scorer.temperature)
        own = log_p[np.arange(len(found)), places[found.sources]]
        return np.asarray(own + 0.5 * np.log(len(labels)), np.float32)
