"""What one pass over all strategies costs, against the dearest strategy alone.

    python benchmarks/one_pass.py            # preset nano, scenes of the orchestra
    python benchmarks/one_pass.py --toy      # the toy world
    python benchmarks/one_pass.py --tiny     # real classes at toy size, random weights

Every image and audio clip is encoded once for all strategies. So is an image by a detector that needs no phrases for
it, as OWLv2; Grounding DINO, which fuses image and phrases, is run again where the phrases differ. Prints one JSON
object; seconds are the best of several runs.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np

import zsavs
from zsavs.build import strategies_of
from zsavs.datasets.orchestra import Orchestra
from zsavs.pipeline import Pipeline
from zsavs.testing import toy

#: As `zsavs eval` goes over a data set: all strategies over one batch, then the next.
BATCH_SIZE = 8
WORDS = ("red", "yellow", "green", "blue", "purple", "orange")


def fresh(samples: list[zsavs.AVSample]) -> list[zsavs.AVSample]:
    """Copies that are in no encoder's memo."""
    return [
        zsavs.AVSample(s.image.copy(), zsavs.AudioClip(s.audio.waveform.copy(), s.audio.sample_rate_hz))
        for s in samples
    ]


def tiny_parts() -> dict[str, Any]:
    """Real classes with random weights."""
    from zsavs.testing.tiny.audio import tiny_ast, tiny_whisper
    from zsavs.testing.tiny.detectors import tiny_grounding_dino
    from zsavs.testing.tiny.encoders import tiny_blip, tiny_clap, tiny_open_clip
    from zsavs.testing.tiny.segmenters import tiny_sam2

    return {
        "audio_text": tiny_clap(),
        "image_text": tiny_open_clip(),
        "captioner": tiny_blip(),
        "audio_tagger": tiny_ast(),
        "audio_captioner": tiny_whisper(),
        "grounder": tiny_grounding_dino(),
        "verifier": "trust_grounder",  # random weights would hardly agree with each other
        "segmenter": tiny_sam2(),
    }


def orchestra(count: int) -> list[zsavs.AVSample]:
    """Scenes that ship with zsavs, spread over all groups."""
    scenes = Orchestra()
    items = list(scenes)
    return [scenes.load(items[i * len(items) // count]).sample for i in range(count)]


def toys(count: int) -> list[zsavs.AVSample]:
    """Scenes of the toy world."""
    rng = np.random.default_rng(0)
    return [toy.scene(tuple(rng.permutation(WORDS)[:3]), (str(rng.choice(WORDS)),), seed=i)[0] for i in range(count)]


def tiny_pipes() -> dict[str, Pipeline]:
    """Strategies over random weights, with thresholds so low that each query has phrases."""
    parts = tiny_parts()
    clap = {"min_z": -3.0, "max_gap": 1e6}
    nouns = {"nouns": lambda _: list(WORDS[:3])}
    settings: dict[str, dict[str, Any]] = {
        "audio_to_text": clap,
        "caption": nouns,
        "classify": {"min_probability": 0.0},
        "cross_modal": clap | nouns,
        "fused": clap | {"min_seen": -1e3},
    }
    return {name: zsavs.build_pipeline(name, "toy", **parts, **own) for name, own in settings.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    world = parser.add_mutually_exclusive_group()
    world.add_argument("--toy", action="store_true")
    world.add_argument("--tiny", action="store_true")
    parser.add_argument(
        "--strategy", action="append", metavar="NAME", help="several times for several; all if left out"
    )
    parser.add_argument("--items", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.tiny:
        models, pipes = "real classes at toy size", tiny_pipes()
    else:
        models = "toy" if arguments.toy else "nano"
        pipes = {name: zsavs.build_pipeline(name, models) for name in arguments.strategy or strategies_of(models)}
    samples = toys(arguments.items) if arguments.toy or arguments.tiny else orchestra(arguments.items)
    for pipe in pipes.values():
        pipe.batch(fresh(samples[:2]))  # calibration, once

    def seconds(names: list[str]) -> float:
        times = []
        for _ in range(arguments.repeats):
            copies = fresh(samples)
            start = time.perf_counter()
            for first in range(0, len(copies), BATCH_SIZE):
                for name in names:
                    pipes[name].batch(copies[first : first + BATCH_SIZE])
            times.append(time.perf_counter() - start)
        return min(times)

    alone = {name: round(seconds([name]), 4) for name in pipes}
    together = round(seconds(list(pipes)), 4)
    report = {
        "models": models,
        "items": arguments.items,
        "alone_s": alone,
        "one_pass_s": together,
        "ratio_to_dearest": round(together / max(alone.values()), 2),
        "ratio_to_one_by_one": round(together / sum(alone.values()), 2),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
