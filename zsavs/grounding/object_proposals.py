"""Class-agnostic region proposals from a phrase detector that is asked for generic phrases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zsavs.errors import InputError
from zsavs.grounding.checks import check_counts, check_shares
from zsavs.grounding.class_agnostic import propose_for_every_phrase
from zsavs.grounding.detector_wrapper import DetectorWrapper
from zsavs.models.detection import MOST, Found, keep_best
from zsavs.protocols import Grounder
from zsavs.storage.memo import Memo, shared_memo
from zsavs.types import AVSample, Proposals, Query

__all__ = ["GENERIC_PHRASES", "DetectorProposals"]

#: Names for anything that can sound. Eight, as Grounding DINO is asked eight phrases in one prompt.
GENERIC_PHRASES = ("object", "thing", "person", "animal", "vehicle", "musical instrument", "machine", "tool")


class DetectorProposals(DetectorWrapper):
    """Class-agnostic regions from a phrase detector that is asked for generic phrases.

    OWOD-BIND takes its regions from a class-agnostic detector; this asks any detector for generic phrases, which get
    low scores, so that its own threshold decides how many regions there are. Non-maximum suppression is over all
    phrases. A box as large as the image is no region and is dropped, as OWOD-BIND does.

    Args:
        grounder: a phrase detector. By name, ``build_pipeline(..., grounder="objects")`` takes the preset's own
            detector, ``grounder="objects:owlv2:google/owlv2-base-patch16-ensemble"`` the one that is named.
        phrases: what the detector is asked for.
        nms_iou: a box goes if a better one overlaps it by more, in [0, 1].
        max_side: a box goes if it is larger than this share of both sides of the image, in [0, 1].
        max_regions: the most regions of an image; a warning says how many more there were.

    Raises:
        ContractError: the grounder has no ``ground``.
        InputError: a setting out of range.
    """

    def __init__(
        self,
        grounder: Grounder,
        *,
        phrases: Sequence[str] = GENERIC_PHRASES,
        nms_iou: float = 0.7,
        max_side: float = 0.98,
        max_regions: int = MOST,
    ) -> None:
        super().__init__(grounder, "objects")
        listed = isinstance(phrases, Sequence) and not isinstance(phrases, str) and len(phrases) > 0
        if not listed or not all(isinstance(phrase, str) and phrase.strip() for phrase in phrases):
            raise InputError(f"objects: phrases are a list of strings, one at least and none empty, got {phrases!r}.")
        check_counts("objects", max_regions=max_regions)
        check_shares("objects", nms_iou=nms_iou, max_side=max_side)
        self.phrases = tuple(phrases)
        self.nms_iou, self.max_side, self.max_regions = nms_iou, max_side, max_regions
        self._regions: Memo[Found] = shared_memo(grounder, "objects", self.phrases, nms_iou, max_side, max_regions)

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """Every region of an image for every row of its query, best first; none where the query is empty.

        Raises:
            As the detector.
        """
        return propose_for_every_phrase(samples, queries, self._regions, self._find, ("objects", self.max_regions))

    def _find(self, samples: list[AVSample]) -> list[Found]:
        """The regions of each image."""
        anything = Query(self.phrases, np.ones(len(self.phrases), np.float32))
        answers = self.detector.ground(samples, [anything] * len(samples))
        return [self._merged(answer, sample.size_hw) for sample, answer in zip(samples, answers, strict=True)]

    def _merged(self, answer: Proposals, size_hw: tuple[int, int]) -> Found:
        shares = (answer.boxes_xyxy[:, 2:] - answer.boxes_xyxy[:, :2]) / np.array(size_hw[::-1], np.float32)
        smaller = (shares <= self.max_side).any(axis=1)
        boxes, scores = answer.boxes_xyxy[smaller], answer.scores[smaller]
        return keep_best(boxes, scores, size_hw, nms_iou=self.nms_iou, max_boxes=self.max_regions)
