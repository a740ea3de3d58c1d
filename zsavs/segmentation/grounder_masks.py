"""The masks that a grounder gave with its regions, as a segmenter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ContractError, InputError
from zsavs.media.resize import resize_map
from zsavs.models.mask_logits import share_logits
from zsavs.protocols import Segmenter
from zsavs.types import AVSample, Proposals

if TYPE_CHECKING:
    from zsavs.storage.weights import WeightCard

__all__ = ["FromGrounder"]


class FromGrounder:
    """The grounder's own masks, where it gave any (``Proposals.masks``): nothing is segmented twice.

    The masks are booleans, so that the score map within a region is as good as 1, and beyond it as good as 0.

    Args:
        segmenter: segments the regions of grounders that give boxes alone; None to refuse them. By name,
            ``segmenter="from_grounder"`` has none, and ``segmenter="from_grounder:sam2"`` the one that is named.

    Raises:
        ContractError: the segmenter has no ``segment``.
    """

    def __init__(self, segmenter: Segmenter | None = None) -> None:
        if segmenter is not None and (isinstance(segmenter, type) or not callable(getattr(segmenter, "segment", None))):
            raise ContractError("from_grounder: the segmenter needs segment(...); give an object that has it, or None.")
        self.segmenter = segmenter
        if segmenter is not None and hasattr(
            segmenter, "segment_points"
        ):  # for grounders that are built around a segmenter
            self.segment_points = segmenter.segment_points

    @property
    def card(self) -> WeightCard:
        """The inner segmenter's card.

        Raises:
            AttributeError: it has none, or there is no inner segmenter.
        """
        card: WeightCard = self.segmenter.card  # type: ignore[union-attr]
        return card

    def segment(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
        """For each sample the mask logits of its R regions: (R, H, W) float32, above 0 is inside.

        Raises:
            InputError: regions come without masks, and there is no inner segmenter.
            As the inner segmenter.
        """
        answers = [
            np.zeros((0, *sample.size_hw), np.float32) if found.masks is None else _logits(found.masks, sample.size_hw)
            for sample, found in zip(samples, proposals, strict=True)
        ]
        left = [place for place, found in enumerate(proposals) if found.masks is None and len(found)]
        if left and self.segmenter is None:
            raise InputError(
                "from_grounder: the grounder gave boxes without masks; use a grounder that segments what it finds "
                "(grounder='sam3'), or name a segmenter for the boxes (segmenter='from_grounder:sam2')."
            )
        if left and self.segmenter is not None:
            others = self.segmenter.segment([samples[place] for place in left], [proposals[place] for place in left])
            for place, logits in zip(left, others, strict=True):
                answers[place] = logits
        return answers


def _logits(masks: NDArray[np.bool_], size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """Mask logits (R, H, W) of masks (R, h, w) of any size."""
    logits = np.empty((len(masks), *size_hw), np.float32)
    for out, mask in zip(logits, masks, strict=True):
        out[:] = share_logits(resize_map(mask.astype(np.float32), size_hw))
    return logits
