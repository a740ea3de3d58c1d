"""From verified regions and their mask logits to masks and a score map: the one place where a mask is thresholded.

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

#: The score map's value at an unselected region of score 1 and mask probability 1.
UNSELECTED_CEILING = 0.49

_LEVELS = np.float32(65535)


@dataclass(frozen=True, eq=False)
class Composition:
    """The masks of an image and its score map.

    Args:
        masks: (N, H, W) bool, one for each selected region, surest first.
        boxes_xyxy: (N, 4) their tight boxes.
        rows: (N,) the rows of the proposals that they came from.
        score_map: (H, W) in [0, 1].
    """

    masks: NDArray[np.bool_]
    boxes_xyxy: NDArray[np.float32]
    rows: NDArray[np.int64]
    score_map: NDArray[np.float32]


def compose(logits: NDArray[np.float32], proposals: Proposals, size_hw: tuple[int, int]) -> Composition:
    """The score map of all regions, and the masks of the selected ones, surest first.

    Selected regions enter the score map with their mask probability, the others with
    ``UNSELECTED_CEILING * score * probability``, which is less than 0.5; overlaps take the larger value. A selected
    region that has no pixel above 0.5 leaves no mask.

    Args:
        logits: (R, h, w) float32, one map for each proposal, of any size; above 0 is inside.
        proposals: R verified regions.
        size_hw: height and width of the image as displayed; maps are resized to it one at a time.

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
            ceiling = np.float32(UNSELECTED_CEILING) * proposals.scores[row]
            probability = np.rint(probability * ceiling * _LEVELS) / _LEVELS
        np.maximum(score_map, probability, out=score_map)
    return Composition(
        masks=np.stack(masks) if masks else np.zeros((0, *size_hw), np.bool_),
        boxes_xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        rows=np.array(rows, np.int64),
        score_map=score_map,
    )


def _probability(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sigmoid in steps of 1/65535; a logit of exactly 0 falls on the background side of 0.5."""
    with np.errstate(over="ignore"):
        probability = np.float32(1) / (np.float32(1) + np.exp(-logits, dtype=np.float32))
    # Round half down: 0.5 lies between two levels, and the lower one is the background's.
    # Plus zero, as what rounds up to nothing is -0.0.
    levels = np.ceil(probability * _LEVELS - np.float32(0.5)) + np.float32(0)
    stepped: NDArray[np.float32] = (levels / _LEVELS).astype(np.float32)
    return stepped
