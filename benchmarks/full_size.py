"""Run the architectures of a preset at full size, with random weights, on one image and its audio.

    python benchmarks/full_size.py base IMAGE AUDIO
    python benchmarks/full_size.py large IMAGE AUDIO --strategy fused
    python benchmarks/full_size.py base IMAGE AUDIO --segmenter edgetam
    python benchmarks/full_size.py base IMAGE AUDIO --image-size 512
    python benchmarks/full_size.py base IMAGE AUDIO --grounder grounding_dino
    python benchmarks/full_size.py base IMAGE AUDIO --strategy audio_to_text --compile

Nothing is downloaded: the models are built from their configurations. So times and memory are those of the real
checkpoints, and the answers mean nothing; thresholds are lowered so that every stage has work to do (three phrases,
three boxes for each). Each strategy answers the pair twice, as if it were two: the first pays for what is kept, such as
the text embeddings of a vocabulary. Prints one JSON object. Seconds are of the clock, and of the processor, all threads
together: on a machine that others use too the first are an upper bound.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["ZSAVS_CACHE"] = tempfile.mkdtemp(prefix="zsavs-full-size-")

import torch
import transformers

import zsavs
from zsavs.build import strategies_of
from zsavs.build.plans import plan_for
from zsavs.language.prompts import templates
from zsavs.language.vocabulary import load_vocabulary
from zsavs.models.ast import AstTagger
from zsavs.models.blip import BlipCaptioner
from zsavs.models.clap import ClapEncoder
from zsavs.models.edgetam import EdgeTamSegmenter
from zsavs.models.grounding_dino import GroundingDinoGrounder
from zsavs.models.omdet import OmDetGrounder
from zsavs.models.open_clip import OpenClipEncoder
from zsavs.models.sam2 import Sam2Segmenter
from zsavs.testing.tiny.encoders import tiny_card
from zsavs.testing.tiny.tokenizers import bert_tokenizer, clip_tokenizer, roberta_tokenizer

#: The labels that AST was trained on, in its order.
AUDIOSET = json.loads((resources.files("zsavs") / "data" / "audioset_phrases.json").read_text(encoding="utf-8"))

#: Words that the published tokenizers have whole, too: a toy one would cut the texts into half as many pieces again.
WORDS = sorted(
    {
        word
        for text in (
            *templates("sound"),
            *(label for name in ("everyday", "nothing") for label in load_vocabulary(name)),
        )
        for word in text.replace("{}", "").lower().split()
    }
)

#: What differs from the default configurations of transformers, which are those of the base preset.
SIZES: dict[str, dict[str, Any]] = {
    "base": {"clap": {}, "clip": "ViT-B-32", "blip": {}, "grounding_dino": {}, "sam2": {}},
    "large": {
        "clap": {
            "audio_config": {
                "hidden_size": 1024,
                "patch_embeds_hidden_size": 128,
                "depths": [2, 2, 12, 2],
                "num_attention_heads": [4, 8, 16, 32],
            }
        },
        "clip": "ViT-L-14",
        "blip": {
            "vision_config": {
                "hidden_size": 1024,
                "intermediate_size": 4096,
                "num_hidden_layers": 24,
                "num_attention_heads": 16,
            },
            "text_config": {"encoder_hidden_size": 1024},
        },
        "grounding_dino": {
            "backbone_config": {
                "model_type": "swin",
                "image_size": 384,
                "window_size": 12,
                "embed_dim": 128,
                "depths": [2, 2, 18, 2],
                "num_heads": [4, 8, 16, 32],
                "out_indices": [2, 3, 4],
            }
        },
        "sam2": {
            "vision_config": {
                "backbone_config": {
                    "model_type": "sam2_hiera_det_model",
                    "hidden_size": 144,
                    "num_attention_heads": 2,
                    "blocks_per_stage": [2, 6, 36, 4],
                    "embed_dim_per_stage": [144, 288, 576, 1152],
                    "num_attention_heads_per_stage": [2, 4, 8, 16],
                    "window_size_per_stage": [8, 4, 16, 8],
                    "global_attention_blocks": [23, 33, 43],
                },
                "backbone_channel_list": [1152, 576, 288, 144],
            }
        },
    },
}


def whole(tokenizer: Any, words: int) -> Any:
    """A toy tokenizer with as many words as the text model has embeddings of, which adapters ask for."""
    tokenizer.add_tokens([f"[unused{number}]" for number in range(len(tokenizer), words)], special_tokens=True)
    return tokenizer


def build_parts(preset: str, device: str = "cpu", dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    """Every part that a preset takes on a device, at full size, with random weights; detectors are float32."""
    size = SIZES[preset]
    rest = {"device": device}
    import open_clip

    clip, _, preprocess = open_clip.create_model_and_transforms(size["clip"], pretrained=None)
    ast = transformers.ASTForAudioClassification(transformers.ASTConfig(id2label=dict(enumerate(AUDIOSET))))
    for model in (clip, ast):
        model.to(dtype)
    return {
        "audio_text": build_clap(preset, device, dtype),
        "image_text": OpenClipEncoder(
            clip, preprocess, open_clip.get_tokenizer(size["clip"]), card=tiny_card("clip", 0), **rest
        ),
        "captioner": build_blip(preset, device, dtype),
        "audio_tagger": AstTagger(ast, transformers.ASTFeatureExtractor(), card=tiny_card("ast", 0), **rest),
        "grounder": GROUNDERS[plan_for(preset, device).parts["grounder"].name](preset, device),
        "segmenter": build_sam2(preset, device, dtype),
    }


def build_clap(preset: str = "base", device: str = "cpu", dtype: torch.dtype = torch.float32) -> ClapEncoder:
    """A preset's CLAP at full size."""
    text = {"text_config": {"vocab_size": 50265}}
    model = transformers.ClapModel(transformers.ClapConfig(**{**text, **SIZES[preset]["clap"]})).to(dtype)
    return ClapEncoder(
        model,
        transformers.ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad"),
        whole(roberta_tokenizer(WORDS), model.config.text_config.vocab_size),
        card=tiny_card("clap", 0),
        device=device,
    )


def build_blip(preset: str = "base", device: str = "cpu", dtype: torch.dtype = torch.float32) -> BlipCaptioner:
    """A preset's BLIP at full size."""
    model = transformers.BlipForConditionalGeneration(transformers.BlipConfig(**SIZES[preset]["blip"])).to(dtype)
    processor = transformers.BlipProcessor(
        transformers.BlipImageProcessor(size={"height": 384, "width": 384}),
        whole(bert_tokenizer(), model.config.text_config.vocab_size),
    )
    return BlipCaptioner(model, processor, card=tiny_card("blip", 0), device=device)


def build_sam2(
    preset: str = "base", device: str = "cpu", dtype: torch.dtype = torch.float32, **settings: Any
) -> Sam2Segmenter:
    """A preset's SAM 2 at full size."""
    model = transformers.Sam2Model(transformers.Sam2Config(**SIZES[preset]["sam2"])).to(dtype)
    processor = transformers.Sam2ImageProcessor()
    return Sam2Segmenter(model, processor, card=tiny_card("sam2", 0), device=device, **settings)


def build_grounding_dino(preset: str, device: str = "cpu", **settings: Any) -> GroundingDinoGrounder:
    """A preset's Grounding DINO at full size, which keeps three boxes for each phrase."""
    config = transformers.GroundingDinoConfig(**SIZES[preset]["grounding_dino"])
    model = transformers.GroundingDinoForObjectDetection(config)
    return GroundingDinoGrounder(
        model,
        transformers.GroundingDinoImageProcessor(),
        whole(bert_tokenizer(), model.config.text_config.vocab_size),
        card=tiny_card("grounding-dino", 0),
        device=device,
        **{"box_threshold": 0.0, "nms_iou": 1.0, "max_boxes": 3, **settings},
    )


def build_omdet(preset: str = "base", device: str = "cpu", **settings: Any) -> OmDetGrounder:
    """OmDet-Turbo at full size, likewise; its default configuration is the published one."""
    model = transformers.OmDetTurboForObjectDetection(transformers.OmDetTurboConfig())
    normalised = {"do_rescale": False, "image_mean": [123.675, 116.28, 103.53], "image_std": [58.395, 57.12, 57.375]}
    return OmDetGrounder(
        model,
        transformers.DetrImageProcessor(size={"height": 640, "width": 640}, do_pad=False, **normalised),
        whole(clip_tokenizer(77), model.config.text_config.vocab_size),
        card=tiny_card("omdet", 0),
        device=device,
        **{"threshold": 0.0, "nms_iou": 1.0, "max_boxes": 3, **settings},
    )


GROUNDERS = {"grounding_dino": build_grounding_dino, "omdet": build_omdet}


def build_edgetam(device: str = "cpu", dtype: torch.dtype = torch.float32, **settings: Any) -> EdgeTamSegmenter:
    """EdgeTAM at full size; the default configuration of transformers names another image encoder (a ResNet-50)."""
    repvit = transformers.TimmWrapperConfig(
        architecture="repvit_m1",
        model_args={"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]},
    )
    config = transformers.EdgeTamConfig(vision_config=transformers.EdgeTamVisionConfig(backbone_config=repvit))
    model = transformers.EdgeTamModel(config).to(dtype)
    processor = transformers.Sam2ImageProcessor()
    return EdgeTamSegmenter(model, processor, card=tiny_card("edgetam", 0), device=device, **settings)


def lowered(strategy: str) -> dict[str, Any]:
    """Settings under which a strategy's query has phrases, whatever random weights answer."""
    if strategy == "classify":
        return {"min_probability": 0.0}
    nouns = {"nouns": lambda _: ["dog", "grass", "collar"]}  # random weights write no nouns
    clap = {"min_z": -1e3, "max_gap": 1e6}
    return {"caption": nouns, "cross_modal": clap | nouns, "fused": clap | {"min_seen": -1e3}}.get(strategy, clap)


def answered(pipe: zsavs.Pipeline, image: str, audio: str) -> dict[str, Any]:
    """What a pipeline takes for a pair that no memo knows."""
    processor = time.process_time()
    result = pipe(zsavs.AVSample.from_files(image, audio))
    processor = time.process_time() - processor
    return {
        "heard": len(result.queries),
        "masks": len(result),
        "stages_s": {stage: round(seconds, 2) for stage, seconds in result.timings.items()},
        "total_s": round(sum(result.timings.values()), 2),
        "processor_s": round(processor, 2),
    }


def chosen_parts(
    preset: str, device: str, *, segmenter: str, image_size: int | None, phrases_per_prompt: int | None
) -> dict[str, Any]:
    """A preset's parts, with those in their place that the command line asks for."""
    parts = build_parts(preset, device)
    if segmenter == "edgetam":
        parts["segmenter"] = build_edgetam(device, image_size=image_size)
    elif image_size is not None:
        parts["segmenter"] = build_sam2(preset, device, image_size=image_size)
    if phrases_per_prompt is not None:
        detector = plan_for(preset, device).parts["grounder"].name
        parts["grounder"] = GROUNDERS[detector](preset, device, phrases_per_prompt=phrases_per_prompt)
    return parts


def measure(
    preset: str,
    image: str,
    audio: str,
    strategies: list[str],
    device: str = "cpu",
    grounders: Sequence[str] = (),
    compiled: bool = False,
    **choice: Any,
) -> dict[str, Any]:
    """Build a preset, run each strategy on a pair and on the next one, and report seconds and gigabytes.

    Args:
        choice: of :func:`chosen_parts`.
    """
    torch.manual_seed(0)
    begin = time.perf_counter()
    parts = chosen_parts(preset, device, **choice)
    others = {name: GROUNDERS[name](preset, device) for name in grounders}
    report: dict[str, Any] = {
        "preset": preset,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
        "device": device if device == "cpu" else torch.cuda.get_device_name(device),
        "million_parameters": {
            role: round(sum(p.numel() for p in part.model.parameters()) / 1e6, 1) for role, part in parts.items()
        },
        "build_s": round(time.perf_counter() - begin, 1),
        "strategies": {},
    }
    for name in strategies:
        pipe = zsavs.build_pipeline(name, preset, **parts, **lowered(name))
        start = time.perf_counter()
        if name != "classify":
            pipe.strategy.audio_scorer.bank  # noqa: B018 - the statistics, computed once for each model and kept
        bank = time.perf_counter() - start
        first, pair = (answered(pipe, image, audio) for _ in range(2))
        report["strategies"][name] = {"calibration_s": round(bank, 1), **pair, "first_pair": first}
        for grounder, other in others.items():
            swapped = replace(pipe, grounder=other)
            _, pair = (answered(swapped, image, audio) for _ in range(2))
            report["strategies"][f"{name}, {grounder}"] = pair
        if compiled:
            began = time.perf_counter()
            pipe.compile()
            answered(pipe, image, audio)
            compiling = round(time.perf_counter() - began, 1)
            report["strategies"][f"{name}, compiled"] = {"compiling_s": compiling, **answered(pipe, image, audio)}
    report["peak_memory_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    if device != "cpu":
        report["peak_device_memory_gb"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    return report


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", choices=sorted(SIZES))
    parser.add_argument("image")
    parser.add_argument("audio")
    parser.add_argument("--strategy", action="append", help="all if left out; may be given several times")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--segmenter", choices=["edgetam"], default="", help="in place of the preset's")
    parser.add_argument(
        "--grounder", action="append", default=[], choices=sorted(GROUNDERS), help="beside the preset's"
    )
    parser.add_argument(
        "--image-size", type=int, metavar="PIXELS", help="the square in which the segmenter sees the image"
    )
    parser.add_argument("--phrases-per-prompt", type=int, metavar="N", help="that the detector is asked together")
    parser.add_argument("--compile", action="store_true", help="each strategy once more, by torch.compile")
    arguments = parser.parse_args()
    names = arguments.strategy or strategies_of(arguments.preset)
    report = measure(
        arguments.preset,
        arguments.image,
        arguments.audio,
        names,
        arguments.device,
        arguments.grounder,
        arguments.compile,
        segmenter=arguments.segmenter,
        image_size=arguments.image_size,
        phrases_per_prompt=arguments.phrases_per_prompt,
    )
    print(json.dumps(report))


if __name__ == "__main__":
    main()
