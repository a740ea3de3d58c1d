"""SAM 3: instances with masks for phrases, and masks for boxes and points (Carion et al., "SAM 3: Segment Anything with
Concepts", 2025), by the classes of transformers. Images only; for videos: :mod:`zsavs.models.sam3_video`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.models.adapter import Adapter
from zsavs.models.batching import in_batches, inference
from zsavs.models.checkpoints import check_tokenizer, load_model, model_type
from zsavs.models.detection import MOST, clip, distinct_masks, warn_of_left_out
from zsavs.models.device_copies import copy_to_cpu, copy_to_device, wait_for_copies
from zsavs.models.inputs import check_counts, check_shares
from zsavs.models.outputs import check_finite
from zsavs.models.prompted_masks import PromptedSegmenter
from zsavs.models.runtime import load_part
from zsavs.models.sam3_files import CARDS, COPIES, DEFAULT, PUBLISHED_TYPE
from zsavs.models.sam3_vision import FAMILY, prompt_scales, see, share_encoder
from zsavs.models.text_memo import TextMemo
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard
from zsavs.types import AVSample, Proposals, Query

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "DEFAULT", "Sam3Grounder", "Sam3Segmenter"]

log = logging.getLogger(__name__)


class _Instances(NamedTuple):
    """What one phrase found in an image, best first.

    ``boxes_xyxy`` (N, 4) in pixels, ``scores`` (N,) in [0, 1], ``masks`` (N, H, W) bool, packed to bits along the rows,
    and how many more there were than were to be kept.
    """

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    masks: NDArray[np.uint8]
    left_out: int


class Sam3Grounder(Adapter):
    """Instances of each phrase of a query, with their masks (:class:`zsavs.protocols.Grounder`).

    An instance scores the model's probability that it is one, times the probability that the phrase is in the image at
    all (the presence score), as published: where the phrase is not, nothing is found however well a candidate fits.
    Masks come with the regions, for ``segmenter="from_grounder"``; without such a segmenter they are not used.

    The image is encoded once, however many phrases, strategies and pipelines ask, and every phrase by itself, so that
    none changes what another one finds. Memos hold the last 4096 phrases, and images and their answers for as long as
    the image lives (the last 16). Neither threshold has been tuned here.

    Args:
        model: a ``transformers.Sam3Model``; it is moved, frozen and put into evaluation mode. If its image encoder is
            in half precision it stays so; the rest is always computed in float32.
        image_processor: its ``Sam3ImageProcessor``.
        tokenizer: its tokenizer.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        threshold: an instance is kept if it scores higher, in [0, 1].
        nms_iou: of two instances of one phrase whose masks overlap by more, the better stays, in [0, 1]; 1 keeps all.
        max_boxes: the most instances of one phrase; a warning says how many more there were.
        batch_size: the most images in the encoder at once.
        phrases_at_once: the most phrases of an image in the detector at once.

    Raises:
        InputError: a setting out of range.
        WeightsError: the tokenizer is not the text model's own.
    """

    cards, default, files = CARDS, DEFAULT, CARDS[DEFAULT].files
    half_is_safe = False  # it moves boxes, by how much has not been measured
    towers = ("vision_encoder.backbone",)

    def __init__(
        self,
        model: Any,
        image_processor: Any,
        tokenizer: Any,
        *,
        card: WeightCard,
        device: str = "cpu",
        threshold: float = 0.5,
        nms_iou: float = 0.7,
        max_boxes: int = MOST,
        batch_size: int = 2,
        phrases_at_once: int = 4,
    ) -> None:
        check_shares(self, threshold=threshold, nms_iou=nms_iou)
        check_counts(self, max_boxes=max_boxes, batch_size=batch_size, phrases_at_once=phrases_at_once)
        check_tokenizer(tokenizer, model.config.text_config.vocab_size, card.source)
        super().__init__(model, card, device)
        self.model = share_encoder(self.model)
        self.image_processor, self.tokenizer = image_processor, tokenizer
        self.threshold, self.nms_iou, self.max_boxes = threshold, nms_iou, max_boxes
        self.batch_size, self.phrases_at_once = batch_size, phrases_at_once
        self.max_tokens = int(model.config.text_config.max_position_embeddings)
        self._texts = TextMemo(self._encode_texts, max_items=4096)
        self._answers: Memo[dict[str, _Instances]] = Memo(max_items=16)

    @classmethod
    def read_parts(cls, folder: Path, dtype: torch.dtype) -> Sequence[Any]:
        """The model, whose image encoder is in ``dtype``, its image processor and its tokenizer.

        Raises:
            InputError: the checkpoint is of another family, or has no detector; says which one has.
            MissingWeights, WeightsError: as :meth:`load`.
        """
        kind = model_type(folder)
        if kind and kind not in (PUBLISHED_TYPE, "sam3"):
            raise InputError(
                f"{folder}: a model of type {kind!r}, which finds nothing by phrases as SAM 3 does (type "
                f"{PUBLISHED_TYPE!r} or 'sam3'); name one that does, as in grounder='sam3:{DEFAULT}'."
            )
        return [
            load_model("Sam3Model", folder, dtype),
            load_part("AutoImageProcessor", folder),
            load_part("AutoTokenizer", folder),
        ]

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """Instances for each sample with their masks, best first; none where the query is empty.

        Raises:
            WeightsError: the model returned NaN, or the device's memory is too small for one item.
        """
        known = self._answers([sample.image for sample in samples], lambda new: [{} for _ in new])
        asking = [
            place
            for place, (query, answers) in enumerate(zip(queries, known, strict=True))
            if not answers.keys() >= set(query.phrases)
        ]
        if asking:  # those that are new, all together
            self._texts([phrase for place in asking for phrase in queries[place].phrases])
        images = [samples[place].image for place in asking]
        seen = see(self.model, self.image_processor, images, self.device, self.batch_size)
        for place, features in zip(asking, seen, strict=True):
            # Of one image in several samples, what the sample before asked is known by now.
            new = [phrase for phrase in dict.fromkeys(queries[place].phrases) if phrase not in known[place]]
            found = self._find(features, new, samples[place].size_hw)
            known[place].update(zip(new, found, strict=True))
        rows = [[answers[phrase] for phrase in query.phrases] for query, answers in zip(queries, known, strict=True)]
        warn_of_left_out(FAMILY, "max_boxes", self.max_boxes, (one.left_out for found in rows for one in found))
        return [_as_proposals(found, sample.size_hw) for sample, found in zip(samples, rows, strict=True)]

    def _find(self, features: torch.Tensor, phrases: Sequence[str], size_hw: tuple[int, int]) -> list[_Instances]:
        """What each phrase finds in an image, by what the encoder made of it."""
        with inference(FAMILY):
            scales, places = self.model.vision_encoder.neck(features)
        return in_batches(lambda some: self._detect(scales, places, some, size_hw), phrases, self.phrases_at_once)

    def _detect(
        self,
        scales: Sequence[torch.Tensor],
        places: Sequence[torch.Tensor],
        phrases: list[str],
        size_hw: tuple[int, int],
    ) -> list[_Instances]:
        import torch
        from transformers.modeling_outputs import BaseModelOutputWithPooling
        from transformers.models.sam3.modeling_sam3 import Sam3VisionEncoderOutput

        count = len(phrases)
        texts = copy_to_device(torch.from_numpy(self._texts(phrases)), self.device)
        with inference(FAMILY):
            outputs = self.model(
                vision_embeds=Sam3VisionEncoderOutput(
                    fpn_hidden_states=tuple(scale.expand(count, -1, -1, -1) for scale in scales),
                    fpn_position_encoding=tuple(place.expand(count, -1, -1, -1) for place in places),
                ),
                # A tensor alone is refused, whatever its documentation says.
                text_embeds=BaseModelOutputWithPooling(pooler_output=texts),
                attention_mask=copy_to_device(self._tokens(phrases)["attention_mask"], self.device),
            )
            scores = outputs.pred_logits.sigmoid() * outputs.presence_logits.sigmoid()
            ranked, order = scores.sort(dim=1, descending=True, stable=True)
            boxes = outputs.pred_boxes.take_along_dim(order[..., None], dim=1)
            rows, corners = copy_to_cpu(ranked), copy_to_cpu(boxes)
            wait_for_copies(self.device)
            check_finite(FAMILY, rows, corners)
            good = [row[row > self.threshold] for row in rows]
            inside = [
                logits[best[: len(row)]].sigmoid()
                for logits, best, row in zip(outputs.pred_masks, order, good, strict=True)
            ]
            small = [copy_to_cpu(one > 0.5) for one in inside]
            wait_for_copies(self.device)
            distinct = [distinct_masks(masks, row, self.nms_iou) for masks, row in zip(small, good, strict=True)]
            kept = [numbers[: self.max_boxes] for numbers in distinct]
            masks = [_stretched(one[numbers], size_hw) for one, numbers in zip(inside, kept, strict=True)]
            wait_for_copies(self.device)
        return [
            _instances(boxes[numbers], row[numbers], full_size, len(found) - len(numbers), size_hw)
            for boxes, row, full_size, found, numbers in zip(corners, good, masks, distinct, kept, strict=True)
        ]

    def _encode_texts(self, phrases: list[str]) -> NDArray[np.float32]:
        """What the text model makes of each phrase: (K, tokens, C)."""
        for phrase, ids in zip(phrases, self.tokenizer(phrases, verbose=False)["input_ids"], strict=True):
            if len(ids) > self.max_tokens:
                log.warning("SAM 3 reads %d tokens of %r, the rest is cut off", self.max_tokens, phrase)
        tokens = self._tokens(phrases)
        with inference(FAMILY):
            outputs = self.model.get_text_features(
                **{name: copy_to_device(tokens[name], self.device) for name in ("input_ids", "attention_mask")}
            )
            rows: NDArray[np.float32] = outputs.pooler_output.cpu().numpy()
        check_finite(FAMILY, rows)
        return rows

    def _tokens(self, phrases: Sequence[str]) -> Any:
        return self.tokenizer(
            list(phrases), padding="max_length", truncation=True, max_length=self.max_tokens, return_tensors="pt"
        )


def _stretched(inside: torch.Tensor, size_hw: tuple[int, int]) -> list[NDArray[np.bool_]]:
    """The masks (H, W) of an image where a model's probabilities (N, h, w) are above one half, stretched over it.

    Probabilities are stretched, and not logits, as the published post-processing does; one at a time, as the image may
    be large. Not to be read before :func:`zsavs.models.device_copies.wait_for_copies`.
    """
    from torch.nn.functional import interpolate

    return [
        copy_to_cpu(interpolate(one[None, None], size_hw, mode="bilinear", align_corners=False)[0, 0] > 0.5)
        for one in inside
    ]


def _instances(
    shares_xyxy: NDArray[np.float32],
    scores: NDArray[np.float32],
    masks: list[NDArray[np.bool_]],
    left_out: int,
    size_hw: tuple[int, int],
) -> _Instances:
    """Boxes (N, 4) as shares of the image, scores (N,) and masks of its size, but for those that cover no pixel."""
    height, width = size_hw
    boxes = clip(shares_xyxy * np.array([width, height] * 2, np.float32), size_hw)
    there = (boxes[:, :2] < boxes[:, 2:]).all(axis=1) & np.array([mask.any() for mask in masks], np.bool_)
    packed = [np.packbits(mask, axis=1) for mask, stays in zip(masks, there, strict=True) if stays]
    empty = np.zeros((0, height, -(-width // 8)), np.uint8)
    return _Instances(boxes[there], scores[there], np.stack(packed) if packed else empty, left_out)


def _as_proposals(found: Sequence[_Instances], size_hw: tuple[int, int]) -> Proposals:
    """Join what each row of a query found, best first; equal scores stay in the order of the rows."""
    if not found:
        return Proposals.nothing()
    scores = np.concatenate([one.scores for one in found])
    order = np.argsort(-scores, kind="stable")
    packed = np.concatenate([one.masks for one in found])
    return Proposals(
        np.concatenate([one.boxes_xyxy for one in found])[order],
        scores[order],
        np.repeat(np.arange(len(found)), [len(one.scores) for one in found])[order],
        masks=np.unpackbits(packed, axis=2, count=size_hw[1]).astype(np.bool_)[order],
    )


class Sam3Segmenter(PromptedSegmenter):
    """SAM 3's tracker as a segmenter of boxes and points, from the same checkpoint as the grounder, whose image encoder
    it shares.

    See :class:`~zsavs.models.prompted_masks.PromptedSegmenter` for its arguments and verbs.
    """

    cards, default = CARDS, DEFAULT
    family, model_class, copies = FAMILY, "Sam3TrackerModel", COPIES
    model_types = (PUBLISHED_TYPE, "sam3_tracker_video", "sam3_tracker")
    half_is_safe = False  # as of the grounder, so that they share the encoder
    takes_any_size = False
    towers = ("vision_encoder.backbone",)
    in_float = staticmethod(share_encoder)
    #: The part of a preset, by role and name, whose checkpoint it takes where none is named.
    checkpoint_of = ("grounder", "sam3")

    def _encode(self, images: list[NDArray[np.uint8]]) -> list[list[torch.Tensor]]:
        encoded = []
        for features in see(self.model, self.image_processor, images, self.device, self.batch_size):
            with inference(self.family):
                scales, _ = prompt_scales(self.model, features)
                # What stands for a memory where there is none. transformers adds it to the scale that nothing reads.
                scales[-1] = scales[-1] + self.model.no_memory_embedding.view(1, -1, 1, 1)
                encoded.append(scales)
        return encoded
