"""Grounding DINO: boxes for phrases (Liu et al., "Grounding DINO: Marrying DINO with Grounded Pre-Training for Open-Set
Object Detection", ECCV 2024), and MM Grounding DINO (Zhao et al., 2024), by the classes of transformers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsavs.models.adapter import Adapter
from zsavs.models.batching import in_batches, inference
from zsavs.models.checkpoints import BERT_TOKENIZER_FILES, MODEL_FILES, PREPROCESSOR_FILES, check_tokenizer, needing
from zsavs.models.detection import MOST, Found, as_proposals, from_centres, keep_best, warn_of_left_out
from zsavs.models.device_copies import copy_to_cpu, copy_to_device, wait_for_copies
from zsavs.models.grounding_dino_files import read_model
from zsavs.models.grounding_dino_prompts import Prompt, Prompts
from zsavs.models.inputs import check_counts, check_shares
from zsavs.models.outputs import check_finite
from zsavs.models.runtime import load_part
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard
from zsavs.types import AVSample, Proposals, Query

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "DEFAULT", "GroundingDinoGrounder"]

_NAME = "Grounding DINO"

DEFAULT = "IDEA-Research/grounding-dino-tiny"

_FILES = (*MODEL_FILES, *PREPROCESSOR_FILES, *BERT_TOKENIZER_FILES)

CARDS: dict[str, WeightCard] = {
    DEFAULT: WeightCard(
        DEFAULT,
        "Apache-2.0",
        689,
        "Objects365, GoldG, Cap4M: images with boxes and phrases",
        verified="a stored copy of its hub page, commit a2bb814",
    ),
    "IDEA-Research/grounding-dino-base": WeightCard(
        "IDEA-Research/grounding-dino-base",
        "Apache-2.0",
        933,
        "COCO, Objects365, GoldG, Cap4M, OpenImages, ODinW-35, RefCOCO: images with boxes and phrases",
        verified="a stored copy of its hub page",
    ),
    "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det": WeightCard(
        "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det",
        "Apache-2.0",
        689,
        "Objects365, GoldG, V3Det: images with boxes and phrases",
        verified="from memory, look before relying on it",
    ),
}
CARDS = needing(CARDS, _FILES)

#: A longer image is stretched to this ratio of its sides: the model sees the long side at 1333 pixels, where the
#: short one of a very long image would be left with less than one.
_MAX_ASPECT = 8
_STRETCHED_SIDE = 2048


class GroundingDinoGrounder(Adapter):
    """Boxes for each phrase of a query (:class:`zsavs.protocols.Grounder`).

    Phrases are lower-cased, and full stops and question marks, which the model takes for the end of a phrase, become
    blanks. A box scores for a phrase the mean probability of the phrase's own tokens; the text that the model's
    post-processing decodes is never used, as it merges and cuts phrases. A box may answer several phrases.

    Several phrases share one prompt, which is faster, and lets them move each other's scores and boxes a little, as
    the model reads the image with the whole prompt. ``phrases_per_prompt=1`` rules that out.

    Images of one size share a batch. Images of different sizes never do, as the padding would change the answer.
    An image more than eight times as long as wide (or high) is stretched to that ratio first.

    Args:
        model: a ``transformers.GroundingDinoForObjectDetection`` or ``MMGroundingDinoForObjectDetection``; it is moved,
            frozen and put into evaluation mode.
        image_processor: its ``GroundingDinoImageProcessor``.
        tokenizer: its tokenizer, a fast one (with offsets).
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        box_threshold: a box is kept for a phrase if it scores higher, in [0, 1].
        nms_iou: of two boxes of one phrase that overlap by more, the better stays, in [0, 1].
        max_boxes: the most boxes for one phrase; a warning says how many more there were.
        phrases_per_prompt: the most phrases in one prompt.
        batch_size: the most prompts in the model at once; a prompt takes some 1.5 GB.

    Raises:
        InputError: a setting out of range.
        WeightsError: the tokenizer is not the text model's own.
    """

    cards, default, files = CARDS, DEFAULT, _FILES
    half_is_safe = False  # it moves boxes
    towers = ("model.backbone", "model.encoder")

    def __init__(
        self,
        model: Any,
        image_processor: Any,
        tokenizer: Any,
        *,
        card: WeightCard,
        device: str = "cpu",
        box_threshold: float = 0.25,
        nms_iou: float = 0.7,
        max_boxes: int = MOST,
        phrases_per_prompt: int = 8,
        batch_size: int = 2,
    ) -> None:
        check_shares(self, box_threshold=box_threshold, nms_iou=nms_iou)
        check_counts(self, max_boxes=max_boxes, phrases_per_prompt=phrases_per_prompt, batch_size=batch_size)
        check_tokenizer(tokenizer, model.config.text_config.vocab_size, card.source)
        self.max_tokens = int(min(model.config.max_text_len, model.config.text_config.max_position_embeddings))
        self.prompts = Prompts(tokenizer, self.max_tokens, phrases_per_prompt)
        super().__init__(model, card, device)
        self.image_processor = image_processor
        self.tokenizer = tokenizer
        self.box_threshold = box_threshold
        self.nms_iou = nms_iou
        self.max_boxes = max_boxes
        self.phrases_per_prompt = phrases_per_prompt
        self.batch_size = batch_size
        self._answers: Memo[dict[str, dict[str, Found]]] = Memo()

    @classmethod
    def read_parts(cls, folder: Path, dtype: torch.dtype) -> Sequence[Any]:
        """The model, its image processor and its tokenizer.

        Raises:
            MissingWeights, WeightsError, BrokenInstallation: as :func:`.grounding_dino_files.read_model`.
        """
        others = (load_part(name, folder) for name in ("AutoImageProcessor", "AutoTokenizer"))
        return [read_model(folder, dtype), *others]

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """Candidate boxes for each sample, best first; none where the query is empty.

        Raises:
            WeightsError: the model returned NaN, or the device's memory is too small for one item.
        """
        cleaned = [[self.prompts.clean(phrase) for phrase in query.phrases] for query in queries]
        # Strategies often ask the same of an image: what each prompt found is in the memo as long as the image lives.
        answers = self._answers([sample.image for sample in samples], lambda new: [{} for _ in new])
        work: dict[tuple[int, int], list[tuple[int, Prompt]]] = {}
        for number, (sample, phrases) in enumerate(zip(samples, cleaned, strict=True)):
            new = (prompt for prompt in self.prompts.of(phrases) if prompt.text not in answers[number])
            work.setdefault(sample.size_hw, []).extend((number, prompt) for prompt in new)
        for same_size in work.values():
            found = in_batches(
                lambda batch: self._detect([samples[n].image for n, _ in batch], [prompt for _, prompt in batch]),
                same_size,
                self.batch_size,
            )
            for (number, prompt), of_phrases in zip(same_size, found, strict=True):
                answers[number][prompt.text] = dict(zip(prompt.phrases, of_phrases, strict=True))
        by_phrase = [self._by_phrase(phrases, known) for phrases, known in zip(cleaned, answers, strict=True)]
        warn_of_left_out(_NAME, "max_boxes", self.max_boxes, (each.left_out for rows in by_phrase for each in rows))
        return [as_proposals(found) for found in by_phrase]

    def _by_phrase(self, phrases: Sequence[str], answers: dict[str, dict[str, Found]]) -> list[Found]:
        """What each phrase of one query found, out of what each prompt did."""
        found = {"": Found.nothing()}  # "" stands for a phrase of which nothing is left to ask
        for prompt in self.prompts.of(phrases):
            found |= answers[prompt.text]
        return [found[phrase] for phrase in phrases]

    def _detect(self, images: Sequence[NDArray[np.uint8]], prompts: Sequence[Prompt]) -> list[list[Found]]:
        """Ask each prompt of the image beside it: for each prompt, what each of its phrases found."""
        pixels = self.image_processor(
            images=[_stretched(image) for image in images], return_tensors="pt", input_data_format="channels_last"
        )
        text = self.tokenizer(
            [prompt.text for prompt in prompts],
            padding=True,
            padding_side="right",
            truncation=False,
            return_token_type_ids=True,
            return_tensors="pt",
            verbose=False,
        )
        inputs = {**pixels, **{name: text[name] for name in ("input_ids", "token_type_ids", "attention_mask")}}
        with inference(_NAME):
            dtypes = {"pixel_values": self.model.dtype}
            outputs = self.model(
                **{name: copy_to_device(tensor, self.device, dtypes.get(name)) for name, tensor in inputs.items()}
            )
            # (prompts, candidates, tokens); places without a token are -inf and become 0.
            probabilities: NDArray[np.float32] = copy_to_cpu(outputs.logits.float().sigmoid())
            boxes: NDArray[np.float32] = copy_to_cpu(outputs.pred_boxes.float())
            wait_for_copies(self.device)
        check_finite(_NAME, probabilities, boxes)
        found = []
        for image, prompt, centres, by_token in zip(images, prompts, boxes, probabilities, strict=True):
            boxes_xyxy = from_centres(centres, image.shape[:2])
            found.append([self._found(boxes_xyxy, by_token[:, own], image.shape[:2]) for own in prompt.tokens])
        return found

    def _found(self, boxes_xyxy: NDArray[np.float32], by_token: NDArray[np.float32], size_hw: tuple[int, int]) -> Found:
        """The boxes of a phrase, out of (candidates, 4) and the probabilities of its tokens (candidates, tokens)."""
        if not by_token.shape[1]:
            return Found.nothing()
        return keep_best(
            boxes_xyxy,
            by_token.mean(axis=1),
            size_hw,
            threshold=self.box_threshold,
            nms_iou=self.nms_iou,
            max_boxes=self.max_boxes,
        )


def _stretched(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image, stretched across if it is too long for the model to leave anything of its short side."""
    height, width = image.shape[:2]
    if max(height, width) <= _MAX_ASPECT * min(height, width):
        return np.array(image)
    long_side = min(max(height, width), _STRETCHED_SIDE)
    short_side = math.ceil(long_side / _MAX_ASPECT)
    size = (short_side, long_side) if height > width else (long_side, short_side)
    return np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
