"""Encoders of sound, images and text at full size, with random weights: seconds and memory of each.

    python benchmarks/perception_encoders.py AUDIO IMAGE              # all, each in a process of its own
    python benchmarks/perception_encoders.py AUDIO IMAGE --only pe_av-base

Nothing is downloaded: the models are built from the published configurations, or from the defaults of Meta's code where
those are not known here (the towers of pe_av-base). Asked are ten seconds of the audio, repeated to that length, an
image, and eight texts, after a first call of each. Seconds are of the clock and, in brackets, of the processor, all
threads together: on a machine that others use too the first are an upper bound. Prints a row of Markdown for each.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np

from zsavs import AudioClip
from zsavs.media.audio_file import load_audio
from zsavs.media.image_file import load_image
from zsavs.media.waveform import fit

TEXTS = [f"the sound of {thing}" for thing in ("a dog", "rain", "a piano", "a car", "wind", "a bell", "a cat", "a man")]
#: The defaults of Meta's code, with which PE-A-Frame base has its published size.
BASE = {"hidden_size": 1024, "intermediate_size": 2752, "num_hidden_layers": 16, "num_attention_heads": 8}
OPEN_CLIP = ("ViT-B-32", "PE-Core-S-16-384", "PE-Core-B-16", "ViT-B-32-SigLIP2-256", "MobileCLIP2-S0")


def clap() -> Any:
    """CLAP as in the preset base, to compare with."""
    from full_size import build_clap

    return build_clap()


def pe_audio(**sizes: int) -> Any:
    """PE-A-Frame with an audio tower of these sizes."""
    from full_size import whole
    from transformers import PeAudioConfig, PeAudioFeatureExtractor, PeAudioFrameLevelModel

    from zsavs.models.pe_audio import PeAudioFrameEncoder
    from zsavs.testing.tiny.encoders import tiny_card
    from zsavs.testing.tiny.tokenizers import roberta_tokenizer

    config = PeAudioConfig(audio_config=sizes)
    tokenizer = whole(roberta_tokenizer(), config.text_config.vocab_size)
    model = PeAudioFrameLevelModel(config)
    return PeAudioFrameEncoder(model, PeAudioFeatureExtractor(), tokenizer, card=tiny_card("pe-audio", 0))


def pe_av(**sizes: int) -> Any:
    """PE-AV with towers of these sizes; the image tower is PE-Core L/14 at 336 pixels."""
    from full_size import whole
    from transformers import PeAudioFeatureExtractor, PeAudioVideoConfig, PeAudioVideoModel, PeVideoVideoProcessor

    from zsavs.models.pe_av import PeAvEncoder, with_all_outputs, without_notes
    from zsavs.testing.tiny.encoders import tiny_card
    from zsavs.testing.tiny.tokenizers import roberta_tokenizer

    towers = {"audio_config": sizes, "video_config": sizes, **sizes} if sizes else None
    config = with_all_outputs(PeAudioVideoConfig(audio_video_config=towers))
    tokenizer = whole(roberta_tokenizer(), config.text_config.vocab_size)
    normalised = {"do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    processor = PeVideoVideoProcessor(size={"height": 336, "width": 336}, do_resize=True, do_rescale=True, **normalised)
    with without_notes():
        model = PeAudioVideoModel(config)
    return PeAvEncoder(model, PeAudioFeatureExtractor(), processor, tokenizer, card=tiny_card("pe-av", 0))


def open_clip_encoder(name: str) -> Any:
    """A model of open_clip's, as the adapter builds it, but for weights."""
    import open_clip

    from zsavs.models.open_clip import OpenClipEncoder
    from zsavs.models.open_clip_files import fuse
    from zsavs.testing.tiny.encoders import tiny_card
    from zsavs.testing.tiny.tokenizers import gemma_tokenizer

    model, _, preprocess = open_clip.create_model_and_transforms(name, pretrained=None)
    fuse(model.visual)
    if "SigLIP" in name:

        def tokenizer(texts: list[str]) -> Any:
            return gemma_tokenizer()(
                texts, padding="max_length", max_length=64, truncation=True, return_tensors="pt"
            ).input_ids

    else:
        tokenizer = open_clip.get_tokenizer(name)
    return OpenClipEncoder(model, preprocess, tokenizer, card=tiny_card(name, 0))


ENCODERS: dict[str, Callable[[], Any]] = {
    "clap": clap,
    "pe_audio-base": lambda: pe_audio(**BASE),
    "pe_audio-large": lambda: pe_audio(num_hidden_layers=28),
    "pe_av-base": lambda: pe_av(**BASE),
    "pe_av-large": pe_av,
    **{name: lambda name=name: open_clip_encoder(name) for name in OPEN_CLIP},  # type: ignore[misc]
}


def seconds(work: Callable[[], Any]) -> str:
    """How long something takes, by the clock and by the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return f"{time.perf_counter() - clock:.2f} ({time.process_time() - processor:.2f})"


def measured(name: str, audio: str, image: str) -> str:
    """A row: millions of parameters, seconds for ten seconds of audio, an image and eight texts, peak memory."""
    import torch

    torch.manual_seed(0)
    encoder = ENCODERS[name]()
    clip = load_audio(audio)
    wave = fit(clip.mono(), 10 * clip.sample_rate_hz)[None]
    pixels = load_image(image)
    asked: dict[str, Callable[[], Any]] = {
        "encode_audio": lambda: encoder.encode_audio([AudioClip(wave.copy(), clip.sample_rate_hz)]),
        "encode_image": lambda: encoder.encode_image([pixels.copy()]),
        "encode_text": lambda: encoder.encode_text([f"{text} {time.perf_counter_ns()}" for text in TEXTS]),
    }
    cells = []
    for verb, work in asked.items():
        if not hasattr(encoder, verb):
            cells.append("")
            continue
        work()  # the first call costs more
        cells.append(seconds(work))
    size = sum(weights.numel() for weights in encoder.model.parameters()) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    assert np.isfinite(peak)
    return f"| {name} | {size:.0f} | {cells[0]} | {cells[1]} | {cells[2]} | {peak:.1f} |"


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audio")
    parser.add_argument("image")
    parser.add_argument("--only", choices=sorted(ENCODERS))
    arguments = parser.parse_args()
    if arguments.only:
        print(measured(arguments.only, arguments.audio, arguments.image), flush=True)
        return
    print("| encoder | million parameters | 10 s of audio, s | an image, s | eight texts, s | peak memory, GB |")
    print("|---|--:|--:|--:|--:|--:|", flush=True)
    for name in ENCODERS:
        subprocess.run([sys.executable, __file__, arguments.audio, arguments.image, "--only", name], check=True)


if __name__ == "__main__":
    main()
