"""OWLv2: boxes for phrases (Minderer, Gritsenko, Houlsby, "Scaling Open-Vocabulary Object Detection", NeurIPS 2023), by
the classes of transformers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsavs.errors import InputError
from zsavs.models.adapter import Adapter
from zsavs.models.batching import in_batches, inference
from zsavs.models.checkpoints import MODEL_FILES, PREPROCESSOR_FILES, TOKENIZER_FILES, check_tokenizer, needing
from zsavs.models.detection import MOST, Found, as_proposals, from_centres, keep_best, warn_of_left_out
from zsavs.models.device_copies import copy_to_cpu, copy_to_device, token_inputs, wait_for_copies
from zsavs.models.inputs import check_counts, check_shares
from zsavs.models.outputs import check_finite, unit_rows
from zsavs.models.text_memo import TextMemo
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard
from zsavs.types import AVSample, Proposals, Query

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "DEFAULT", "Owlv2Grounder"]

log = logging.getLogger(__name__)

_NAME = "OWLv2"

DEFAULT = "google/owlv2-base-patch16-ensemble"

_FILES = (*MODEL_FILES, *PREPROCESSOR_FILES, *TOKENIZER_FILES)

CARDS: dict[str, WeightCard] = {
    DEFAULT: WeightCard(
        DEFAULT,
        "Apache-2.0",
        620,
        "WebLI with machine-made boxes, LVIS, Objects365, OpenImages, Visual Genome",
        verified="a stored copy of its hub page, commit cfd3195",
    ),
    "zsavs:nano/owlv2": WeightCard(
        "zsavs:nano/owlv2", "Apache-2.0", 4, "drawn images of the orchestra with names and boxes"
    ),
}
CARDS = needing(CARDS, _FILES)

#: The processor pads an image to a square in float32 and blurs it before it makes it small, which takes memory and
#: time with the square of the long side. An image longer than this many times the model's is made smaller first.
_MAX_SHRINK = 3

#: Phrases scored at once: 3600 candidates times this many, 4 MB.
_PHRASES_AT_ONCE = 256

#: Images whose candidates are in the memo, for the next strategy that asks: 3600 candidates of width 768 are 11 MB.
_IMAGES_IN_MEMO = 16


class Owlv2Grounder(Adapter):
    """Boxes for each phrase of a query (:class:`zsavs.protocols.Grounder`).

    Every candidate box of the image is scored for every phrase by itself: a phrase never changes what another one
    finds, and a box may answer several phrases. The image is encoded once, however many phrases there are and, while
    it is among the last ones, however many strategies ask.

    Args:
        model: a ``transformers.Owlv2ForObjectDetection``; it is moved, frozen and put into evaluation mode, and its
            box and class heads are computed in float32, whatever the dtype of its towers.
        image_processor: its ``Owlv2ImageProcessor``.
        tokenizer: its tokenizer.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        threshold: a box is kept for a phrase if it scores higher, in [0, 1].
        nms_iou: of two boxes of one phrase that overlap by more, the better stays, in [0, 1].
        max_boxes: the most boxes for one phrase; a warning says how many more there were.
        vote_iou: a box that stays becomes the mean of the boxes of its phrase that overlap with it by at least this, in
            (0, 1]; None leaves boxes as they are (:func:`zsavs.models.detection.keep_best`). Neighbouring candidates
            show the same object, each a little differently, and their mean lies closer to it than the best one.
        template: the sentence around a phrase, with "{}" in the phrase's place.
        batch_size: the most images in the model at once.

    Raises:
        InputError: a setting out of range.
        WeightsError: the tokenizer is not the text model's own.
    """

    cards, default, files = CARDS, DEFAULT, _FILES
    parts = ("Owlv2ForObjectDetection", "AutoImageProcessor", "AutoTokenizer")
    half_is_safe = False  # it moves boxes
    towers = ("owlv2.vision_model",)

    def __init__(
        self,
        model: Any,
        image_processor: Any,
        tokenizer: Any,
        *,
        card: WeightCard,
        device: str = "cpu",
        threshold: float = 0.1,
        nms_iou: float = 0.5,
        max_boxes: int = MOST,
        vote_iou: float | None = None,
        template: str = "a photo of a {}",
        batch_size: int = 2,
    ) -> None:
        check_shares(self, threshold=threshold, nms_iou=nms_iou)
        check_counts(self, max_boxes=max_boxes, batch_size=batch_size)
        if vote_iou is not None and not 0 < vote_iou <= 1:
            raise InputError(f"Owlv2Grounder: vote_iou lies in (0, 1], or is None, got {vote_iou}.")
        if "{}" not in template:
            raise InputError(f"Owlv2Grounder: template needs a {{}} where the phrase goes, got {template!r}.")
        check_tokenizer(tokenizer, model.config.text_config.vocab_size, card.source)
        super().__init__(model, card, device)
        # A box coordinate in bfloat16 is off by up to 0.2 % of the image, and the heads cost next to nothing.
        self.model.box_head.float()
        self.model.class_head.float()
        grid = (self.model.num_patches_height, self.model.num_patches_width)
        self.model.box_bias = self.model.compute_box_bias(*grid).to(self.device)
        self.image_processor = image_processor
        self.tokenizer = tokenizer
        self.threshold = threshold
        self.nms_iou = nms_iou
        self.max_boxes = max_boxes
        self.vote_iou = vote_iou
        self.template = template
        self.batch_size = batch_size
        self.max_tokens = int(model.config.text_config.max_position_embeddings)
        self._texts = TextMemo(self._embed_texts, space=f"owlv2:{card.source} {template}")
        self._candidates: Memo[tuple[torch.Tensor, NDArray[np.float32]]] = Memo(_IMAGES_IN_MEMO)

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """Candidate boxes for each sample, best first; none where the query is empty.

        Raises:
            WeightsError: the model returned NaN, or the device's memory is too small for one item.
        """
        answers = [Proposals.nothing() for _ in samples]
        asking = [i for i, (_, query) in enumerate(zip(samples, queries, strict=True)) if len(query)]
        found = in_batches(
            lambda batch: self._detect([samples[i].image for i in batch], [queries[i].phrases for i in batch]),
            asking,
            self.batch_size,
        )
        for i, rows in zip(asking, found, strict=True):
            answers[i] = as_proposals(rows)
        warn_of_left_out(_NAME, "max_boxes", self.max_boxes, (each.left_out for rows in found for each in rows))
        return answers

    def _detect(self, images: Sequence[NDArray[np.uint8]], phrases: Sequence[tuple[str, ...]]) -> list[list[Found]]:
        """For each image, what each of its phrases found."""
        candidates = self._candidates(images, self._find_candidates)
        self._texts([phrase for asked in phrases for phrase in asked])  # those that are new, all together
        copies = [self._scores(features, asked) for (features, _), asked in zip(candidates, phrases, strict=True)]
        wait_for_copies(self.device)
        found = []
        for image, (_, boxes), rows in zip(images, candidates, copies, strict=True):
            check_finite(_NAME, boxes, *rows)
            # A candidate's box is a share of the square that the image is padded to, below and to the right.
            side = max(image.shape[:2])
            pixels_xyxy = from_centres(boxes, (side, side))
            found.append([self._found(pixels_xyxy, row, image.shape[:2]) for row in rows])
        return found

    def _find_candidates(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[torch.Tensor, NDArray[np.float32]]]:
        """For each image its candidates: features (1, N, D) on the device, and boxes (N, 4) as shares of the square,
        centre and size."""
        longest = _MAX_SHRINK * self.image_processor.size["height"]
        small = [_limited(image, longest) for image in images]
        pixels = self.image_processor(images=small, return_tensors="pt", input_data_format="channels_last")
        with inference(_NAME):
            inputs = copy_to_device(pixels["pixel_values"], self.device, self.model.dtype)
            grid = self.model.image_embedder(inputs)[0].float()
            features = grid.flatten(1, 2)
            boxes = self.model.box_predictor(features, grid).cpu().numpy()
        return list(zip(features.split(1), boxes, strict=True))

    def _scores(self, features: torch.Tensor, phrases: Sequence[str]) -> list[NDArray[np.float32]]:
        """Score every candidate of one image, (1, N, D), for each of K phrases: K rows (N,) in [0, 1].

        Not to be read before :func:`zsavs.models.device_copies.wait_for_copies`.
        """
        import torch

        def scored(batch: list[str]) -> NDArray[np.float32]:
            with inference(_NAME):
                texts = copy_to_device(torch.from_numpy(self._texts(batch))[None], self.device)
                logits = self.model.class_predictor(features, texts)[0][0]
                return copy_to_cpu(logits.sigmoid().T)

        return in_batches(scored, phrases, _PHRASES_AT_ONCE)

    def _found(self, boxes_xyxy: NDArray[np.float32], scores: NDArray[np.float32], size_hw: tuple[int, int]) -> Found:
        return keep_best(
            boxes_xyxy,
            scores,
            size_hw,
            threshold=self.threshold,
            nms_iou=self.nms_iou,
            max_boxes=self.max_boxes,
            vote_iou=self.vote_iou,
        )

    def _embed_texts(self, phrases: list[str]) -> NDArray[np.float32]:
        texts = [self.template.replace("{}", phrase) for phrase in phrases]
        for text, ids in zip(texts, self.tokenizer(texts, verbose=False)["input_ids"], strict=True):
            if len(ids) > self.max_tokens:
                log.warning("OWLv2 reads %d tokens of %r, the rest is cut off", self.max_tokens, text)
        tokens = self.tokenizer(
            texts, padding="max_length", truncation=True, max_length=self.max_tokens, return_tensors="pt"
        )
        with inference(_NAME):
            outputs = self.model.owlv2.get_text_features(**token_inputs(tokens, self.device))
            return unit_rows(outputs.pooler_output, _NAME)


def _limited(image: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """The image, made smaller if its long side is longer than ``longest`` pixels."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return np.array(image)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
