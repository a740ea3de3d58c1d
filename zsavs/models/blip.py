"""BLIP: a sentence for an image (Li et al., "BLIP: Bootstrapping Language-Image Pre-training for Unified
Vision-Language Understanding and Generation", ICML 2022), by the BLIP classes of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.models.adapter import Adapter
from zsavs.models.batching import in_batches, inference
from zsavs.models.checkpoints import BERT_TOKENIZER_FILES, MODEL_FILES, PREPROCESSOR_FILES, check_tokenizer, needing
from zsavs.models.device_copies import copy_to_device
from zsavs.models.inputs import check_counts, check_images
from zsavs.models.runtime import quiet
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "DEFAULT", "BlipCaptioner"]

DEFAULT = "Salesforce/blip-image-captioning-base"

_MODEL = "BlipForConditionalGeneration"

_TRAINED_ON = "129 million web image-text pairs, COCO, Visual Genome; fine-tuned on COCO captions"
_READ = "a stored copy of its hub page, commit "

_FILES = (*MODEL_FILES, *PREPROCESSOR_FILES, *BERT_TOKENIZER_FILES)

CARDS: dict[str, WeightCard] = {
    DEFAULT: WeightCard(DEFAULT, "BSD-3-Clause", 990, _TRAINED_ON, verified=f"{_READ}82a3776"),
    "zsavs:nano/blip": WeightCard("zsavs:nano/blip", "Apache-2.0", 5, "drawn images of the orchestra with captions"),
    "Salesforce/blip-image-captioning-large": WeightCard(
        "Salesforce/blip-image-captioning-large", "BSD-3-Clause", 1879, _TRAINED_ON, verified=f"{_READ}353689b"
    ),
}
CARDS = needing(CARDS, _FILES)


class BlipCaptioner(Adapter):
    """Images to one sentence each (:class:`zsavs.protocols.Captioner`).

    Decoding draws nothing at random: beam search, or greedy with ``num_beams=1``. The defaults (3 beams, at most 20
    tokens, no repetition penalty) are those of the authors' captioning evaluation.

    Args:
        model: a ``transformers.BlipForConditionalGeneration``; it is moved, frozen and put into evaluation mode.
        processor: its ``BlipProcessor``.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        batch_size: the most images in the model at once.
        prompt: words that every sentence is made to begin with ("a photo of"); as in the authors' code they are left
            out of the answer. Empty for none.
        num_beams: hypotheses followed at once, at least 1.
        max_new_tokens: the most tokens of a sentence, the prompt not counted.
        repetition_penalty: 1 for none; above 1 makes words that stand there already less likely.

    Raises:
        InputError: a setting out of range.
        WeightsError: the tokenizer is not the text model's own.
    """

    cards, default, files = CARDS, DEFAULT, _FILES
    parts = (_MODEL, "BlipProcessor")
    towers = ("vision_model",)

    def __init__(
        self,
        model: Any,
        processor: Any,
        *,
        card: WeightCard,
        device: str = "cpu",
        batch_size: int = 8,
        prompt: str = "",
        num_beams: int = 3,
        max_new_tokens: int = 20,
        repetition_penalty: float = 1.0,
    ) -> None:
        check_counts(self, batch_size=batch_size, num_beams=num_beams, max_new_tokens=max_new_tokens)
        if not repetition_penalty > 0:
            raise InputError(f"BlipCaptioner: repetition_penalty must be above 0, got {repetition_penalty}.")
        check_tokenizer(processor.tokenizer, model.config.text_config.vocab_size, card.source)
        super().__init__(model, card, device)
        self.processor = processor
        self.batch_size = batch_size
        self.prompt = prompt
        self.num_beams = num_beams
        self.max_new_tokens = max_new_tokens
        self.repetition_penalty = repetition_penalty
        longest = self._opening().shape[1] + max_new_tokens
        if longest > model.config.text_config.max_position_embeddings:
            raise InputError(
                f"BlipCaptioner: prompt and max_new_tokens come to {longest} tokens, the model takes at most "
                f"{model.config.text_config.max_position_embeddings}; shorten the prompt or lower max_new_tokens."
            )
        self._captions: Memo[str] = Memo()

    def caption(self, items: Sequence[NDArray[np.uint8]]) -> list[str]:
        """Describe N images, each (H, W, 3) uint8 RGB: N sentences, stripped, possibly empty.

        Raises:
            ImageError: not a list of images.
            WeightsError: the device's memory is too small for one item.
        """
        return self._captions(check_images(items), self._describe_all)

    def _describe_all(self, images: list[NDArray[np.uint8]]) -> list[str]:
        return in_batches(self._describe, images, self.batch_size)

    def _describe(self, images: list[NDArray[np.uint8]]) -> list[str]:
        from PIL import Image

        # As PIL images: from arrays the processor guesses which axis holds the colours, and errs on 3-pixel images.
        as_pil = [Image.fromarray(image) for image in images]
        pixels = self.processor.image_processor(as_pil, return_tensors="pt")["pixel_values"]
        opening = self._opening().repeat(len(images), 1)
        with inference(_MODEL), quiet():
            tokens = self.model.generate(
                pixel_values=copy_to_device(pixels, self.device, self.model.dtype),
                input_ids=opening.clone(),
                attention_mask=opening.new_ones(opening.shape),
                do_sample=False,
                num_beams=self.num_beams,
                max_new_tokens=self.max_new_tokens,
                repetition_penalty=self.repetition_penalty,
            )
        # The prompt is taken off as text, as the first new token may go on with the prompt's last word.
        texts = self.processor.tokenizer.batch_decode([*opening[:1], *tokens], skip_special_tokens=True)
        return [text.strip().removeprefix(texts[0].strip()).strip() for text in texts[1:]]

    def _opening(self) -> torch.Tensor:
        """The tokens every sentence begins with, start and end marks included: (1, L)."""
        tokens: torch.Tensor = self.processor.tokenizer(self.prompt, return_tensors="pt")["input_ids"].to(self.device)
        return tokens
