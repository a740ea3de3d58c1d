"""What one pass over all strategies costs, against the dearest strategy alone.

    python benchmarks/one_pass.py            # the toy world
    python benchmarks/one_pass.py --tiny     # real classes at toy size, random weights

Every picture and sound is encoded once for all strategies; the detector is asked again, as each strategy asks for its
own phrases. Prints one JSON object; seconds are the best of several runs.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np

import zsavs
from zsavs import toy
from zsavs.build import strategies_of

WORDS = ("red", "yellow", "green", "blue", "purple", "orange")


def fresh(samples: list[zsavs.AVSample]) -> list[zsavs.AVSample]:
    """Copies that no encoder remembers."""
    return [
        zsavs.AVSample(s.image.copy(), zsavs.AudioClip(s.audio.waveform.copy(), s.audio.sample_rate_hz))
        for s in samples
    ]


def tiny_parts() -> dict[str, Any]:
    """Real classes with random weights."""
    from zsavs.tiny.detectors import tiny_grounding_dino
    from zsavs.tiny.encoders import tiny_blip, tiny_clap, tiny_open_clip
    from zsavs.tiny.segmenters import tiny_sam2
    from zsavs.tiny.sounds import tiny_ast, tiny_whisper

    return {
        "audio_text": tiny_clap(),
        "image_text": tiny_open_clip(),
        "captioner": tiny_blip(),
        "audio_tagger": tiny_ast(),
        "audio_captioner": tiny_whisper(),
        "grounder": tiny_grounding_dino(),
        "segmenter": tiny_sam2(),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--items", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    samples = [
        toy.scene(tuple(rng.permutation(WORDS)[:3]), (str(rng.choice(WORDS)),), seed=i)[0]
        for i in range(arguments.items)
    ]
    parts = tiny_parts() if arguments.tiny else {}
    pipes = {}
    for name in strategies_of("base"):
        settings: dict[str, Any] = {"min_z": -3.0, "max_gap": 1e6, **parts} if arguments.tiny else {}
        if arguments.tiny and name == "classify":
            settings = {"min_probability": 0.0, **parts}
        if arguments.tiny and name == "caption":
            settings = {"nouns": lambda _: list(WORDS[:3]), **parts}
        if arguments.tiny and name == "cross_modal":
            settings["nouns"] = lambda _: list(WORDS[:3])
        if arguments.tiny and name == "fused":
            settings["min_seen"] = -1e3
        pipes[name] = zsavs.build_pipeline(name, "toy", **settings)
        pipes[name].batch(fresh(samples[:2]))  # calibration, once

    def seconds(names: list[str]) -> float:
        times = []
        for _ in range(arguments.repeats):
            batch = fresh(samples)
            start = time.perf_counter()
            for name in names:
                pipes[name].batch(batch)
            times.append(time.perf_counter() - start)
        return min(times)

    alone = {name: round(seconds([name]), 4) for name in pipes}
    together = round(seconds(list(pipes)), 4)
    report = {
        "models": "real classes at toy size" if arguments.tiny else "toy world",
        "items": arguments.items,
        "alone_s": alone,
        "one_pass_s": together,
        "ratio_to_dearest": round(together / max(alone.values()), 2),
        "ratio_to_one_by_one": round(together / sum(alone.values()), 2),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
