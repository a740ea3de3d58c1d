"""Presets: one checkpoint for each role, by name. Data, and no import of any model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from zsavs.errors import UnknownName

__all__ = ["FOR_OWN_FILES", "PRESETS", "Part", "Preset", "find_preset"]


@dataclass(frozen=True)
class Part:
    """A registered component, the checkpoint it loads and its settings.

    Args:
        name: of the component, under its role in the registry.
        checkpoint: hub repository, tag or folder; "" where there is nothing to load.
        settings: further arguments of the component's constructor or ``load``.
        around: the part of the same role that this one goes around, where it has settings of its own; without any,
            ``checkpoint`` may name it.
    """

    name: str
    checkpoint: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    around: Part | None = None

    @classmethod
    def named(cls, text: str) -> Part:
        """Read "name" or "name:checkpoint"; a checkpoint may hold colons of its own."""
        name, _, checkpoint = text.partition(":")
        return cls(name, checkpoint)


@dataclass(frozen=True)
class Preset:
    """A checkpoint for each role, but for those that no checkpoint with a permissive licence is known for.

    Args:
        summary: one line for ``zsavs list``.
        parts: role to part. Under "role.name", the part that stands for the component of that name where a strategy
            asks for it (its ``stages``); without one, it is built as it is registered, from the other parts.
        vocabulary: the labels that strategies hear with unless others are given.
        silent: the silent things that regions are weighed against; "" for none.
        settings: of strategies, for those that have them, unless others are given.
        strategy_settings: of single strategies by name, in place of ``settings``.
        strategy: the one that is run where nobody names one.
        limits: what the user has to know before trusting an answer; said once, when the preset is first built.
        on_cpu: by role, the parts that stand in place of those of ``parts`` where the models run on a CPU.
    """

    summary: str
    parts: Mapping[str, Part]
    vocabulary: str | tuple[str, ...] = "everyday"
    silent: str = "silent"
    settings: Mapping[str, Any] = field(default_factory=dict)
    strategy_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    strategy: str = "cross_modal"
    limits: str = ""
    on_cpu: Mapping[str, Part] = field(default_factory=dict)

    def settings_of(self, strategy: str) -> dict[str, Any]:
        """The settings for a strategy of that name; "" for what is no strategy."""
        return {**self.settings, **self.strategy_settings.get(strategy, {})}

    def for_cpu(self) -> Preset:
        """The preset as it is on a CPU."""
        return replace(self, parts={**self.parts, **self.on_cpu})


#: All that the nano detector knows; asked for everything at once, it finds regions of any kind.
_ORCHESTRA = (
    *("piano", "guitar", "violin", "trumpet", "saxophone", "drum", "banjo", "accordion", "flute", "bell", "telephone"),
    *("helicopter", "bird", "applause", "wave", "maracas", "dog", "cat", "car", "bicycle", "apple", "cake", "tree"),
    *("house", "umbrella", "book", "shoe", "hat"),
)
#: Chosen as the settings below.
_NANO_OWLV2 = Part("owlv2", "zsavs:nano/owlv2", {"threshold": 0.3, "nms_iou": 0.25, "vote_iou": 0.7})
#: The joint space takes more for a source than CLAP does, and its verifier turns down what is not in view. Chosen on
#: scenes of their own (tools/orchestra --seed 21, 22, 31 and 42, and for what is not in view 41).
_NANO_PURSUIT = {"top_k": 5, "min_z": 1.05, "max_gap": 6.0, "whole": 0.5}
_NANO_STRATEGIES: dict[str, dict[str, Any]] = {
    "joint_embedding": {"top_k": 5, "min_z": 1.15, "max_gap": 6.0},
    "text_bridged": _NANO_PURSUIT,
    "textual_inversion": _NANO_PURSUIT,
    "cofactorization": {"whole": 0.85},
}
_NANO_REGIONS = Part("objects", settings={"phrases": _ORCHESTRA}, around=_NANO_OWLV2)
_NANO_SAM2 = Part("sam2", "zsavs:nano/sam2", {"multimask": False})

#: A laptop's size. On a CPU Grounding DINO takes most of a pair's time.
_BASE = {
    "audio_text": Part("clap", "laion/clap-htsat-unfused"),
    "image_text": Part("open_clip", "ViT-B-32/laion2b_s34b_b79k"),
    "captioner": Part("blip", "Salesforce/blip-image-captioning-base"),
    "audio_tagger": Part("ast", "MIT/ast-finetuned-audioset-10-10-0.4593"),
    "grounder": Part("grounding_dino", "IDEA-Research/grounding-dino-tiny"),
    "verifier": Part("clip"),
    "segmenter": Part("sam2", "facebook/sam2.1-hiera-tiny"),
    "translator": Part("rules"),
    "tracker": Part("associate"),
}
_BASE_ON_CPU = {"grounder": Part("omdet", "omlab/omdet-turbo-swin-tiny-hf")}

PRESETS: dict[str, Preset] = {
    "nano": Preset(
        "ships with zsavs, for the demo, tests and teaching: tiny models of one small world, the orchestra of emoji",
        {
            "audio_text": Part("clap", "zsavs:nano/clap"),
            "image_text": Part("open_clip", "zsavs:nano/clip"),
            "joint": Part("imagebind", "zsavs:nano/joint"),
            "captioner": Part("blip", "zsavs:nano/blip"),
            "audio_tagger": Part("ast", "zsavs:nano/tagger"),
            "audio_captioner": Part("whisper", "zsavs:nano/audio_captioner", {"max_new_tokens": 20}),
            "grounder": _NANO_OWLV2,
            # Chosen as the settings below: its CLIP was trained with sigmoids, so that no softmax has a temperature.
            "verifier": Part("clip", settings={"temperature": 0.1}),
            "verifier.joint": Part("second_opinion", settings={"share": 0.2, "min_z": 1.5, "temperature": 0.1}),
            "verifier.omni_judge": Part("omni_judge", settings={"min_odds": 0.5}),
            "segmenter": Part("closer", settings={"margin": (0.1, 0.2, 0.3)}, around=_NANO_SAM2),
            "translator": Part("rules"),
            "omni": Part("assembled"),
            "tracker": Part("associate"),
            "grounder.segments": _NANO_REGIONS,
            "grounder.peaks": Part("peaks", around=_NANO_REGIONS),
        },
        # Chosen on scenes of their own (tools/orchestra --seed 11 to 15): banks of the orchestra hold much of what is
        # heard.
        settings={"min_z": 1.3, "max_gap": 4.0},
        strategy_settings=_NANO_STRATEGIES,
        vocabulary="orchestra",
        silent="orchestra_silent",
        limits="preset nano knows 16 things that sound and 12 that do not, as emoji on textured grounds; on "
        "photographs and real recordings its answers mean nothing. For those: zsavs download base",
    ),
    "pocket": Preset(
        "photographs and real audio with 15 MB of models and no torch: YAMNet, YOLOX-Nano, DeepLab, U2-Net-P",
        {
            "audio_text": Part("yamnet", "yamnet_spectra_in.tflite"),
            "image_text": Part("yolox", "yolox_nano.onnx"),
            "captioner": Part("yolox", "yolox_nano.onnx"),
            "audio_tagger": Part("yamnet", "yamnet_spectra_in.tflite"),
            "grounder": Part("yolox", "yolox_nano.onnx", {"threshold": 0.1}),
            "verifier": Part("trust_grounder"),
            "segmenter": Part("deeplab", "deeplabv3_mnv2_pascal_quant.tflite", around=Part("u2net", "u2netp.onnx")),
            "translator": Part("rules"),
            "tracker": Part("associate"),
        },
        vocabulary="coco_sounding",
        silent="",
        # Chosen on the sounds of ESC-10 alone, without any image.
        settings={"min_probability": 0.4, "min_share": 2 / 3, "min_z": 5.0, "max_gap": 4.0},
        strategy="classify",
        limits="preset pocket finds the 80 classes of COCO and nothing else; for any phrase: zsavs download base",
    ),
    "base": Preset(
        "a laptop's size: CLAP, AST, CLIP ViT-B/32, BLIP base, Grounding DINO tiny, on a CPU OmDet-Turbo, SAM 2.1 tiny",
        _BASE,
        on_cpu=_BASE_ON_CPU,
    ),
    "large": Preset(
        "for a GPU: larger CLAP, AST, CLIP ViT-L/14, BLIP large, Grounding DINO base, SAM 2.1 large",
        {
            "audio_text": Part("clap", "laion/larger_clap_general"),
            "image_text": Part("open_clip", "ViT-L-14/laion2b_s32b_b82k"),
            "captioner": Part("blip", "Salesforce/blip-image-captioning-large"),
            "audio_tagger": Part("ast", "MIT/ast-finetuned-audioset-10-10-0.4593"),
            "grounder": Part("grounding_dino", "IDEA-Research/grounding-dino-base"),
            "verifier": Part("clip"),
            "segmenter": Part("sam2", "facebook/sam2.1-hiera-large"),
            "translator": Part("rules"),
            "tracker": Part("associate"),
        },
    ),
    "imagebind": Preset(
        "base, and ImageBind's joint space; the licence of its weights is NON-COMMERCIAL (CC-BY-NC-SA-4.0)",
        {**_BASE, "joint": Part("imagebind", "imagebind_huge.pth"), "omni": Part("assembled")},
        on_cpu=_BASE_ON_CPU,
    ),
    "pe": Preset(
        "base with Meta's Perception Encoders: PE-A-Frame hears, PE-Core B/16 looks, PE-AV is the joint space",
        {
            **_BASE,
            "audio_text": Part("pe_audio", "facebook/pe-a-frame-base"),
            "image_text": Part("open_clip", "PE-Core-B-16/meta"),
            "joint": Part("pe_av", "facebook/pe-av-base"),
            "omni": Part("assembled"),
        },
        on_cpu=_BASE_ON_CPU,
    ),
    "sam3": Preset(
        "base, with SAM 3 as grounder and segmenter in one; its repository is GATED, its licence the SAM License",
        {
            **_BASE,
            "grounder": Part("sam3", "facebook/sam3"),
            # The grounder's masks; of grounders that give none, such as those that look at every region, its own, by
            # the grounder's checkpoint.
            "segmenter": Part("from_grounder", around=Part("sam3")),
        },
    ),
    "toy": Preset(
        "no weights at all: a world of humming colours, for teaching and tests (zsavs.testing.toy)",
        {
            "audio_text": Part("toy"),
            "image_text": Part("toy"),
            "joint": Part("toy"),
            "captioner": Part("toy"),
            "audio_tagger": Part("toy"),
            "audio_captioner": Part("toy"),
            "grounder": Part("toy"),
            "grounder.segments": Part("toy_segments"),
            "grounder.peaks": Part("toy_peaks"),
            "verifier": Part("clip"),
            "segmenter": Part("toy"),
            "translator": Part("rules"),
            "omni": Part("toy"),
            "tracker": Part("associate"),
        },
        vocabulary=("red", "yellow", "green", "blue", "purple", "orange"),
        silent="",
    ),
}


#: Where none is named, a user's own files are answered by the first of these that is on the machine. The models of nano
#: and toy know only their own small worlds.
FOR_OWN_FILES = ("large", "base", "pocket")


def find_preset(name: str) -> Preset:
    """The preset of a name.

    Raises:
        UnknownName: there is none.
    """
    if name not in PRESETS:
        raise UnknownName("preset", name, PRESETS)
    return PRESETS[name]
