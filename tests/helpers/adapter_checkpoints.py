"""The adapters that load a checkpoint of transformers: what a folder of each holds, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import transformers
from adapter_uses import parts_of

from zsavs.testing.tiny.tokenizers import clip_tokenizer

__all__ = ["CHECKPOINTS", "Checkpoint", "save"]


@dataclass(frozen=True)
class Checkpoint:
    """What is known of an adapter's checkpoints.

    Args:
        licence: of the default one, or of the first one that has a card.
        weight: one of the model's weights, which no file may lack.
        settings: for each setting a value that is not its default.
        processor: the class of transformers that saves all that prepares inputs in one file; "" saves each by itself.
        tokenizer: whether the published repository holds a tokenizer, which another adapter reads.
        tolerance: how far the answers of the loaded model may be off, as where in memory the weights lie decides the
            order of some sums.
    """

    licence: str
    weight: str
    settings: Mapping[str, Any]
    processor: str = ""
    tokenizer: bool = False
    tolerance: float = 0.0


_CLAP = Checkpoint(
    "Apache-2.0",
    "text_projection.linear1.weight",
    {"batch_size": 2, "hop_s": 1.0, "max_text_tokens": 20},
    tolerance=1e-6,
)
_GROUNDING_DINO = Checkpoint(
    "Apache-2.0",
    "model.level_embed",
    {"box_threshold": 0.31, "nms_iou": 0.6, "max_boxes": 3, "phrases_per_prompt": 2, "batch_size": 5},
    processor="GroundingDinoProcessor",
)

_PROMPTED_MASKS = Checkpoint(
    "Apache-2.0",
    "mask_decoder.iou_token.weight",
    {"multimask": False, "batch_size": 2, "prompts_at_once": 3},
)
_VIDEO_MEMORY = Checkpoint(
    "Apache-2.0",
    "memory_encoder.projection.weight",
    {"batch_size": 2, "min_overlap": 0.6, "min_similarity": 0.7},
    tolerance=1e-3,  # a pixel whose logit is 0 but for rounding
)

#: By the names of :data:`adapter_uses.USES`.
CHECKPOINTS: dict[str, Checkpoint] = {
    "clap": _CLAP,
    "clap_fusion": _CLAP,
    "pe_av": Checkpoint(
        "Apache-2.0",
        "audio_model.audio_head.proj.weight",
        {"batch_size": 2, "window_s": 2.0, "text": "sound", "max_text_tokens": 20},
        tolerance=1e-5,
    ),
    "pe_audio": Checkpoint(
        "Apache-2.0",
        "audio_encoder.output.weight",
        {"batch_size": 2, "window_s": 2.0, "max_text_tokens": 20},
        tolerance=1e-5,
    ),
    "blip": Checkpoint(
        "BSD-3-Clause",
        "vision_model.post_layernorm.weight",
        {"batch_size": 2, "prompt": "a photo of", "num_beams": 2, "max_new_tokens": 5, "repetition_penalty": 1.5},
    ),
    "whisper": Checkpoint(
        "CC-BY-NC-4.0",
        "model.encoder.conv1.weight",
        {"batch_size": 2, "prefix": "a caption: ", "num_beams": 2, "max_new_tokens": 5, "hop_s": 1.0},
    ),
    "qwen_audio": Checkpoint(
        "Apache-2.0",
        "audio_tower.conv1.weight",
        {"prompt": "<|AUDIO|> tell:", "max_new_tokens": 5, "hop_s": 1.0},
    ),
    "qwen2_5_omni": Checkpoint("Apache-2.0", "audio_tower.conv1.weight", {"max_new_tokens": 5}),
    "qwen3_omni": Checkpoint("Apache-2.0", "audio_tower.conv2d1.weight", {"max_new_tokens": 5}),
    "ast": Checkpoint("BSD-3-Clause", "classifier.dense.weight", {"batch_size": 2, "hop_s": 0.5}),
    "grounding_dino": _GROUNDING_DINO,
    "mm_grounding_dino": _GROUNDING_DINO,
    "omdet": Checkpoint(
        "Apache-2.0",
        "language_backbone.text_projection",
        {"threshold": 0.31, "nms_iou": 0.6, "max_boxes": 3, "phrases_per_prompt": 2, "batch_size": 5},
        processor="OmDetTurboProcessor",
    ),
    "owlv2": Checkpoint(
        "Apache-2.0",
        "class_head.dense0.weight",
        {"threshold": 0.31, "nms_iou": 0.6, "max_boxes": 3, "vote_iou": 0.7, "template": "one {}", "batch_size": 5},
        processor="Owlv2Processor",
    ),
    "sam3": Checkpoint(
        "SAM License",
        "mask_decoder.mask_embedder.layers.0.weight",
        {"threshold": 0.31, "nms_iou": 0.6, "max_boxes": 3, "batch_size": 5, "phrases_at_once": 2},
        processor="Sam3Processor",
    ),
    "sam2": _PROMPTED_MASKS,
    "edgetam": replace(_PROMPTED_MASKS, tolerance=1e-5),
    "sam3_segmenter": replace(_PROMPTED_MASKS, licence="SAM License", tokenizer=True),
    "sam2_video": _VIDEO_MEMORY,
    "edgetam_video": _VIDEO_MEMORY,
    "sam3_video": replace(_VIDEO_MEMORY, licence="SAM License", tokenizer=True),
}


def save(name: str, part: Any, folder: Path) -> Path:
    """Make a checkpoint folder as ``save_pretrained`` does, of the adapter that has this name in ``CHECKPOINTS``."""
    part.model.save_pretrained(folder)
    processor = CHECKPOINTS[name].processor
    if processor:
        getattr(transformers, processor)(**parts_of(part)).save_pretrained(folder)
    else:
        for prepares in parts_of(part).values():
            prepares.save_pretrained(folder)
    if CHECKPOINTS[name].tokenizer:
        clip_tokenizer(max_length=32).save_pretrained(folder)
    return folder
