"""From judged regions and their mask logits to the result: the one place where a mask is thresholded.

Probabilities are kept in steps of 1/65535, which is what a 16-bit image holds: a saved score map is the score map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ContractError
from zsavs.media.regions import tight_box
from zsavs.media.resize import resize_map
from zsavs.types import Proposals

__all__ = ["Composition", "compose"]

#: Where an unselected region of score 1 and mask probability 1 ends up in the score map.
UNSELECTED_CEILING = 0.49

_LEVELS = np.float32(65535)


@dataclass(frozen=True, eq=False)
class Composition:
    """Masks (N, H, W) bool, their tight boxes (N, 4), the proposals' rows they came from (N), the score map (H, W)."""

    masks: NDArray[np.bool_]
    boxes_xyxy: NDArray[np.float32]
    rows: NDArray[np.int64]
    score_map: NDArray[np.float32]


def compose(logits: NDArray[np.float32], proposals: Proposals, size_hw: tuple[int, int]) -> Composition:
    """Compose the score map and the masks of the selected regions, surest first.

    Selected regions enter the score map with their mask probability, the others with
    ``UNSELECTED_CEILING * score * probability``, which is less than 0.5; overlaps take the larger value. A selected
    region that has no pixel above 0.5 leaves no mask.

    Args:
        logits: (R, h, w) float32, one map for each proposal, of any size; above 0 is inside.
        proposals: R judged regions.
        size_hw: height and width of the image as displayed; maps are stretched to it one at a time.

    Raises:
        ContractError: the number of maps is not that of the regions, they are no floats, or one is not finite.
    """
    if logits.ndim != 3 or len(logits) != len(proposals) or not np.issubdtype(logits.dtype, np.floating):
        raise ContractError(
            f"expected ({len(proposals)}, h, w) mask logits, got shape {logits.shape} of {logits.dtype}."
        )
    score_map = np.zeros(size_hw, np.float32)
    masks, boxes, rows = [], [], []
    order = np.argsort(-proposals.scores, kind="stable")
    for row in order:
        if not np.isfinite(logits[row]).all():
            raise ContractError("mask logits must be finite; the segmenter returned NaN or infinity.")
        probability = _probability(resize_map(logits[row], size_hw))
        if proposals.selected[row]:
            mask = probability > np.float32(0.5)
            if mask.any():
                masks.append(mask)
                boxes.append(tight_box(mask))
                rows.append(row)
        else:
            shade = np.float32(UNSELECTED_CEILING) * proposals.scores[row]
            probability = np.rint(probability * shade * _LEVELS) / _LEVELS
        np.maximum(score_map, probability, out=score_map)
    return Composition(
        masks=np.stack(masks) if masks else np.zeros((0, *size_hw), np.bool_),
        boxes_xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        rows=np.array(rows, np.int64),
        score_map=score_map,
    )


def _probability(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sigmoid in steps of 1/65535; exactly 0 logit falls on the background side of 0.5."""
    with np.errstate(over="ignore"):
        probability = np.float32(1) / (np.float32(1) + np.exp(-logits, dtype=np.float32))
    # Round half down: 0.5 lies between two levels, and the lower one is the background's.
    # Plus zero, as what rounds up to nothing is -0.0.
    levels = np.ceil(probability * _LEVELS - np.float32(0.5)) + np.float32(0)
    stepped: NDArray[np.float32] = (levels / _LEVELS).astype(np.float32)
    return stepped
