"""Regions as an encoder sees them: each is embedded once, whatever the phrases and pipelines that ask about it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs.protocols import ImageTextEncoder
from zsavs.storage.memo import Memo, shared_memo
from zsavs.types import AVSample, Proposals

__all__ = ["RegionEmbeddings"]


class RegionEmbeddings:
    """Shows regions to an encoder and remembers, for each image, what it answered for each box.

    Args:
        encoder: embeds images; all who look with it in the same way share what is remembered.
        view: cuts the (h, w, 3) view of a box out of an image; a box is (4,) float32 x0, y0, x1, y1 in pixels.
        settings: all that a view depends on beside image and box.
    """

    def __init__(
        self,
        encoder: ImageTextEncoder,
        view: Callable[[NDArray[np.uint8], NDArray[np.float32]], NDArray[np.uint8]],
        *settings: Hashable,
    ) -> None:
        self.encoder, self.view = encoder, view
        self._known: Memo[dict[bytes, NDArray[np.float32]]] = shared_memo(encoder, "regions", *settings)

    def __call__(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
        """Embed the regions of each sample, all that are new together: N arrays (R, D), unit rows; (0, 0) for none."""
        looks = self._known([sample.image for sample in samples], lambda new: [{} for _ in new])
        new = [
            (known, key, self.view(sample.image, box))
            for known, sample, found in zip(looks, samples, proposals, strict=True)
            for key, box in {box.tobytes(): box for box in found.boxes_xyxy}.items()
            if key not in known
        ]
        if new:
            embeddings = self.encoder.encode_image([view for _, _, view in new])
            for (known, key, _), embedding in zip(new, embeddings, strict=True):
                known[key] = embedding
        return [
            np.stack([known[box.tobytes()] for box in found.boxes_xyxy]) if len(found) else np.zeros((0, 0), np.float32)
            for known, found in zip(looks, proposals, strict=True)
        ]
