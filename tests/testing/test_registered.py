"""Every registered component keeps its contract: real classes at toy size, and whole pipelines of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_banks import with_banks

import zsavs
from zsavs import testing
from zsavs.grounding.full_frame import FullFrame
from zsavs.grounding.object_proposals import DetectorProposals
from zsavs.grounding.peaks import PeakRegions
from zsavs.grounding.refined_boxes import RefinedBoxes
from zsavs.grounding.segment_proposals import SegmentProposals
from zsavs.registry import ROLES, list_components
from zsavs.segmentation.enlarged_crops import CloserLook
from zsavs.segmentation.grounder_masks import FromGrounder
from zsavs.testing import toy
from zsavs.testing.tiny.audio import tiny_ast, tiny_qwen_audio, tiny_whisper
from zsavs.testing.tiny.chat import tiny_chat
from zsavs.testing.tiny.detectors import tiny_grounding_dino, tiny_omdet, tiny_owlv2
from zsavs.testing.tiny.encoders import tiny_blip, tiny_clap, tiny_open_clip
from zsavs.testing.tiny.files import (
    tiny_deeplab,
    tiny_u2net,
    tiny_yamnet,
    tiny_yamnet_encoder,
    tiny_yolox,
    tiny_yolox_captioner,
    tiny_yolox_encoder,
)
from zsavs.testing.tiny.joint import tiny_imagebind, tiny_pe_audio, tiny_pe_av
from zsavs.testing.tiny.omni import tiny_qwen2_5_omni, tiny_qwen3_omni
from zsavs.testing.tiny.sam3 import tiny_sam3, tiny_sam3_segmenter, tiny_sam3_video
from zsavs.testing.tiny.segmenters import tiny_edgetam, tiny_sam2
from zsavs.testing.tiny.trackers import tiny_edgetam_video, tiny_sam2_video
from zsavs.tracking.associate import Associate
from zsavs.tracking.untracked import untracked
from zsavs.translation.assembled import AssembledOmni
from zsavs.translation.chat import ChatTranslator
from zsavs.translation.endpoint import EndpointTranslator
from zsavs.translation.qwen2_5_omni import Qwen25Omni
from zsavs.translation.qwen3_omni import Qwen3Omni
from zsavs.translation.rules import RuleTranslator
from zsavs.verification.clip_rescoring import ClipVerifier
from zsavs.verification.joint_rescoring import JointVerifier
from zsavs.verification.omni_judge import OmniJudge
from zsavs.verification.pivot_box import PivotBox
from zsavs.verification.point_prompts import PointedRegions
from zsavs.verification.second_opinion import SecondOpinion
from zsavs.verification.selection import TrustGrounder


def told(translator: EndpointTranslator) -> EndpointTranslator:
    """An endpoint whose server names a dog, whatever it is asked."""
    reply = '{"sources": [{"phrase": "dog", "heard": "Bark", "reason": "it is seen"}]}'
    setattr(translator, "ask", lambda chat: (reply, 7))  # noqa: B010
    return translator


BANKS = ("sound_bank", "picture_bank")

#: A part for every registered name. A new component is added here, or the first test fails.
PARTS: dict[tuple[str, str], Callable[[], Any]] = {
    ("audio_text", "clap"): tiny_clap,
    ("audio_text", "imagebind"): tiny_imagebind,
    ("audio_text", "pe_audio"): tiny_pe_audio,
    ("audio_text", "pe_av"): tiny_pe_av,
    ("audio_text", "toy"): toy.ToyAudioText,
    ("audio_text", "yamnet"): tiny_yamnet_encoder,
    ("image_text", "imagebind"): tiny_imagebind,
    ("image_text", "open_clip"): tiny_open_clip,
    ("image_text", "pe_av"): tiny_pe_av,
    ("image_text", "toy"): toy.ToyImageText,
    ("image_text", "yolox"): tiny_yolox_encoder,
    ("joint", "imagebind"): tiny_imagebind,
    ("joint", "pe_av"): tiny_pe_av,
    ("joint", "toy"): toy.ToyJoint,
    ("captioner", "blip"): tiny_blip,
    ("captioner", "toy"): toy.ToyCaptioner,
    ("captioner", "yolox"): tiny_yolox_captioner,
    ("audio_tagger", "ast"): tiny_ast,
    ("audio_tagger", "toy"): toy.ToyTagger,
    ("audio_tagger", "yamnet"): tiny_yamnet,
    ("audio_captioner", "qwen_audio"): tiny_qwen_audio,
    ("audio_captioner", "toy"): toy.ToyAudioCaptioner,
    ("audio_captioner", "whisper"): tiny_whisper,
    ("translator", "chat"): lambda: ChatTranslator(tiny_chat, "tiny"),
    ("translator", "openai"): lambda: told(EndpointTranslator("model", "http://localhost:9/v1")),
    ("translator", "rules"): RuleTranslator,
    ("omni", "assembled"): lambda: AssembledOmni(tiny_blip(), with_banks(tiny_imagebind(), *BANKS), min_z=-9.0),
    ("omni", "qwen2_5_omni"): lambda: Qwen25Omni(tiny_qwen2_5_omni()),
    ("omni", "qwen3_omni"): lambda: Qwen3Omni(tiny_qwen3_omni()),
    ("omni", "toy"): toy.ToyOmni,
    ("grounder", "full_frame"): FullFrame,
    ("grounder", "grounding_dino"): tiny_grounding_dino,
    ("grounder", "objects"): lambda: DetectorProposals(tiny_grounding_dino()),
    ("grounder", "peaks"): lambda: PeakRegions(tiny_sam2()),
    ("grounder", "refined"): lambda: RefinedBoxes(tiny_grounding_dino(), tiny_sam2()),
    ("grounder", "omdet"): tiny_omdet,
    ("grounder", "owlv2"): tiny_owlv2,
    ("grounder", "sam3"): tiny_sam3,
    ("grounder", "segments"): lambda: SegmentProposals(tiny_sam2(), points_per_side=4, min_iou=0, min_stability=0),
    ("grounder", "toy"): toy.ToyGrounder,
    ("grounder", "toy_peaks"): toy.ToyPeaks,
    ("grounder", "toy_segments"): toy.ToySegments,
    ("grounder", "yolox"): tiny_yolox,
    ("verifier", "clip"): lambda: ClipVerifier(
        with_banks(tiny_open_clip(), "picture_bank"), ("red", "blue", "dog"), silent=("tree",)
    ),
    ("verifier", "joint"): lambda: JointVerifier(
        with_banks(tiny_imagebind(), "picture_bank"), ("red", "blue", "dog"), silent=("tree",)
    ),
    ("verifier", "omni_judge"): lambda: OmniJudge(toy.ToyOmni()),
    ("verifier", "pivot_box"): PivotBox,
    ("verifier", "pointed"): lambda: PointedRegions(TrustGrounder(), with_banks(tiny_open_clip(), "picture_bank")),
    ("verifier", "second_opinion"): lambda: SecondOpinion(
        with_banks(tiny_imagebind(), "picture_bank"),
        with_banks(tiny_open_clip(), "picture_bank"),
        ("red", "blue", "dog"),
        silent=("tree",),
    ),
    ("verifier", "trust_grounder"): TrustGrounder,
    ("segmenter", "closer"): lambda: CloserLook(toy.ToySegmenter()),
    ("segmenter", "deeplab"): lambda: tiny_deeplab(segmenter=tiny_u2net(), min_fill=0.5),
    ("segmenter", "edgetam"): tiny_edgetam,
    ("segmenter", "from_grounder"): lambda: FromGrounder(toy.ToySegmenter()),
    ("segmenter", "sam2"): tiny_sam2,
    ("segmenter", "sam3"): tiny_sam3_segmenter,
    ("segmenter", "toy"): toy.ToySegmenter,
    ("segmenter", "u2net"): tiny_u2net,
    ("tracker", "associate"): lambda: Associate(toy.ToyImageText()),
    ("tracker", "edgetam_video"): tiny_edgetam_video,
    ("tracker", "none"): untracked,
    ("tracker", "sam2_video"): tiny_sam2_video,
    ("tracker", "sam3_video"): tiny_sam3_video,
}

CHECKS: dict[str, Callable[[Any], None]] = {
    "audio_text": testing.check_encoder,
    "image_text": testing.check_encoder,
    "joint": testing.check_encoder,
    "captioner": testing.check_captioner,
    "audio_tagger": testing.check_audio_tagger,
    "audio_captioner": lambda made: testing.check_captioner(made, [s.audio for s in testing.example_samples()]),
    "translator": testing.check_translator,
    "omni": testing.check_omni,
    "grounder": testing.check_grounder,
    "verifier": testing.check_verifier,
    "segmenter": testing.check_segmenter,
    "tracker": lambda made: None if made is None else testing.check_tracker(made),
}

#: Random weights hear nothing in particular: thresholds under which every phrase stays, and weights still differ.
OPEN = {"min_z": -3.0, "max_gap": 1e6, "top_k": 4}
#: The same for strategies that hear without similarities; random words name nothing visible.
OPEN_BY_STRATEGY: dict[str, dict[str, Any]] = {
    "classify": {"min_probability": 0.0, "top_k": 4},
    "omni": {"top_k": 4},
    "pivot": {"min_probability": 0.0, "top_k": 4},
    "translated": {"min_probability": 0.0, "top_k": 4},
    "caption": {"nouns": lambda caption: [*caption.split()[:1], *WORDS], "top_k": 4},
}
WORDS = ("dog", "cat", "piano", "siren")


def saying_words(omni: Qwen3Omni) -> Qwen3Omni:
    """An omni model whose random replies are put into the form; which word it names depends on what it replied."""
    reply = omni.model.reply

    def in_form(*asked: Any) -> tuple[str, int]:
        text, tokens = reply(*asked)
        sources = [{"phrase": WORDS[sum(text.encode()) % len(WORDS)], "heard": "a sound", "reason": "none"}]
        return json.dumps({"sources": sources}), tokens

    setattr(omni.model, "reply", in_form)  # noqa: B010
    return omni


@pytest.fixture(scope="module")
def tiny_parts() -> dict[str, Any]:
    """One of each role, real classes with random weights; the captioner's random words stay random words."""
    return {
        "audio_text": with_banks(tiny_clap(), "sound_bank"),
        "image_text": with_banks(tiny_open_clip(), "picture_bank"),
        "joint": with_banks(tiny_imagebind(), *BANKS),
        "captioner": tiny_blip(),
        "audio_tagger": tiny_ast(),
        "audio_captioner": tiny_whisper(),
        "omni": saying_words(Qwen3Omni(tiny_qwen3_omni())),
        "grounder": tiny_grounding_dino(),
        "segmenter": tiny_sam2(),
    }


def test_no_registered_component_is_left_out() -> None:
    registered = {(role, name) for role in ROLES for name in list_components(role)}
    assert registered == set(PARTS)


#: A part that has several roles with one check is checked once, in the last of them.
CHECKED = sorted({(CHECKS[role], make): (role, name) for (role, name), make in PARTS.items()}.values())


@pytest.mark.parametrize(("role", "name"), CHECKED)
def test_component_keeps_its_contract(role: str, name: str) -> None:
    CHECKS[role](PARTS[role, name]())


#: Further ways of strategies that have several.
VARIANTS = {"fused": ["embedding"], "cofactorization": ["gradient"]}
#: What else keeps a strategy from answering under random weights.
OPEN_TO_SEEING: dict[str, dict[str, Any]] = {
    "fused": {"min_seen": -3.0},
    "cofactorization": {"min_seen": -3.0, "min_agreement": 0.0, "min_share": 0.0, "steps": 8},
    "textual_inversion": {"steps": 12},
}


@pytest.mark.parametrize("variant", ["", "embedding", "gradient"])
@pytest.mark.parametrize("name", zsavs.list_components("strategy"))
def test_strategy_keeps_its_contract_with_real_classes(name: str, variant: str, tiny_parts: dict[str, Any]) -> None:
    if variant and variant not in VARIANTS.get(name, []):
        pytest.skip("not one of its variants")
    settings: dict[str, Any] = {**OPEN_BY_STRATEGY.get(name, OPEN), **OPEN_TO_SEEING.get(name, {})}
    settings |= {"variant": variant} if variant else {}
    if name == "cross_modal":
        settings["nouns"] = lambda caption: [*WORDS, *caption.split()[:1]]
    pipe = zsavs.build_pipeline(name, preset="toy", vocabulary=WORDS, **settings, **tiny_parts)
    testing.check_strategy(pipe.strategy, silence_is_empty=False)


@pytest.mark.parametrize("name", zsavs.list_components("strategy"))
def test_whole_pipeline_of_real_classes(name: str, tiny_parts: dict[str, Any]) -> None:
    settings: dict[str, Any] = {**OPEN_BY_STRATEGY.get(name, OPEN), **OPEN_TO_SEEING.get(name, {})}
    if name == "cross_modal":
        settings["nouns"] = lambda _: list(WORDS)
    pipe = zsavs.build_pipeline(name, preset="toy", vocabulary=WORDS, **settings, **tiny_parts)
    pipe = replace(pipe, verifier=TrustGrounder())  # so that every box gets its mask
    samples = testing.example_samples()[1:4]  # of two sizes
    together = pipe.batch(samples)
    for sample, result in zip(samples, together, strict=True):
        assert result.score_map.shape == sample.size_hw
        assert np.array_equal(result.mask, result.score_map > 0.5)
        fresh = zsavs.AVSample(sample.image.copy(), sample.audio, sample.name)
        alone = pipe(fresh)
        assert alone.phrases == result.phrases
        assert np.abs(alone.score_map - result.score_map).max() < 1e-3
        again = pipe(zsavs.AVSample(sample.image.copy(), sample.audio, sample.name))
        assert again.to_json().split('"timings_s"')[0] == alone.to_json().split('"timings_s"')[0]
    assert any(len(result) for result in together)
    assert together[0].meta["models"]["segmenter"]["licence"]
