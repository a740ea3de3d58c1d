"""Rescoring of regions in the joint space of the audio: text-bridged alignment."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.algebra.assignment import assign, transport
from zsavs.algebra.directions import common_part, unit
from zsavs.algebra.log_linear_pooling import log_linear, log_softmax, sure_share
from zsavs.calibration.scorers import AudioScorer, ImageScorer
from zsavs.errors import ContractError, InputError, UnknownName
from zsavs.language.vocabulary import load_vocabulary
from zsavs.media.regions import crop_with_margin, highlight, square_around
from zsavs.protocols import JointEncoder
from zsavs.types import AVSample, Proposals, Query
from zsavs.verification.competing_labels import competing
from zsavs.verification.region_embeddings import RegionEmbeddings
from zsavs.verification.selection import select

__all__ = ["JointVerifier"]

#: Of every softmax over labels here, in standard deviations.
_TEMPERATURE = 0.35

Rows = NDArray[np.floating[Any]]

#: What a region may be compared with, given as, named by and given to.
_CHOICES: dict[str, tuple[str, ...]] = {
    "view": ("highlighted_crop", "crop", "highlight", "both"),
    "alignment": ("bridged", "audio", "text"),
    "decision": ("entropy", "sum", "audio", "region", "none"),
    "assignment": ("greedy", "hungarian", "transport"),
}
#: A region that is given to another source has this much evidence at most.
_GIVEN_AWAY = -0.5


class _Row(NamedTuple):
    """A row's audio and text directions (D,), unit; its scores for C labels; the labels that it does not sound like."""

    audio: NDArray[np.float64]
    text: NDArray[np.float64]
    scores: NDArray[np.float64]
    others: NDArray[np.bool_]


class JointVerifier:
    """The similarity of a region with a row's audio and pseudo text, against other labels, as evidence for the region.

    A region is given to the encoder as by OWOD-BIND (Bhosale et al., arXiv 2309.06728) and TAViS (Luo et al., ICCV
    2025, arXiv 2506.11436): the background blurred, then cropped to the box (``view``). OWOD-BIND takes a softmax over
    the regions of one image, so some region wins whatever is heard. Here a region competes with labels instead:

    1. *Text-bridged alignment.* The similarity of the region with the row's audio, and with its text: the row's phrase
       and TAViS's pseudo text, here all labels weighted by their probabilities for the audio. Each modality is centred
       on its bank, so that the modality gap cancels, and both similarities are standardised, region by region, over
       the labels that the row does *not* sound like. Their mean, less ``min_z``, is the evidence. A silent thing fits
       its own label best, and the audio of an off-screen source fits no region.
    2. *Additive class decision.* A region is one source. Labels are scored by audio and region together, the one with
       the lower entropy weighing more (:mod:`zsavs.algebra.log_linear_pooling`); a row whose label scores below another
       row's loses evidence.
    3. *Assignment.* A region with evidence for several rows is selected for the best of them. ``hungarian`` gives each
       row one region and each region one row, by most evidence in all; ``transport`` gives regions away in shares, as
       many to a row as it has evidence for, with "nothing" as one more row (entropic optimal transport).

    Of names that mean the same only the row's own is a label here (:func:`.competing_labels.competing`).

    Rows with ``meanings`` have these as their text, instead of phrase and pseudo text. Rows without embeddings are
    compared by their text alone.

    Args:
        joint: encoder of audio, images and text in one space.
        vocabulary: labels of sounding things, a shipped name, a path or a list.
        silent: labels of silent things; () for none.
        margin: of the crop, as a share of the box's sides.
        min_z: how much better than other labels a region must fit, in standard deviations.
        view: of a region, "highlighted_crop" as above, "crop" (nothing is blurred), "highlight" (the whole image,
            blurred outside the box), or "both" (the mean of crop and highlight).
        blur: standard deviation of the blur in pixels, above 0; as :func:`zsavs.media.regions.highlight` if left out.
        square: widen the shorter side of the crop to the longer one, where the image allows it, so that an encoder
            that takes the middle square sees all of the region.
        alignment: what regions are compared with: "bridged" (audio and text), "audio" or "text" alone.
        decision: which label scores name a region: "entropy" as above, "sum" (equal weights, as TAViS), "audio" or
            "region" alone, or "none": no row loses evidence.
        assignment: "greedy", "hungarian" or "transport".

    Raises:
        UnknownName: no such view, alignment, decision or assignment.
        InputError: ``blur`` is not above 0.
    """

    def __init__(
        self,
        joint: JointEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        *,
        silent: str | Sequence[str] = "silent",
        margin: float = 0.1,
        min_z: float = 2.5,
        view: Literal["highlighted_crop", "crop", "highlight", "both"] = "highlighted_crop",
        blur: float | None = None,
        square: bool = False,
        alignment: Literal["bridged", "audio", "text"] = "bridged",
        decision: Literal["entropy", "sum", "audio", "region", "none"] = "entropy",
        assignment: Literal["greedy", "hungarian", "transport"] = "greedy",
    ) -> None:
        chosen = {"view": view, "alignment": alignment, "decision": decision, "assignment": assignment}
        for what, name in chosen.items():
            if name not in _CHOICES[what]:
                raise UnknownName(f"{what} of the joint verifier", str(name), _CHOICES[what])
        if blur is not None and not 0 < blur < np.inf:
            raise InputError(f"joint verifier: blur is a standard deviation in pixels, above 0, got {blur}.")
        self.space = joint.space
        self.alternatives = load_vocabulary(
            [*load_vocabulary(vocabulary), *(load_vocabulary(silent) if silent else ())]
        )
        self.audio_scorer, self.image_scorer = AudioScorer(joint, vocabulary), ImageScorer(joint, self.alternatives)
        self.margin, self.min_z = margin, min_z
        self.alignment, self.decision, self.assignment = alignment, decision, assignment
        self.blur, self.square = blur, bool(square)
        self._embed_as = [
            RegionEmbeddings(joint, partial(self._view, one), one, margin, blur, self.square)
            for one in (("crop", "highlight") if view == "both" else (view,))
        ]

    def verify(
        self, samples: Sequence[AVSample], queries: Sequence[Query], proposals: Sequence[Proposals]
    ) -> list[Proposals]:
        """The proposals with evidence, scores and selection; a region is embedded once, whatever rows it answers.

        Raises:
            ContractError: the query's embeddings are of another space.
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
        """For each sample (R,) log evidence of each region for its row of the query.

        Raises:
            ContractError: the query's embeddings are of another space.
        """
        views = [embed(samples, proposals) for embed in self._embed_as]
        return [
            self._assigned(self._evidence(_mean(regions), query, found), found)
            for *regions, query, found in zip(*views, queries, proposals, strict=True)
        ]

    def _view(self, view: str, image: NDArray[np.uint8], box_xyxy: NDArray[np.float32]) -> NDArray[np.uint8]:
        if view == "highlight":
            return highlight(image, box_xyxy, sigma=self.blur)
        shown = highlight(image, box_xyxy, sigma=self.blur) if view == "highlighted_crop" else image
        return crop_with_margin(shown, square_around(box_xyxy) if self.square else box_xyxy, margin=self.margin)

    def _assigned(self, evidence: NDArray[np.float32], found: Proposals) -> NDArray[np.float32]:
        """Evidence (R,), less where a region is given to another row, or a row to another region."""
        if self.assignment == "greedy" or not len(found):
            return evidence
        boxes, region = np.unique(found.boxes_xyxy, axis=0, return_inverse=True)
        table = np.full((len(boxes), found.sources.max() + 1), -np.inf)
        table[region.reshape(-1), found.sources] = evidence
        table = np.where(np.isfinite(table), table, -1e3)
        if self.assignment == "hungarian":
            given = np.zeros(table.shape, np.bool_)
            given[tuple(np.array(assign(-np.maximum(table, 0.0))).T)] = True
        else:
            shares = transport(np.pad(table, [(0, 0), (0, 1)]))
            given = shares[:, :-1] >= shares.max(axis=1, keepdims=True)
        mine = given[region.reshape(-1), found.sources]
        return np.where(mine, evidence, np.minimum(evidence, _GIVEN_AWAY)).astype(np.float32)

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
        evidence = fits - self.min_z
        if self.decision != "none":
            pooled = log_softmax(log_linear(heard, seen, self._share_of_audio(heard, seen)), _TEMPERATURE)
            named = pooled[:, np.arange(len(rows)), names]  # (R, K)
            evidence = evidence - (named.max(axis=1, keepdims=True) - named)
        return np.asarray(evidence[np.arange(len(found)), found.sources], np.float32)

    def _share_of_audio(self, heard: Rows, seen: Rows) -> Any:
        """The weight of the audio in a region's name."""
        fixed = {"sum": 0.5, "audio": 1.0, "region": 0.0}
        return fixed[self.decision] if self.decision in fixed else sure_share(heard, seen, _TEMPERATURE)

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
        both = {"bridged": 0.5 * (row.audio + row.text), "audio": row.audio, "text": row.text}
        fit: NDArray[np.float64] = (centred @ both[self.alignment] - usual) / deviation
        return fit


def _mean(regions: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The mean of several embeddings of R regions, each (R, D), as unit rows."""
    return regions[0] if len(regions) == 1 else unit(np.mean(regions, axis=0)).astype(np.float32)
