"""SAM 3 at full size, with random weights, as grounder, segmenter and tracker from one checkpoint, on one image.

    python benchmarks/sam3.py IMAGE
    python benchmarks/sam3.py IMAGE --device cuda --dtype bfloat16

Nothing is downloaded: a checkpoint of the default configuration, which is the published one's, is written into a
temporary folder (3.4 GB) by a process of its own, and loaded as the published one would be. Seconds are of the clock
and, in brackets, of the processor, all threads together: on a machine that others use too the first are an upper bound.
Memory is of the process, at most so far. Prints a line for each step.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from full_size import whole
from safetensors.torch import save_file
from segmenters import seconds

from zsavs import AudioClip, AVSample, Query
from zsavs.media.image_file import load_image
from zsavs.models.sam3 import Sam3Grounder, Sam3Segmenter
from zsavs.models.sam3_video import Sam3VideoSegmenter
from zsavs.models.sam3_vision import see
from zsavs.segmentation.grounder_masks import FromGrounder
from zsavs.testing.tiny.tokenizers import clip_tokenizer
from zsavs.types import Detections

PHRASES = ("a dog", "a piano", "a red car", "a child that laughs")


def write(folder: Path) -> None:
    """Write a checkpoint with random weights: detector and tracker in one, as published."""
    torch.manual_seed(0)
    model = transformers.Sam3VideoModel(transformers.Sam3VideoConfig())
    # As published; what this release of transformers saves of a whole model, it does not read as a tracker.
    save_file(model.state_dict(), folder / "model.safetensors", {"format": "pt"})
    model.config.save_pretrained(folder)
    transformers.Sam3ImageProcessor().save_pretrained(folder)
    tokenizer = clip_tokenizer(max_length=32)
    whole(tokenizer, model.config.detector_config.text_config.vocab_size).save_pretrained(folder)


def say(what: str, work: Callable[[], Any], device: str) -> Any:
    """Do something, and print how long it took and how much memory there was at most."""
    answers: list[Any] = []

    def done() -> None:
        answers.append(work())
        if device != "cpu":
            torch.cuda.synchronize(device)

    took = seconds(done)
    memory = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB"
    if device != "cpu":
        memory += f", {torch.cuda.max_memory_allocated(device) / 2**30:.1f} GB of the device"
    print(f"{what}: {took} s, {memory}", flush=True)
    return answers[0]


def measure(folder: Path, path: str, device: str, dtype: str) -> None:
    """Load the checkpoint three times, and ask of one image what a pipeline asks."""
    given: dict[str, Any] = {"device": device, "dtype": dtype}
    lowered = {"threshold": 0.0, "nms_iou": 1.0, "max_boxes": 3}  # random weights find nothing in particular
    grounder = say("loading the grounder", lambda: Sam3Grounder.load(folder, **given, **lowered), device)
    segmenter = say("loading the segmenter", lambda: Sam3Segmenter.load(folder, **given), device)
    tracker = say("loading the tracker", lambda: Sam3VideoSegmenter.load(folder, **given), device)
    parts = [part.model.vision_encoder.backbone for part in (grounder, segmenter, tracker)]
    held = {
        id(weights): weights.numel() for part in (grounder, segmenter, tracker) for weights in part.model.parameters()
    }
    print(f"one encoder: {all(part is parts[0] for part in parts)}; {sum(held.values()) / 1e6:.1f} million parameters")

    silence = AudioClip(np.zeros((1, 16_000), np.float32), 16_000)
    samples = [AVSample(load_image(path), silence)]
    queries = [[Query(PHRASES[:count], np.ones(count, np.float32))] for count in (1, 4)]
    say(
        "the image encoder",
        lambda: see(grounder.model, grounder.image_processor, [samples[0].image], grounder.device, 1),
        device,
    )
    say("one phrase of that image", lambda: grounder.ground(samples, queries[0]), device)
    found = say("three phrases more", lambda: grounder.ground(samples, queries[1]), device)
    say("the same again", lambda: grounder.ground(samples, queries[1]), device)
    say(f"the grounder's {len(found[0])} masks as they are", lambda: FromGrounder().segment(samples, found), device)
    logits = say("the same boxes refined by the segmenter", lambda: segmenter.segment(samples, found), device)
    seen = {0: Detections(logits[0][:1] > 0, ("a dog",), np.ones(1, np.float32))}
    frames = [samples[0].image, np.roll(samples[0].image, 8, axis=1)]
    say("one object followed into a second frame", lambda: tracker.track(frames, seen), device)


def main() -> None:
    """Read the command line, write a checkpoint in another process, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        write(arguments.write)
        return
    with tempfile.TemporaryDirectory(prefix="zsavs-sam3-") as folder:
        subprocess.run([sys.executable, __file__, arguments.image, "--write", folder], check=True)
        measure(Path(folder), arguments.image, arguments.device, arguments.dtype)


if __name__ == "__main__":
    main()
