"""The adapters on a CUDA device give what they give on the CPU (make test-gpu)."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from zsavs import testing
from zsavs.models.ast import AstTagger
from zsavs.models.blip import BlipCaptioner
from zsavs.models.clap import ClapEncoder
from zsavs.models.grounding_dino import GroundingDinoGrounder
from zsavs.models.open_clip import OpenClipEncoder
from zsavs.models.sam2 import Sam2Segmenter
from zsavs.models.whisper_captioner import WhisperCaptioner
from zsavs.tiny.detectors import tiny_grounding_dino
from zsavs.tiny.encoders import tiny_blip, tiny_clap, tiny_open_clip
from zsavs.tiny.segmenters import tiny_sam2
from zsavs.tiny.sounds import tiny_ast, tiny_whisper
from zsavs.types import Query

pytestmark = pytest.mark.gpu

SAMPLES = testing.example_samples()


@pytest.fixture(autouse=True)
def cuda() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("NOT RUN: needs a CUDA device")


def on_gpu(part: Any) -> Any:
    """The same weights on the device."""
    rest: dict[str, Any] = {"card": part.card, "device": "cuda"}
    model = copy.deepcopy(part.model)
    if isinstance(part, ClapEncoder):
        return ClapEncoder(model, part.feature_extractor, part.tokenizer, **rest)
    if isinstance(part, OpenClipEncoder):
        return OpenClipEncoder(model, part.preprocess, part.tokenizer, **rest)
    if isinstance(part, BlipCaptioner):
        return BlipCaptioner(model, part.processor, max_new_tokens=part.max_new_tokens, **rest)
    if isinstance(part, AstTagger):
        return AstTagger(model, part.feature_extractor, **rest)
    if isinstance(part, WhisperCaptioner):
        return WhisperCaptioner(
            model, part.feature_extractor, part.tokenizer, max_new_tokens=part.max_new_tokens, **rest
        )
    if isinstance(part, GroundingDinoGrounder):
        return GroundingDinoGrounder(model, part.image_processor, part.tokenizer, box_threshold=0.0, **rest)
    assert isinstance(part, Sam2Segmenter)
    return Sam2Segmenter(model, part.image_processor, **rest)


def test_sounds_and_texts() -> None:
    cpu = tiny_clap()
    gpu = on_gpu(cpu)
    clips = [sample.audio for sample in SAMPLES]
    assert np.abs(gpu.encode_audio(clips) - cpu.encode_audio(clips)).max() < 1e-3
    assert np.abs(gpu.encode_text(["dog", "piano"]) - cpu.encode_text(["dog", "piano"])).max() < 1e-3


def test_pictures_and_texts() -> None:
    cpu = tiny_open_clip()
    gpu = on_gpu(cpu)
    images = [sample.image for sample in SAMPLES]
    assert np.abs(gpu.encode_image(images) - cpu.encode_image(images)).max() < 1e-3
    assert np.abs(gpu.encode_text(["dog", "piano"]) - cpu.encode_text(["dog", "piano"])).max() < 1e-3


def test_captions() -> None:
    testing.check_captioner(on_gpu(tiny_blip()))


def test_tags() -> None:
    cpu = tiny_ast()
    clips = [sample.audio for sample in SAMPLES]
    for mine, theirs in zip(on_gpu(cpu).tag(clips), cpu.tag(clips), strict=True):
        assert dict(mine) == pytest.approx(dict(theirs), abs=1e-3)


def test_captions_of_sounds() -> None:
    testing.check_captioner(on_gpu(tiny_whisper()), [sample.audio for sample in SAMPLES])


def test_boxes() -> None:
    cpu = tiny_grounding_dino()
    queries = [Query(("dog", "piano"), np.array([0.9, 0.5], np.float32))] * len(SAMPLES)
    for mine, theirs in zip(on_gpu(cpu).ground(SAMPLES, queries), cpu.ground(SAMPLES, queries), strict=True):
        assert mine.scores.max() == pytest.approx(theirs.scores.max(), abs=1e-2)


def test_masks() -> None:
    cpu = tiny_sam2()
    proposals = testing.example_proposals(SAMPLES)
    for mine, theirs in zip(on_gpu(cpu).segment(SAMPLES, proposals), cpu.segment(SAMPLES, proposals), strict=True):
        assert mine.shape == theirs.shape
        assert not mine.size or np.abs(mine - theirs).max() < 0.05
