"""Grounding DINO: boxes for phrases (Liu et al., "Grounding DINO: Marrying DINO with Grounded Pre-Training for Open-Set
Object Detection", ECCV 2024), and MM Grounding DINO (Zhao et al., 2024), by the classes of transformers."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsavs.errors import BrokenInstallation, InputError, MissingWeights, WeightsError
from zsavs.models.batching import in_batches, inference
from zsavs.models.checkpoints import card_for, load_model
from zsavs.models.detection import Found, as_proposals, from_centres, keep_best
from zsavs.models.runtime import import_transformers, load_part, resolve_device, resolve_dtype, to_device
from zsavs.models.transfer import copy_to_cpu, copy_to_device, wait_for_copies
from zsavs.storage.files import read_text
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard, fetch_again, locate
from zsavs.types import AVSample, Proposals, Query

if TYPE_CHECKING:
    import torch

__all__ = ["CARDS", "DEFAULT", "GroundingDinoGrounder"]

log = logging.getLogger(__name__)

DEFAULT = "IDEA-Research/grounding-dino-tiny"

CARDS: dict[str, WeightCard] = {
    DEFAULT: WeightCard(DEFAULT, "Apache-2.0", 689, "Objects365, GoldG, Cap4M: images with boxes and phrases"),
    "IDEA-Research/grounding-dino-base": WeightCard(
        "IDEA-Research/grounding-dino-base",
        "Apache-2.0",
        929,
        "COCO, Objects365, GoldG, Cap4M, OpenImages, ODinW-35, RefCOCO: images with boxes and phrases",
    ),
    "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det": WeightCard(
        "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det",
        "Apache-2.0",
        689,
        "Objects365, GoldG, V3Det: images with boxes and phrases",
        verified="from memory, look before relying on it",
    ),
}

#: The model class by the ``model_type`` of a checkpoint's config.json.
_CLASSES = {
    "grounding-dino": "GroundingDinoForObjectDetection",
    "mm-grounding-dino": "MMGroundingDinoForObjectDetection",
}

#: MM Grounding DINO has heads of its own in each decoder layer. Configurations written before transformers 5 do not
#: say so, and are then read as if one head were shared, which silently throws the others away.
_SEPARATE_HEADS = {"decoder_bbox_embed_share": False, "decoder_cls_embed_share": False}

#: What stands between two phrases of a prompt.
_BETWEEN = ". "

#: A longer image is stretched to this ratio of its sides: the model sees the long side at 1333 pixels, where the
#: short one of a very long image would be left with less than one.
_MAX_ASPECT = 8
_STRETCHED_SIDE = 2048


@dataclass(frozen=True)
class _Prompt:
    """Some phrases in one text, and which tokens of the text are whose.

    Args:
        text: the phrases, each followed by a full stop.
        phrases: as asked.
        tokens: for each phrase the places of its tokens in the text.
    """

    text: str
    phrases: tuple[str, ...]
    tokens: tuple[list[int], ...]


class GroundingDinoGrounder:
    """Boxes for each phrase of a query (:class:`zsavs.protocols.Grounder`).

    Phrases are lower-cased, and full stops and question marks, which the model takes for the end of a phrase, become
    blanks. A box scores for a phrase the mean probability of the phrase's own tokens; the text that the model's
    post-processing decodes is never used, as it merges and cuts phrases. A box may answer several phrases.

    Several phrases share one prompt, which is faster, and lets them move each other's scores and boxes a little, as
    the model looks at the image through the whole prompt. ``phrases_per_prompt=1`` rules that out.

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
        max_boxes: the most boxes for one phrase.
        phrases_per_prompt: the most phrases in one prompt.
        batch_size: the most prompts in the model at once; a prompt takes some 1.5 GB.

    Raises:
        InputError: a setting out of range.
    """

    #: For :func:`zsavs.models.compiled.compile_towers`.
    towers: ClassVar[tuple[str, ...]] = ("model.backbone", "model.encoder")

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
        max_boxes: int = 10,
        phrases_per_prompt: int = 8,
        batch_size: int = 2,
    ) -> None:
        if not (0 <= box_threshold <= 1 and 0 <= nms_iou <= 1):
            raise InputError(
                f"GroundingDinoGrounder: box_threshold and nms_iou lie in [0, 1], got {box_threshold}, {nms_iou}."
            )
        if min(max_boxes, phrases_per_prompt, batch_size) < 1:
            raise InputError(
                "GroundingDinoGrounder: max_boxes, phrases_per_prompt and batch_size are at least 1, got "
                f"{max_boxes}, {phrases_per_prompt}, {batch_size}."
            )
        if not tokenizer.is_fast:
            raise InputError("GroundingDinoGrounder: the tokenizer must be a fast one, which knows offsets.")
        self.device = resolve_device(device)
        self.model = to_device(model, self.device)
        self.image_processor = image_processor
        self.tokenizer = tokenizer
        self.card = card
        self.box_threshold = box_threshold
        self.nms_iou = nms_iou
        self.max_boxes = max_boxes
        self.phrases_per_prompt = phrases_per_prompt
        self.batch_size = batch_size
        self._known: Memo[dict[str, dict[str, Found]]] = Memo()
        self.max_tokens = int(min(model.config.max_text_len, model.config.text_config.max_position_embeddings))

    @classmethod
    def load(
        cls,
        checkpoint: str | Path = DEFAULT,
        *,
        revision: str = "main",
        device: str = "auto",
        dtype: str = "auto",
        box_threshold: float = 0.25,
        nms_iou: float = 0.7,
        max_boxes: int = 10,
        phrases_per_prompt: int = 8,
        batch_size: int = 2,
    ) -> GroundingDinoGrounder:
        """Load a checkpoint that is on this machine: a folder made by ``save_pretrained``, or a hub name.

        Args:
            checkpoint: a key of ``CARDS``, any other (MM) Grounding DINO in the hub cache, or a folder.
            revision: branch, tag or commit of a hub repository.
            device, dtype: see :mod:`zsavs.models.runtime`; "auto" is float32, as half precision moves boxes.
            box_threshold, nms_iou, max_boxes, phrases_per_prompt, batch_size: as for the class.

        Raises:
            MissingWeights: the checkpoint or one of its files is not on this machine.
            WeightsError: it cannot be read as a Grounding DINO.
            BrokenInstallation: it is an MM Grounding DINO, and transformers is too old to read that right.
        """
        folder = locate(checkpoint, revision)
        where = resolve_device(device)
        return cls(
            _load_model(folder, resolve_dtype(dtype, where, half_is_safe=False)),
            load_part("AutoImageProcessor", folder),
            load_part("AutoTokenizer", folder),
            card=card_for(CARDS, checkpoint, folder),
            device=str(where),
            box_threshold=box_threshold,
            nms_iou=nms_iou,
            max_boxes=max_boxes,
            phrases_per_prompt=phrases_per_prompt,
            batch_size=batch_size,
        )

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        """Candidate boxes for each sample, best first; none where the query is empty.

        Raises:
            WeightsError: the model returned NaN, or the device's memory is too small for one item.
        """
        cleaned = [[self._clean(phrase) for phrase in query.phrases] for query in queries]
        # Strategies often ask the same of an image: what each prompt found is remembered as long as the image lives.
        known = self._known([sample.image for sample in samples], lambda new: [{} for _ in new])
        work: dict[tuple[int, int], list[tuple[int, _Prompt]]] = {}
        for number, (sample, phrases) in enumerate(zip(samples, cleaned, strict=True)):
            asked = (prompt for prompt in self._prompts(phrases) if prompt.text not in known[number])
            work.setdefault(sample.size_hw, []).extend((number, prompt) for prompt in asked)
        for same_size in work.values():
            answers = in_batches(
                lambda batch: self._detect([samples[n].image for n, _ in batch], [prompt for _, prompt in batch]),
                same_size,
                self.batch_size,
            )
            for (number, prompt), answer in zip(same_size, answers, strict=True):
                known[number][prompt.text] = dict(zip(prompt.phrases, answer, strict=True))
        proposals = []
        for phrases, answers_of in zip(cleaned, known, strict=True):
            # "" stands for a phrase of which nothing is left to ask.
            found = {"": Found.nothing()}
            for prompt in self._prompts(phrases):
                found |= answers_of[prompt.text]
            proposals.append(as_proposals([found[phrase] for phrase in phrases]))
        return proposals

    def _clean(self, phrase: str) -> str:
        """The phrase as it is asked: no delimiters, no line breaks, short enough for a prompt of its own."""
        text = " ".join(phrase.lower().replace(".", " ").replace("?", " ").split())
        short = text
        ends = [end for _, end in self._encode(text)[1]]
        room = self.max_tokens - 3  # start, full stop, end
        while room > 0 and len(self._encode(f"{short}.")[0]) > self.max_tokens:
            # Less room each time: a text cut within a word may take more tokens than the same piece of the whole.
            short, room = text[: ends[room]].strip(), room - 1
        if short != text:
            log.warning(
                "a phrase is too long for Grounding DINO, only %d of its %d characters are asked: %.40s...",
                len(short),
                len(text),
                text,
            )
        return short

    def _encode(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids of a text and the piece of the text that each stands for; (0, 0) for the start and the end."""
        encoded = self.tokenizer(text, return_offsets_mapping=True, truncation=False, padding=False, verbose=False)
        return encoded["input_ids"], encoded["offset_mapping"]

    def _prompts(self, phrases: Sequence[str]) -> list[_Prompt]:
        """Share out the phrases, each once, over prompts of about the same number of phrases that fit the model.

        In alphabetical order, so that the same phrases make the same prompts whatever their order in the query.
        """
        asked = sorted({phrase for phrase in phrases if phrase})
        if not asked:
            return []
        most = math.ceil(len(asked) / math.ceil(len(asked) / self.phrases_per_prompt))
        groups: list[list[str]] = [[]]
        for phrase in asked:
            joined = [*groups[-1], phrase]
            if len(joined) > most or (len(joined) > 1 and len(self._encode(_join(joined))[0]) > self.max_tokens):
                groups.append([])
            groups[-1].append(phrase)
        return [self._prompt(group) for group in groups]

    def _prompt(self, phrases: Sequence[str]) -> _Prompt:
        text = _join(phrases)
        offsets = self._encode(text)[1]
        tokens, start = [], 0
        for phrase in phrases:
            end = start + len(phrase)
            tokens.append([t for t, (a, b) in enumerate(offsets) if a < b and start <= a and b <= end])
            start = end + len(_BETWEEN)
        return _Prompt(text, tuple(phrases), tuple(tokens))

    def _detect(self, images: Sequence[NDArray[np.uint8]], prompts: Sequence[_Prompt]) -> list[list[Found]]:
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
        with inference("Grounding DINO"):
            dtypes = {"pixel_values": self.model.dtype}
            outputs = self.model(
                **{name: copy_to_device(tensor, self.device, dtypes.get(name)) for name, tensor in inputs.items()}
            )
            # (prompts, candidates, tokens); places without a token are -inf and become 0.
            probabilities: NDArray[np.float32] = copy_to_cpu(outputs.logits.float().sigmoid())
            boxes: NDArray[np.float32] = copy_to_cpu(outputs.pred_boxes.float())
            wait_for_copies(self.device)
        if not (np.isfinite(probabilities).all() and np.isfinite(boxes).all()):
            raise WeightsError(
                "Grounding DINO returned NaN or infinity; load it with dtype='float32', and if that does not help, "
                "the weights are broken: delete and fetch them again"
            )
        return [
            [self._found(boxes[i], probabilities[i], tokens, images[i].shape[:2]) for tokens in prompt.tokens]
            for i, prompt in enumerate(prompts)
        ]

    def _found(
        self,
        boxes_cxcywh: NDArray[np.float32],
        probabilities: NDArray[np.float32],
        tokens: list[int],
        size_hw: tuple[int, int],
    ) -> Found:
        """The boxes of the phrase whose tokens are given, out of (candidates, 4) and (candidates, tokens)."""
        if not tokens:
            return Found.nothing()
        scores = probabilities[:, tokens].mean(axis=1)
        hit = scores > self.box_threshold
        boxes = from_centres(boxes_cxcywh[hit], size_hw)
        return keep_best(boxes, scores[hit], size_hw, nms_iou=self.nms_iou, max_boxes=self.max_boxes)


def _join(phrases: Sequence[str]) -> str:
    return _BETWEEN.join(phrases) + "."


def _stretched(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image, stretched across if it is too long for the model to leave anything of its short side."""
    height, width = image.shape[:2]
    if max(height, width) <= _MAX_ASPECT * min(height, width):
        return np.array(image)
    long_side = min(max(height, width), _STRETCHED_SIDE)
    short_side = math.ceil(long_side / _MAX_ASPECT)
    size = (short_side, long_side) if height > width else (long_side, short_side)
    return np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def _load_model(folder: Path, dtype: torch.dtype) -> Any:
    """Load the model of the family that the checkpoint's configuration names, refusing to fill gaps."""
    config = _read_config(folder)
    family = config.get("model_type")
    if family not in _CLASSES:
        raise WeightsError(
            f"{folder}: config.json names the model {family!r}, not one of {', '.join(_CLASSES)}; "
            f"give the folder of a Grounding DINO."
        )
    unsaid: dict[str, Any] = {}
    if family == "mm-grounding-dino":
        _check_heads_can_be_separate()
        unsaid = {name: value for name, value in _SEPARATE_HEADS.items() if name not in config}
    model = load_model(_CLASSES[family], folder, dtype, **unsaid)
    # The decoder refines boxes with the same heads that predict them, whether the layers share one head or not.
    for inner, outer in zip(model.model.decoder.bbox_embed, model.bbox_embed, strict=True):
        if not all(a.equal(b) for a, b in zip(inner.parameters(), outer.parameters(), strict=True)):
            raise WeightsError(
                f"{folder}: config.json says that the decoder's layers share their heads, and the weights say "
                f"otherwise; set {' and '.join(_SEPARATE_HEADS)} to false in it."
            )
    return model


def _check_heads_can_be_separate() -> None:
    """Refuse a transformers that knows no separate heads: it ties those of the file, without a word."""
    transformers = import_transformers()
    if not all(hasattr(transformers.MMGroundingDinoConfig, name) for name in _SEPARATE_HEADS):
        raise BrokenInstallation(
            f"transformers {transformers.__version__} reads MM Grounding DINO wrongly (it ties the heads of the "
            f"decoder's layers); run: pip install 'transformers>=5.21,<6', or use {DEFAULT}."
        )


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(read_text(path))
    except OSError as error:
        raise MissingWeights(f"{path}: cannot be read. To replace it, {fetch_again(path)}") from error
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: is not JSON ({error}). To replace it, {fetch_again(path)}") from error
    if not isinstance(config, dict):
        raise WeightsError(f"{path}: holds no configuration. To replace it, {fetch_again(path)}")
    return config
