"""A second look at each region in the space that the sound was heard in."""

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
from zsavs.verification.region_embeddings import RegionEmbeddings
from zsavs.verification.selection import select

__all__ = ["JointVerifier"]

#: Of every softmax over labels here, in standard deviations.
_TEMPERATURE = 0.35

Rows = NDArray[np.floating[Any]]


class _Row(NamedTuple):
    """What a row sounds like and means: two unit directions (D,), its scores for C labels, which of them it is not."""

    sound: NDArray[np.float64]
    meaning: NDArray[np.float64]
    scores: NDArray[np.float64]
    others: NDArray[np.bool_]


class JointVerifier:
    """Compares each region with each row of the query in a joint space, and with everything else that it could be.

    A region is shown as OWOD-BIND (Bhosale et al., arXiv 2309.06728) and TAViS (Luo et al., ICCV 2025, arXiv
    2506.11436) show it: the background blurred, then cropped to the box. OWOD-BIND takes a softmax over the regions of
    one image, so some region wins whatever is heard. Here a region is weighed against labels instead:

    1. *Fit.* How similar is the region to the row's sound, and to what that sound means (the row's phrase, and a
       pseudo text: all labels in the proportions in which they are heard)? Each side is taken less its usual place,
       so that the gap between modalities cancels, and both are standardised, region by region, over the labels that
       the row does *not* sound like: how much better does the region fit the sound than other things? The mean of
       the two, less ``min_z``, is the evidence. A silent thing fits its own label best, an off-screen sound nothing.
    2. *Naming.* A region is one source. Labels are scored from the sound and the region together, the surer side
       counting more (:mod:`zsavs.algebra.log_linear_pooling`); rows whose label loses against another row's lose
       evidence.

    Rows with meanings of their own mean these, instead of the phrase and the pseudo text. Rows without embeddings are
    judged by what they mean alone.

    Args:
        joint: sound, images and text in one space.
        vocabulary: sounding things to choose from, a shipped name, a path or labels.
        silent: silent things to choose from; () for none.
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
        self.audio_scorer, self.image_scorer = AudioScorer(joint), ImageScorer(joint)
        self.space = joint.space
        self.alternatives = load_vocabulary(vocabulary) + (load_vocabulary(silent) if silent else ())
        self.margin, self.min_z = margin, min_z
        self._embed_regions = RegionEmbeddings(joint, self._view, "highlighted crop", margin)

    def verify(
        self, samples: Sequence[AVSample], queries: Sequence[Query], proposals: Sequence[Proposals]
    ) -> list[Proposals]:
        """Fill in evidence, scores and choice; a region is looked at once, whatever rows and pipelines ask.

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
        """(R,) log evidence of each region for the row that it answers."""
        if query.space not in (None, self.space):
            raise ContractError(
                f"the query's embeddings are of the space {query.space!r} and the joint verifier looks in "
                f"{self.space!r}; give both the same joint encoder."
            )
        if not len(found):
            return np.zeros(0, np.float32)
        # A label must not compete with itself in other letters.
        labels = list({label.casefold(): label for label in (*self.alternatives, *query.phrases)}.values())
        names = [[label.casefold() for label in labels].index(phrase.casefold()) for phrase in query.phrases]
        text = self.image_scorer.text(labels).astype(np.float64)
        common = common_part(text)
        directions = unit(text - common)
        said = directions[names] if query.meanings is None else unit(query.meanings - common)
        rows = [self._row(query, row, labels, directions, name, said[row]) for row, name in enumerate(names)]

        bank = self.image_scorer.bank.embeddings.astype(np.float64)
        centred = regions - bank.mean(axis=0)
        similarity = centred @ directions.T  # regions against labels   (R, C)
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
        said: NDArray[np.float64],
    ) -> _Row:
        """Where a row of the query lies: by its embedding, or by what it says (D,) where it has none."""
        if query.embeddings is None:
            similarity = directions @ said
            sound, scores = said, similarity / (similarity.std() + 1e-12)
        else:
            sound = unit(query.embeddings[row] - self.audio_scorer.bank.embeddings.mean(axis=0, dtype=np.float64))
            scores = self.audio_scorer.standardise(query.embeddings[row : row + 1], labels)[0].astype(np.float64)
        log_p = log_softmax(scores, _TEMPERATURE)
        meaning = said if query.meanings is not None else unit(unit(np.exp(log_p) @ directions) + said)
        others = log_p < -np.log(len(labels))  # less than evenly likely
        others[name] = False
        return _Row(sound, meaning, scores, others)

    def _fit(self, centred: Rows, similarity: Rows, row: _Row, spread: float) -> NDArray[np.float64]:
        """(R,) how much better each region fits a row than labels that the row does not sound like."""
        others = similarity[:, row.others]
        usual = others.mean(axis=1) if others.size else 0.0
        deviation = np.sqrt((others.var(axis=1) if others.size else 0.0) + spread + 1e-12)
        fit: NDArray[np.float64] = (0.5 * (centred @ (row.sound + row.meaning)) - usual) / deviation
        return fit
