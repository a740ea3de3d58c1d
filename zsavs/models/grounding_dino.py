"""Grounding DINO: boxes for phrases (Liu et al., "Grounding DINO: Marrying DINO with Grounded Pre-Training for Open-Set
Object Detection", ECCV 2024), and MM Grounding DINO (Zhao et al., 2024), by the classes of transformers."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsavs.errors import InputError
from zsavs.models.batching import inference
from zsavs.models.checkpoints import BERT_TOKENIZER_FILES, MODEL_FILES, PREPROCESSOR_FILES, check_tokenizer, needing
from zsavs.models.detection import MOST, Found, from_centres
from zsavs.models.device_copies import copy_to_cpu, copy_to_device, wait_for_copies
from zsavs.models.grounding_dino_files import read_model
from zsavs.models.grounding_dino_prompts import GroundingDinoPrompts, TokenPrompt
from zsavs.models.inputs import check_shares
from zsavs.models.native import grounding_dino as native
from zsavs.models.outputs import check_finite
from zsavs.models.prompted_detection import PromptedGrounder
from zsavs.models.runtime import load_part
from zsavs.storage.weights import WeightCard

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "DEFAULT", "GroundingDinoGrounder"]

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

#: Of ``image_size``: the coarsest features are of 64 pixels, and less than half of one is nothing to look at. The long
#: side may have this many times as many pixels, as in the published 1333 to 800.
_LEAST_SIDE = 32
_LONG_PER_SHORT = 1333 / 800


class GroundingDinoGrounder(PromptedGrounder[TokenPrompt]):
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
        image_size: how many pixels of the short side the model sees, at least 32, with at most 5/3 as many of the long
            side: an image that is longer gets fewer of both. None does as the checkpoint says (800 and 1333). Fewer
            cost less time and find less that is small.
        batch_size: the most prompts in the model at once; a prompt takes some 1.5 GB.

    Raises:
        InputError: a setting out of range.
        WeightsError: the tokenizer is not the text model's own.
    """

    cards, default, files = CARDS, DEFAULT, _FILES
    family = "Grounding DINO"
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
        image_size: int | None = None,
        batch_size: int = 2,
    ) -> None:
        check_shares(self, box_threshold=box_threshold)
        if image_size is not None and image_size < _LEAST_SIDE:
            raise InputError(f"{type(self).__name__}: image_size must be at least {_LEAST_SIDE}, got {image_size}.")
        check_tokenizer(tokenizer, model.config.text_config.vocab_size, card.source)
        self.max_tokens = int(min(model.config.max_text_len, model.config.text_config.max_position_embeddings))
        super().__init__(
            model,
            GroundingDinoPrompts(tokenizer, self.max_tokens, phrases_per_prompt),
            card=card,
            device=device,
            nms_iou=nms_iou,
            max_boxes=max_boxes,
            batch_size=batch_size,
        )
        self.image_processor = image_processor
        self.tokenizer = tokenizer
        self.box_threshold = box_threshold
        self.image_size = image_size

    @classmethod
    def read_parts(cls, folder: Path, dtype: torch.dtype) -> Sequence[Any]:
        """The model, its image processor and its tokenizer.

        Raises:
            MissingWeights, WeightsError, BrokenInstallation: as :func:`.grounding_dino_files.read_model`.
        """
        others = (load_part(name, folder) for name in ("AutoImageProcessor", "AutoTokenizer"))
        return [read_model(folder, dtype), *others]

    @classmethod
    def read_file(cls, path: Path, dtype: torch.dtype) -> Sequence[Any]:
        """The model, its image processor and its tokenizer, from IDEA's own file
        (:func:`zsavs.models.native.grounding_dino.read`)."""
        return native.read(path, dtype)

    def _detect(self, images: Sequence[NDArray[np.uint8]], prompts: Sequence[TokenPrompt]) -> list[list[Found]]:
        """Ask each prompt of the image beside it: for each prompt, what each of its phrases found."""
        short = self.image_size
        pixels = self.image_processor(
            images=[_stretched(image) for image in images],
            return_tensors="pt",
            input_data_format="channels_last",
            **({"size": {"shortest_edge": short, "longest_edge": round(short * _LONG_PER_SHORT)}} if short else {}),
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
        with inference(self.family):
            dtypes = {"pixel_values": self.model.dtype}
            outputs = self.model(
                **{name: copy_to_device(tensor, self.device, dtypes.get(name)) for name, tensor in inputs.items()}
            )
            # (prompts, candidates, tokens); places without a token are -inf and become 0.
            probabilities: NDArray[np.float32] = copy_to_cpu(outputs.logits.float().sigmoid())
            boxes: NDArray[np.float32] = copy_to_cpu(outputs.pred_boxes.float())
            wait_for_copies(self.device)
        check_finite(self.family, probabilities, boxes)
        found = []
        for image, prompt, centres, by_token in zip(images, prompts, boxes, probabilities, strict=True):
            boxes_xyxy = from_centres(centres, image.shape[:2])
            # A phrase of characters that the tokenizer drops has no tokens, and finds nothing.
            found.append(
                [
                    self._found(boxes_xyxy, by_token[:, own].mean(axis=1), image, self.box_threshold)
                    if own
                    else Found.nothing()
                    for own in prompt.tokens
                ]
            )
        return found

    def _alike(self, image: NDArray[np.uint8], prompt: TokenPrompt) -> Hashable:
        """Of images of different sizes the padding would change the answer."""
        return image.shape[:2]


def _stretched(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image, stretched across if it is too long for the model to leave anything of its short side."""
    height, width = image.shape[:2]
    if max(height, width) <= _MAX_ASPECT * min(height, width):
        return np.array(image)
    long_side = min(max(height, width), _STRETCHED_SIDE)
    short_side = math.ceil(long_side / _MAX_ASPECT)
    size = (short_side, long_side) if height > width else (long_side, short_side)
    return np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
