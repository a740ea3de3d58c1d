"""DeepLabV3 with MobileNetV2: the 20 classes of PASCAL VOC in an image (Chen et al., "Rethinking Atrous Convolution for
Semantic Image Segmentation", arXiv 1706.05587), by LiteRT."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zsavs.media.letterbox import letterbox
from zsavs.media.regions import touched_pixels
from zsavs.media.resize import resize_map
from zsavs.models.file_adapter import FileAdapter
from zsavs.models.file_runtimes import Network, litert_network
from zsavs.models.inputs import check_shares
from zsavs.models.mask_logits import OUTSIDE, box_logits
from zsavs.protocols import Segmenter
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard
from zsavs.types import AVSample, Proposals

__all__ = ["CARDS", "CLASSES", "DEFAULT", "DeepLabSegmenter"]

DEFAULT = "deeplabv3_mnv2_pascal_quant.tflite"

CARDS: dict[str, WeightCard] = {
    DEFAULT: WeightCard(
        f"https://raw.githubusercontent.com/google-coral/test_data/104342d2d3480b3e66203073dac24f4e2dbb4c41/{DEFAULT}",
        "Apache-2.0",
        2.19,
        "COCO and PASCAL VOC 2012: images with masks of 20 classes",
        revision="104342d2d3480b3e66203073dac24f4e2dbb4c41",
        verified="licence file of google-coral/test_data",
        sha256="350af47fd346ea6d74b58833a351f583ba860e9806ec5bd292ff8d8f1f249398",
    )
}

#: By id, in the words of COCO; VOC says aeroplane, diningtable, motorbike, pottedplant, sofa, tvmonitor.
CLASSES = (
    *("background", "airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("dining table", "dog", "horse", "motorcycle", "person", "potted plant", "sheep", "couch", "train", "tv"),
)

_SIDE = 513
_GREY = (127, 127, 127)
#: The most images whose classes are kept for the next strategy.
_KEPT_IMAGES = 16


class DeepLabSegmenter(FileAdapter):
    """The pixels of a region's class within its box (:class:`zsavs.protocols.Segmenter`).

    A region's class is its label (:class:`zsavs.types.Proposals`); where the grounder gives none, the class that fills
    most of its box. Regions of one class share one look: at the crop around all of them, with a margin, so that small
    things are seen large. A region whose class the network does not have, or does not find, is the other segmenter's,
    if it is one of the surest of its source; else its mask is empty.

    Args:
        network: (1, 513, 513, 3) uint8 RGB to (1, 513, 513) class ids.
        card: what the weights are.
        segmenter: segments what this one cannot; None for an empty mask there.
        min_fill: the share of its box that a class must fill to be found, in [0, 1].
        margin: around the boxes of a class, as a share of the sides of the box around them, in [0, 1].
        min_share: the share of the best score of its source that a region must have to be the other segmenter's, in
            [0, 1]; that one may look at each region by itself, which takes as long as all else together.

    Raises:
        InputError: a setting out of range.
    """

    cards, default, runtime = CARDS, DEFAULT, staticmethod(litert_network)

    def __init__(
        self,
        network: Network,
        *,
        card: WeightCard,
        segmenter: Segmenter | None = None,
        min_fill: float = 0.05,
        margin: float = 0.1,
        min_share: float = 0.8,
    ) -> None:
        check_shares(self, min_fill=min_fill, margin=margin, min_share=min_share)
        super().__init__(network, card)
        self.segmenter = segmenter
        self.min_fill, self.margin, self.min_share = min_fill, margin, min_share
        self._known: Memo[dict[tuple[int, int, int, int], NDArray[np.uint8]]] = Memo(max_items=_KEPT_IMAGES)

    def segment(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
        """For each sample the mask logits of its R boxes: (R, H, W) float32, above 0 is inside.

        Raises:
            WeightsError: the network is another one.
            As the other segmenter.
        """
        known = self._known([sample.image for sample in samples], lambda new: [{} for _ in new])
        answers, left = [], []
        for sample, found, crops in zip(samples, proposals, known, strict=True):
            logits = np.full((len(found), *sample.size_hw), OUTSIDE, np.float32)
            done = self._segment(sample.image, found, crops, logits)
            answers.append(logits)
            sure = found.scores >= self.min_share * _best_of_source(found)
            left.append([row for row in np.flatnonzero(sure).tolist() if row not in done])
        if self.segmenter is not None:
            others = self.segmenter.segment(
                samples, [found.rows(rows) for found, rows in zip(proposals, left, strict=True)]
            )
            for logits, rows, other in zip(answers, left, others, strict=True):
                logits[rows] = other
        return answers

    def _segment(
        self,
        image: NDArray[np.uint8],
        found: Proposals,
        crops: dict[tuple[int, int, int, int], NDArray[np.uint8]],
        logits: NDArray[np.float32],
    ) -> set[int]:
        """Fill in the logits of the regions whose class is found; their rows."""
        done = set()
        for label, rows in _by_label(found).items():
            if label and label not in CLASSES:
                continue
            boxes = found.boxes_xyxy[rows]
            around = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
            x0, y0, x1, y1 = place = touched_pixels(image, around, self.margin)
            if place not in crops:
                crops[place] = self._classes(np.ascontiguousarray(image[y0:y1, x0:x1]))
            seen = [i for i in np.unique(crops[place]) if i and label in ("", CLASSES[i])]
            shares = [_share(crops[place], i, (y1 - y0, x1 - x0)) for i in seen]
            for row, box in zip(rows, boxes, strict=True):
                left, top, right, bottom = touched_pixels(image, box)
                inside = (slice(top - y0, bottom - y0), slice(left - x0, right - x0))
                share = max(shares, key=lambda share: float(share[inside].sum()), default=None)
                if share is not None and share[inside].mean() > self.min_fill:
                    logits[row] = box_logits(share, (x0, y0), image, box)
                    done.add(row)
        return done

    def _classes(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The class of each pixel of a crop as the network sees it: (h, w) ids."""
        canvas, back = letterbox(crop, (_SIDE, _SIDE), _GREY, centred=False)
        height, width = back.content_hw
        return np.asarray(self.network(canvas[None])[0, :height, :width], np.uint8)


def _share(ids: NDArray[np.uint8], wanted: int, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """How much of each pixel of a crop is of a class, with soft borders: (H, W) in [0, 1]."""
    return resize_map((ids == wanted).astype(np.float32), size_hw)


def _best_of_source(found: Proposals) -> NDArray[np.float32]:
    """For each region the best score of a region of the same source: (R,)."""
    best = np.zeros(found.sources.max(initial=-1) + 1, np.float32)
    np.maximum.at(best, found.sources, found.scores)
    return best[found.sources]


def _by_label(found: Proposals) -> dict[str, list[int]]:
    """The rows of each label; without labels all of them, under ""."""
    rows: dict[str, list[int]] = {}
    for row, label in enumerate(found.labels or [""] * len(found)):
        rows.setdefault(label, []).append(row)
    return rows
