"""OmDet-Turbo: boxes for class names (Zhao et al., "Real-time Transformer-based Open-Vocabulary Detection with
Efficient Fusion Head", 2024), by the classes of transformers and timm."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsavs.models.batching import inference
from zsavs.models.checkpoints import MODEL_FILES, PREPROCESSOR_FILES, TOKENIZER_FILES, check_tokenizer, needing
from zsavs.models.detection import MOST, Found, from_centres
from zsavs.models.device_copies import copy_to_cpu, copy_to_device, token_inputs, wait_for_copies
from zsavs.models.inputs import check_shares
from zsavs.models.omdet_attention import fuse_attention
from zsavs.models.omdet_files import read_model
from zsavs.models.outputs import check_finite
from zsavs.models.prompted_detection import PromptedGrounder
from zsavs.models.prompts import Prompt, Prompts
from zsavs.models.runtime import load_part
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "DEFAULT", "OmDetGrounder"]

DEFAULT = "omlab/omdet-turbo-swin-tiny-hf"

_FILES = (*MODEL_FILES, *PREPROCESSOR_FILES, *TOKENIZER_FILES)

CARDS: dict[str, WeightCard] = needing(
    {
        DEFAULT: WeightCard(
            DEFAULT,
            "Apache-2.0",
            462,
            "Objects365, GoldG: images with boxes and phrases; its text encoder began as CLIP's",
            verified="a stored copy of its hub page, commit dfd82f0; the data by the README of its authors' code",
        )
    },
    _FILES,
)

#: Images whose features are in the memo, for the next prompt and the next strategy: 8400 places of width 256 are 9 MB.
_IMAGES_IN_MEMO = 16


class TaskPrompts(Prompts[Prompt]):
    """Class names to the task that OmDet-Turbo reads beside them."""

    family = "OmDet-Turbo"

    def join(self, phrases: Sequence[str]) -> str:
        """The task, as the model was trained to read it."""
        return f"Detect {', '.join(phrases)}."

    def make(self, phrases: Sequence[str]) -> Prompt:
        """The task of finding some phrases."""
        return Prompt(self.join(phrases), tuple(phrases))


class OmDetGrounder(PromptedGrounder[Prompt]):
    """Boxes for each phrase of a query (:class:`zsavs.protocols.Grounder`).

    A phrase is a class name, whole: the model scores every candidate box for it by a similarity, and no tokens have to
    be told apart. It also reads a task, "Detect dog, cat.", and takes for candidates what is most like any of the
    names, so that names that are asked together move each other's boxes and scores. By default each is asked by itself,
    and nothing else in a query or a vocabulary changes what it finds. The image is encoded once, however many phrases
    there are and, while it is among the last ones, however many strategies ask; a prompt more costs the decoder, on a
    CPU about a third of what the image does.

    Args:
        model: a ``transformers.OmDetTurboForObjectDetection``; it is moved, frozen and put into evaluation mode, and
            its attention is computed by torch's own kernel.
        image_processor: its ``DetrImageProcessor``, which squeezes images into a square.
        tokenizer: its tokenizer, a fast one (with offsets).
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        threshold: a box is kept for a phrase if it scores higher, in [0, 1].
        nms_iou: of two boxes of one phrase that overlap by more, the better stays, in [0, 1].
        max_boxes: the most boxes for one phrase; a warning says how many more there were.
        phrases_per_prompt: the most phrases in one prompt. More than one is faster, and lets them move each other.
        batch_size: the most prompts in the model at once. On a CPU several take longer than one after the other.

    Raises:
        InputError: a setting out of range.
        WeightsError: the tokenizer is not the text model's own.
    """

    cards, default, files = CARDS, DEFAULT, _FILES
    family = "OmDet-Turbo"
    towers = ("vision_backbone", "encoder")

    def __init__(
        self,
        model: Any,
        image_processor: Any,
        tokenizer: Any,
        *,
        card: WeightCard,
        device: str = "cpu",
        threshold: float = 0.3,
        nms_iou: float = 0.5,
        max_boxes: int = MOST,
        phrases_per_prompt: int = 1,
        batch_size: int = 1,
    ) -> None:
        check_shares(self, threshold=threshold)
        text = model.config.text_config
        check_tokenizer(tokenizer, text.vocab_size, card.source)
        self.max_tokens = int(text.max_position_embeddings)
        super().__init__(
            model,
            TaskPrompts(tokenizer, self.max_tokens, phrases_per_prompt),
            card=card,
            device=device,
            nms_iou=nms_iou,
            max_boxes=max_boxes,
            batch_size=batch_size,
        )
        fuse_attention(model)
        self.image_processor = image_processor
        self.tokenizer = tokenizer
        self.threshold = threshold
        self._features: Memo[tuple[torch.Tensor, ...]] = Memo(_IMAGES_IN_MEMO)

    @classmethod
    def read_parts(cls, folder: Path, dtype: torch.dtype) -> Sequence[Any]:
        """The model, its image processor and its tokenizer.

        Raises:
            MissingWeights, WeightsError, BrokenInstallation: as :func:`.omdet_files.read_model`.
        """
        model = read_model(folder, dtype)
        # With the configuration, or they would read it themselves, and ask the hub what the image encoder is.
        others = (load_part(name, folder, config=model.config) for name in ("AutoImageProcessor", "AutoTokenizer"))
        return [model, *others]

    def _alike(self, image: NDArray[np.uint8], prompt: Prompt) -> Hashable:
        """Where prompts have fewer names than others of a batch, the model takes the padding for names."""
        return len(prompt.phrases)

    def _detect(self, images: Sequence[NDArray[np.uint8]], prompts: Sequence[Prompt]) -> list[list[Found]]:
        """Ask each prompt of the image beside it: for each prompt, what each of its phrases found."""
        features = self._features(images, self._encode)
        names = self._tokens([phrase for prompt in prompts for phrase in prompt.phrases])
        tasks = self._tokens([prompt.text for prompt in prompts])
        with inference(self.family):
            import torch

            texts = self.model.get_language_embedding(
                names["input_ids"],
                names["attention_mask"],
                tasks["input_ids"],
                tasks["attention_mask"],
                torch.tensor([len(prompt.phrases) for prompt in prompts], device=self.device),
            )
            outputs = self.model.decoder([torch.cat(level) for level in zip(*features, strict=True)], *texts)
            # Of the last layer: (prompts, candidates, phrases) and (prompts, candidates, 4).
            scores: NDArray[np.float32] = copy_to_cpu(outputs.decoder_classes[-1].float().sigmoid())
            boxes: NDArray[np.float32] = copy_to_cpu(outputs.decoder_coords[-1].float())
            wait_for_copies(self.device)
        check_finite(self.family, scores, boxes)
        found = []
        for image, centres, by_phrase in zip(images, boxes, scores, strict=True):
            boxes_xyxy = from_centres(centres, image.shape[:2])
            found.append([self._found(boxes_xyxy, each, image, self.threshold) for each in by_phrase.T])
        return found

    def _encode(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[torch.Tensor, ...]]:
        """For each image its features (1, C, h, w) on the device, fine ones first."""
        pixels = self.image_processor(
            images=[np.array(image) for image in images], return_tensors="pt", input_data_format="channels_last"
        )
        with inference(self.family):
            inputs = copy_to_device(pixels["pixel_values"], self.device, self.model.dtype)
            levels = self.model.encoder(self.model.vision_backbone(inputs)).extracted_states
            return list(zip(*(level.split(1) for level in levels), strict=True))

    def _tokens(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """Ids and attention mask of some texts, each (K, T), on the device.

        No longer than the longest: as words see only those before them, the padding changes nothing.
        """
        tokens = self.tokenizer(
            list(texts),
            padding=True,
            padding_side="right",
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
        )
        return token_inputs(tokens, self.device)
