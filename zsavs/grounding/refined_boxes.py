"""A detector's boxes, tightened by their masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.grounding.detector_wrapper import DetectorWrapper
from zsavs.grounding.mask_boxes import mask_boxes
from zsavs.models.detection import Found, as_proposals, keep_best
from zsavs.protocols import Grounder, Segmenter
from zsavs.types import AVSample, Proposals, Query

__all__ = ["RefinedBoxes"]


class RefinedBoxes(DetectorWrapper):
    """The tight box of the mask in each of a detector's boxes, in place of that box.

    For detectors whose boxes are loose: the verifier then gets the thing without its surroundings, and several loose
    boxes of one thing become the same box, of which one stays. A box with an empty mask is dropped. Costs the segmenter
    one more prompt for each box; the image's features are shared with the masks of the result.

    Args:
        grounder: the detector. By name, ``build_pipeline(..., grounder="refined")`` goes around the preset's own, and
            ``grounder="refined:owlv2"`` around the one that is named.
        segmenter: gives the masks.
        nms_iou: of two boxes of one phrase that overlap by more, the better stays, in [0, 1].

    Raises:
        ContractError: the grounder has no ``ground``.
        InputError: ``nms_iou`` is out of range.
    """

    def __init__(self, grounder: Grounder, segmenter: Segmenter, *, nms_iou: float = 0.6) -> None:
        if not 0 <= nms_iou <= 1:
            raise InputError(f"refined: nms_iou lies in [0, 1], got {nms_iou}.")
        super().__init__(grounder, "refined")
        self.segmenter, self.nms_iou = segmenter, nms_iou

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """The detector's regions with the boxes of their masks, best first.

        Raises:
            As the detector and the segmenter.
        """
        found = self.detector.ground(samples, queries)
        logits = self.segmenter.segment(samples, found)
        return [
            self._refined(sample, len(query), proposals, maps > 0)
            for sample, query, proposals, maps in zip(samples, queries, found, logits, strict=True)
        ]

    def _refined(self, sample: AVSample, rows: int, found: Proposals, masks: NDArray[np.bool_]) -> Proposals:
        there = masks.any(axis=(1, 2))
        boxes = mask_boxes(masks[there], sample.size_hw)
        sources, scores = found.sources[there], found.scores[there]
        kept: list[Found] = []
        for row in range(rows):
            mine = sources == row
            best = keep_best(
                boxes[mine], scores[mine], sample.size_hw, nms_iou=self.nms_iou, max_boxes=max(1, int(mine.sum()))
            )
            kept.append(best)
        return as_proposals(kept)
