"""Embeddings of regions, each computed once for all phrases and pipelines."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs.protocols import ImageTextEncoder
from zsavs.storage.memo import Memo, shared_memo
from zsavs.types import AVSample, Proposals

__all__ = ["RegionEmbeddings"]


class RegionEmbeddings:
    """An encoder's embeddings of regions, with a memo for each image of those of its boxes.

    Args:
        encoder: embeds images; all verifiers with the same encoder and settings share the memo.
        crop: gives the (h, w, 3) image of a box; a box is (4,) float32 x0, y0, x1, y1 in pixels.
        settings: all that the crop depends on beside image and box.
    """

    def __init__(
        self,
        encoder: ImageTextEncoder,
        crop: Callable[[NDArray[np.uint8], NDArray[np.float32]], NDArray[np.uint8]],
        *settings: Hashable,
    ) -> None:
        self.encoder, self.crop = encoder, crop
        self._known: Memo[dict[bytes, NDArray[np.float32]]] = shared_memo(encoder, "regions", *settings)

    def __call__(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
        """Each sample's region embeddings, new ones in one batch: N arrays (R, D), unit rows; (0, 0) for none."""
        of_images = self._known([sample.image for sample in samples], lambda new: [{} for _ in new])
        new = [
            (known, key, self.crop(sample.image, box))
            for known, sample, found in zip(of_images, samples, proposals, strict=True)
            for key, box in {box.tobytes(): box for box in found.boxes_xyxy}.items()
            if key not in known
        ]
        if new:
            embeddings = self.encoder.encode_image([crop for _, _, crop in new])
            for (known, key, _), embedding in zip(new, embeddings, strict=True):
                known[key] = embedding
        return [
            np.stack([known[box.tobytes()] for box in found.boxes_xyxy]) if len(found) else np.zeros((0, 0), np.float32)
            for known, found in zip(of_images, proposals, strict=True)
        ]
