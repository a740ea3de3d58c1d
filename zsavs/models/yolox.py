"""YOLOX: boxes of COCO's 80 classes (Ge et al., "YOLOX: Exceeding YOLO Series in 2021", arXiv 2107.08430), by
onnxruntime."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from zsavs.language.label_maps import class_mapper
from zsavs.language.label_sets import label_set
from zsavs.language.sound_sources import kinds_of
from zsavs.media.letterbox import letterbox
from zsavs.models.detection import MOST, Found, as_proposals, keep_best, warn_of_left_out
from zsavs.models.file_adapter import FileAdapter
from zsavs.models.file_runtimes import Network, onnx_network
from zsavs.models.inputs import check_counts, check_images, check_phrases, check_shares
from zsavs.models.label_space import LabelSpace
from zsavs.models.outputs import check_finite
from zsavs.storage.memo import Memo, shared_memo
from zsavs.storage.weights import WeightCard
from zsavs.types import AVSample, Proposals, Query

__all__ = ["CARDS", "DEFAULT", "YoloxCaptioner", "YoloxEncoder", "YoloxGrounder"]

log = logging.getLogger(__name__)

_NAME = "YOLOX"

DEFAULT = "yolox_nano.onnx"

CARDS: dict[str, WeightCard] = {
    DEFAULT: WeightCard(
        f"https://raw.githubusercontent.com/Kazuhito00/YOLOX-ONNX-TFLite-Sample/3d4f1119/model/{DEFAULT}",
        "Apache-2.0",
        3.66,
        "COCO: images with boxes of 80 classes",
        revision="3d4f1119",
        verified="licence file of the repository; YOLOX itself is Apache-2.0",
        sha256="695e750a5d5754bb5a8d5325643b59282191a7e7a564e435a415fd3c578eab14",
    )
}

_SIDE = 416
_STRIDES = (8, 16, 32)


class _Yolox(FileAdapter):
    """What the network sees in images; those that are made from one file share it."""

    cards, default, runtime = CARDS, DEFAULT, staticmethod(onnx_network)

    def __init__(self, network: Network, *, card: WeightCard) -> None:
        super().__init__(network, card)
        self.classes = label_set("coco").classes
        self._class_of = class_mapper("coco")
        self._candidates: Memo[tuple[NDArray[np.float32], NDArray[np.float32]]] = shared_memo(network, "yolox")

    def candidates(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """All that the model sees in each of N images: boxes (3549, 4) in pixels, and scores (3549, 80) in [0, 1].

        Raises:
            ImageError: not a list of images.
            WeightsError: as :meth:`ground`.
        """
        return self._candidates(check_images(images), lambda new: [self._find(image) for image in new])

    def class_ids(self, phrase: str) -> list[int]:
        """The classes that a phrase asks for, as ids from 1 to 80; none where it names no class and no kind of one."""
        named = self._class_of(phrase)
        if named:
            return [named]
        return sorted({self._class_of(kind) for kind in kinds_of(phrase)} - {0})

    def _find(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        canvas, back = letterbox(image, (_SIDE, _SIDE), centred=False)
        inputs = np.ascontiguousarray(canvas[..., ::-1].transpose(2, 0, 1)[None], np.float32)
        (cells,) = self.network(inputs)
        check_finite(_NAME, cells)
        corners, strides = _grid()
        centres = (cells[:, :2] + corners) * strides
        halves = 0.5 * np.exp(cells[:, 2:4]) * strides
        boxes = back.boxes_to_image(np.concatenate([centres - halves, centres + halves], axis=1))
        return boxes.astype(np.float32), np.clip(cells[:, 4:5] * cells[:, 5:], 0, 1)


class YoloxGrounder(_Yolox):
    """Boxes for those phrases that name a class of COCO (:class:`zsavs.protocols.Grounder`).

    A phrase finds its class by name, plural and synonym (:func:`zsavs.language.label_maps.class_mapper`), and a general
    one those of its kinds: "animal" asks for a dog, a cat, a horse. A phrase without a class finds nothing, which is
    logged once. The model looks at an image once, whatever it is asked.

    Args:
        network: (1, 3, 416, 416) float32 BGR in [0, 255] to (1, 3549, 85): box, objectness and 80 classes for each cell
            of three grids.
        card: what the weights are.
        threshold: a box is kept for a class if it scores higher, in [0, 1]: objectness times class.
        nms_iou: of two boxes of one class that overlap by more, the better stays, in [0, 1].
        max_boxes: the most boxes of one class; a warning says how many more there were.

    Raises:
        InputError: a setting out of range.
    """

    def __init__(
        self,
        network: Network,
        *,
        card: WeightCard,
        threshold: float = 0.3,
        nms_iou: float = 0.45,
        max_boxes: int = MOST,
    ) -> None:
        check_shares(self, threshold=threshold, nms_iou=nms_iou)
        check_counts(self, max_boxes=max_boxes)
        super().__init__(network, card=card)
        self.threshold, self.nms_iou, self.max_boxes = threshold, nms_iou, max_boxes
        self._said: set[str] = set()

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """Candidate boxes for each sample, best first, with the names of their classes; none for an empty query.

        Raises:
            WeightsError: the network returned NaN, or is another one.
        """
        asked = [[(source, i) for source, p in enumerate(query.phrases) for i in self._ids(p)] for query in queries]
        answers = [Proposals.nothing() for _ in samples]
        asking = [n for n, (_, of_query) in enumerate(zip(samples, asked, strict=True)) if of_query]
        left_out = []
        for n, (boxes, scores) in zip(asking, self.candidates([samples[n].image for n in asking]), strict=True):
            found = [self._keep(boxes, scores[:, i - 1], samples[n].size_hw) for _, i in asked[n]]
            answers[n] = self._proposals(found, asked[n])
            left_out += [each.left_out for each in found]
        warn_of_left_out("YOLOX", "max_boxes", self.max_boxes, left_out)
        return answers

    def _proposals(self, found: list[Found], asked: list[tuple[int, int]]) -> Proposals:
        """What is found for each row of a query and each class that it asks for, given as pairs of the two."""
        by_class = as_proposals(found)
        sources, ids = np.array(asked)[by_class.sources].T
        return Proposals(by_class.boxes_xyxy, by_class.scores, sources, labels=tuple(self.classes[i] for i in ids))

    def _keep(self, boxes: NDArray[np.float32], scores: NDArray[np.float32], size_hw: tuple[int, int]) -> Found:
        return keep_best(
            boxes, scores, size_hw, threshold=self.threshold, nms_iou=self.nms_iou, max_boxes=self.max_boxes
        )

    def _ids(self, phrase: str) -> list[int]:
        ids = self.class_ids(phrase)
        if not ids and phrase not in self._said:
            self._said.add(phrase)
            log.warning("YOLOX knows the 80 classes of COCO and cannot be asked for %r", phrase)
        return ids


class YoloxEncoder(_Yolox):
    """Images and texts in a space spanned by COCO's classes (:class:`zsavs.protocols.ImageTextEncoder`).

    It is no embedding that was learned with texts: it knows COCO's 80 classes (:mod:`zsavs.models.label_space`), and
    every other phrase alike.

    Args:
        network, card: as for :class:`YoloxGrounder`.
    """

    def __init__(self, network: Network, *, card: WeightCard) -> None:
        super().__init__(network, card=card)
        self.space = f"yolox classes:{card.source}"
        self._labels = LabelSpace(self.classes[1:])

    def encode_image(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed N images by the best score of each class: (N, 81), unit rows.

        Raises:
            ImageError, WeightsError: as :meth:`candidates`.
        """
        rows = [scores.max(axis=0) for _, scores in self.candidates(images)]
        return self._labels.embed_scores(np.array(rows, np.float32).reshape(-1, len(self.classes) - 1))

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Embed K phrases, alone or in a sentence: (K, 81), unit rows.

        Raises:
            InputError: not a list of strings.
        """
        return self._labels.embed_phrases(check_phrases(phrases))


class YoloxCaptioner(_Yolox):
    """The classes that are seen in an image, in place of a caption (:class:`zsavs.protocols.Captioner`).

    Args:
        network, card: as for :class:`YoloxGrounder`.
        threshold: a class is named if one of its boxes scores higher, in [0, 1].

    Raises:
        InputError: a threshold out of range.
    """

    def __init__(self, network: Network, *, card: WeightCard, threshold: float = 0.3) -> None:
        check_shares(self, threshold=threshold)
        super().__init__(network, card=card)
        self.threshold = threshold

    def caption(self, items: Sequence[NDArray[np.uint8]]) -> list[str]:
        """Name what is in N images, the surest first: "a dog, a person"; "" where nothing is seen.

        Raises:
            ImageError, WeightsError: as :meth:`candidates`.
        """
        captions = []
        for _, scores in self.candidates(items):
            best = scores.max(axis=0)
            order = [i for i in np.argsort(-best, kind="stable") if best[i] > self.threshold]
            captions.append(", ".join(f"a {self.classes[1 + i]}" for i in order))
        return captions


@cache
def _grid() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of each cell its column and row, (3549, 2), and its side in pixels, (3549, 1)."""
    corners, strides = [], []
    for stride in _STRIDES:
        y, x = np.divmod(np.arange((_SIDE // stride) ** 2), _SIDE // stride)
        corners.append(np.stack([x, y], axis=1))
        strides.append(np.full((len(x), 1), stride))
    return np.concatenate(corners).astype(np.float32), np.concatenate(strides).astype(np.float32)
