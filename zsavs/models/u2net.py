"""U2-Net: the salient object of an image (Qin et al., "U2-Net: Going Deeper with Nested U-Structure for Salient Object
Detection", Pattern Recognition 2020), by onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsavs.media.regions import touched_pixels
from zsavs.media.resize import resize_map
from zsavs.models.file_adapter import FileAdapter
from zsavs.models.file_runtimes import Network, onnx_network
from zsavs.models.inputs import check_shares
from zsavs.models.mask_logits import box_logits
from zsavs.models.outputs import check_finite
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard
from zsavs.types import AVSample, Proposals

__all__ = ["CARDS", "DEFAULT", "U2NetSegmenter"]

DEFAULT = "u2netp.onnx"

CARDS: dict[str, WeightCard] = {
    DEFAULT: WeightCard(
        f"https://github.com/danielgatis/rembg/releases/download/v0.0.0/{DEFAULT}",
        "Apache-2.0",
        4.57,
        "DUTS-TR: images with masks of their salient objects",
        revision="v0.0.0",
        verified="licence file of xuebinqin/U-2-Net",
        sha256="309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
    )
}

_SIDE = 320
_MEAN, _DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
#: The most images whose masks are kept for the next strategy.
_KEPT_IMAGES = 16


class U2NetSegmenter(FileAdapter):
    """The salient object within each box (:class:`zsavs.protocols.Segmenter`).

    The network sees the box with a margin, so that what it finds salient is the object of the box; the mask ends at the
    box.

    Args:
        network: (1, 3, 320, 320) float32, normalised as ImageNet, to (1, 1, 320, 320) saliency.
        card: what the weights are.
        margin: around the box, as a share of its sides, in [0, 1].

    Raises:
        InputError: a margin out of range.
    """

    cards, default, runtime = CARDS, DEFAULT, staticmethod(onnx_network)

    def __init__(self, network: Network, *, card: WeightCard, margin: float = 0.1) -> None:
        check_shares(self, margin=margin)
        super().__init__(network, card)
        self.margin = margin
        self._known: Memo[dict[bytes, NDArray[np.float16]]] = Memo(max_items=_KEPT_IMAGES)

    def segment(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
        """For each sample the mask logits of its R boxes: (R, H, W) float32, above 0 is inside.

        Raises:
            WeightsError: the network returned NaN, or is another one.
        """
        known = self._known([sample.image for sample in samples], lambda new: [{} for _ in new])
        answers = []
        for sample, found, masks in zip(samples, proposals, known, strict=True):
            logits = np.zeros((len(found), *sample.size_hw), np.float32)
            for row, box in enumerate(found.boxes_xyxy):
                key = box.tobytes()
                if key not in masks:
                    masks[key] = self._logits(sample.image, box).astype(np.float16)
                logits[row] = masks[key]
            answers.append(logits)
        return answers

    def _logits(self, image: NDArray[np.uint8], box_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mask logits of one box: (H, W)."""
        x0, y0, x1, y1 = touched_pixels(image, box_xyxy, self.margin)
        square = Image.fromarray(image[y0:y1, x0:x1]).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
        pixels = np.asarray(square, np.float32)
        pixels = (pixels / max(pixels.max(), 1.0) - _MEAN) / _DEVIATION
        saliency = self.network(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32))[0, 0]
        check_finite("U2-Net", saliency)
        low, high = saliency.min(), saliency.max()
        share = resize_map((saliency - low) / max(high - low, 1e-6), (y1 - y0, x1 - x0))
        return box_logits(share, (x0, y0), image, box_xyxy)
