"""Every adapter at toy size, what it is used for, and the same weights on another device."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from zsavs import testing
from zsavs.testing.tiny.audio import tiny_ast, tiny_qwen_audio, tiny_whisper
from zsavs.testing.tiny.detectors import tiny_grounding_dino, tiny_omdet, tiny_owlv2
from zsavs.testing.tiny.encoders import tiny_blip, tiny_clap, tiny_open_clip
from zsavs.testing.tiny.joint import tiny_imagebind, tiny_pe_audio, tiny_pe_av
from zsavs.testing.tiny.omni import tiny_qwen2_5_omni, tiny_qwen3_omni
from zsavs.testing.tiny.sam3 import tiny_sam3, tiny_sam3_segmenter, tiny_sam3_video
from zsavs.testing.tiny.segmenters import tiny_edgetam, tiny_sam2
from zsavs.testing.tiny.trackers import tiny_edgetam_video, tiny_sam2_video
from zsavs.types import AudioClip, Query

__all__ = ["USES", "far_off", "on_device", "parts_of", "settings_of"]

SAMPLES = testing.example_samples()
#: Half a second of each, as what PE-AV takes of a sound is as long as the sound.
CLIPS = [
    AudioClip(sample.audio.waveform[:, : sample.audio.sample_rate_hz // 2], sample.audio.sample_rate_hz)
    for sample in SAMPLES
]
IMAGES = [sample.image for sample in SAMPLES]
WORDS = ["dog", "piano"]
QUERIES = [Query(("dog", "piano"), np.array([0.9, 0.5], np.float32))] * len(SAMPLES)
PROPOSALS = testing.example_proposals(SAMPLES)
FRAMES, FOUND = testing.example_frames()
POINTS = [np.array([[[3.0, 4.0]], [[40.0, 30.0]]])] * len(SAMPLES)

Uses = dict[str, Callable[[Any], Any]]


def _found(part: Any) -> list[np.ndarray]:
    """Boxes and scores in one table for each sample, by phrase and place and not by score."""
    tables = []
    for found in part.ground(SAMPLES, QUERIES):
        rows = np.column_stack([found.sources, found.boxes_xyxy, found.scores])
        tables.append(rows[np.lexsort(np.round(rows).T[::-1])])
    return tables


def _projected(part: Any, kind: str, items: list[Any]) -> Any:
    grids = getattr(part, f"encode_{kind}_tokens")(items)
    return getattr(part, f"project_{kind}_tokens")(np.stack([grid.mean(axis=(0, 1)) for grid in grids]))


AUDIO_USES: Uses = {"audio": lambda part: part.encode_audio(CLIPS)}
IMAGE_USES: Uses = {"images": lambda part: part.encode_image(IMAGES)}
TEXT_USES: Uses = {"texts": lambda part: part.encode_text(WORDS)}
PSEUDO_WORD_USES: Uses = {
    "pseudo words": lambda part: part.encode_pseudo_words("a sound of {}", part.embed_words(WORDS))[0]
}
JOINT_USES: Uses = {**AUDIO_USES, **IMAGE_USES, **TEXT_USES, **PSEUDO_WORD_USES}
BOX_USES: Uses = {"boxes": _found}
PROMPT_USES: Uses = {
    "boxes": lambda part: part.segment(SAMPLES, PROPOSALS),
    "points": lambda part: [logits for logits, _ in part.segment_points(SAMPLES, POINTS)],
}


def _followed(part: Any) -> list[np.ndarray]:
    """The coarsest features of the first frames, and how much of each frame a square covers that is followed."""
    walk = part.follow(FRAMES[:3])
    shares = []
    for step in range(3):
        masks = walk.step()
        shares.append(np.array([masks[0].mean() if masks else 0.0]))
        if not step:
            walk.seed(0, FOUND[0].masks[0])
    return [*(scales[-1].cpu().numpy() for scales, _ in part.encode(FRAMES[:3])), *shares]


FOLLOW_USES: Uses = {"followed": _followed}


def _asked(part: Any) -> list[Any]:
    """What an omni model replies to the first sample, and its log odds of yes for each."""
    chat = [{"role": "user", "content": "what is it?"}]
    odds = [part.log_odds_of_yes(sample.image, clip, chat)[0] for sample, clip in zip(SAMPLES, CLIPS, strict=True)]
    return [part.reply(SAMPLES[0].image, CLIPS[0], chat)[0], odds]


#: By name: what makes it, with a seed if one is given, and what it is asked.
USES: dict[str, tuple[Callable[..., Any], Uses]] = {
    "clap": (tiny_clap, {**AUDIO_USES, **TEXT_USES, "tokens": lambda part: _projected(part, "audio", CLIPS)}),
    "clap_fusion": (partial(tiny_clap, fusion=True), {**AUDIO_USES, **TEXT_USES}),
    "open_clip": (
        tiny_open_clip,
        {**IMAGE_USES, **TEXT_USES, "tokens": lambda part: _projected(part, "image", IMAGES)},
    ),
    "imagebind": (tiny_imagebind, JOINT_USES),
    "pe_av": (tiny_pe_av, JOINT_USES),
    "pe_audio": (
        tiny_pe_audio,
        {**AUDIO_USES, **TEXT_USES, "frames": lambda part: part.encode_audio_frames(CLIPS)},
    ),
    "blip": (tiny_blip, {"captions": lambda part: part.caption(IMAGES)}),
    "whisper": (tiny_whisper, {"captions": lambda part: part.caption(CLIPS)}),
    "qwen_audio": (tiny_qwen_audio, {"captions": lambda part: part.caption(CLIPS)}),
    "qwen2_5_omni": (tiny_qwen2_5_omni, {"asked": _asked}),
    "qwen3_omni": (tiny_qwen3_omni, {"asked": _asked}),
    "ast": (
        tiny_ast,
        {"tags": lambda part: [[dict(tags)[label] for label in part.labels] for tags in part.tag(CLIPS)]},
    ),
    "grounding_dino": (tiny_grounding_dino, BOX_USES),
    "mm_grounding_dino": (partial(tiny_grounding_dino, mm=True), BOX_USES),
    "omdet": (tiny_omdet, BOX_USES),
    "owlv2": (tiny_owlv2, BOX_USES),
    "sam3": (tiny_sam3, BOX_USES),
    "sam2": (tiny_sam2, PROMPT_USES),
    "edgetam": (tiny_edgetam, PROMPT_USES),
    "sam3_segmenter": (tiny_sam3_segmenter, PROMPT_USES),
    "sam2_video": (tiny_sam2_video, FOLLOW_USES),
    "edgetam_video": (tiny_edgetam_video, FOLLOW_USES),
    "sam3_video": (tiny_sam3_video, FOLLOW_USES),
}

#: What a constructor takes after the model, by name of the attribute that keeps it.
_PARTS = ("feature_extractor", "image_processor", "video_processor", "preprocess", "processor", "tokenizer")
_SETTINGS = ("max_new_tokens", "box_threshold", "threshold")


def parts_of(part: Any) -> dict[str, Any]:
    """What prepares an adapter's inputs, by name, in the order of its constructor."""
    return {name: getattr(part, name) for name in _PARTS if hasattr(part, name)}


def settings_of(part: Any) -> dict[str, Any]:
    """The settings that a toy adapter was given, beside its parts."""
    return {name: getattr(part, name) for name in _SETTINGS if hasattr(part, name)}


def on_device(part: Any, device: Any, dtype: torch.dtype = torch.float32) -> Any:
    """The same weights on a device, in a dtype, behind the same adapter, whose memos are empty."""
    model = copy.deepcopy(part.model).to(dtype)
    return type(part)(model, *parts_of(part).values(), card=part.card, device=device, **settings_of(part))


def far_off(got: Any, wanted: Any) -> float:
    """The largest difference between two answers; infinity for other shapes, 1 for other words."""
    if isinstance(wanted, str):
        return float(got != wanted)
    if isinstance(wanted, list):
        return max((far_off(one, other) for one, other in zip(got, wanted, strict=True)), default=0.0)
    if np.shape(got) != np.shape(wanted):
        return float("inf")
    return float(np.abs(np.asarray(got, np.float64) - wanted).max(initial=0.0))
