"""Detectors at full size, with random weights, on one image: what the first phrase costs, and what four more do.

    python benchmarks/detectors.py IMAGE
    python benchmarks/detectors.py IMAGE --moved

Nothing is downloaded. Seconds are of the clock and, in brackets, of the processor, all threads together: on a machine
that others use too the first are an upper bound. Prints a line for each detector and its settings. With --moved, how
far the best score of a phrase is from what it is when four others are asked with it, at most of five phrases.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from full_size import build_grounding_dino, build_omdet
from numpy.typing import NDArray

from zsavs import AudioClip, AVSample, Query
from zsavs.media.image_file import load_image
from zsavs.models.prompted_detection import PromptedGrounder

NAMES = ("dog", "accordion", "fire engine", "church bell", "rain")

#: Name, what builds it, and its settings; those of the presets first.
DETECTORS: tuple[tuple[str, Callable[..., PromptedGrounder[Any]], dict[str, Any]], ...] = (
    ("omdet", build_omdet, {}),
    ("omdet", build_omdet, {"phrases_per_prompt": 8}),
    ("grounding_dino", build_grounding_dino, {}),
    ("grounding_dino", build_grounding_dino, {"image_size": 512}),
    ("grounding_dino", build_grounding_dino, {"image_size": 416}),
)


def seconds(work: Callable[[], Any]) -> str:
    """How long something takes, by the clock and by the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return f"{time.perf_counter() - clock:.2f} ({time.process_time() - processor:.2f})"


def query(*names: str) -> Query:
    """A query for names of equal weight."""
    return Query(names, np.ones(len(names), np.float32))


def sample(image: NDArray[np.uint8]) -> list[AVSample]:
    """The image, as one that no memo knows."""
    return [AVSample(image.copy(), AudioClip(np.zeros((1, 16_000), np.float32), 16_000))]


def measured(detector: PromptedGrounder[Any], image: NDArray[np.uint8]) -> str:
    """What an image and its first phrase take, what four more take, and all five on a new image."""
    detector.ground(sample(image), [query(*NAMES)])  # the first call costs more
    one, other = sample(image), sample(image)
    first = seconds(lambda: detector.ground(one, [query(NAMES[0])]))
    more = seconds(lambda: detector.ground(one, [query(*NAMES[1:])]))
    at_once = seconds(lambda: detector.ground(other, [query(*NAMES)]))
    return f"an image and one phrase {first} s, four phrases more {more} s; an image and five phrases {at_once} s"


def moved(detector: PromptedGrounder[Any], image: NDArray[np.uint8]) -> str:
    """How far a phrase's best score is from what it is among four others, at most."""
    found = detector.ground(sample(image), [query(*NAMES)])[0]
    away = [
        abs(found.scores[found.sources == row].max() - detector.ground(sample(image), [query(name)])[0].scores.max())
        for row, name in enumerate(NAMES)
    ]
    return f"scores move by at most {max(away):.1e}"


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image")
    parser.add_argument("--moved", action="store_true", help="measure what phrases do to each other, and not times")
    arguments = parser.parse_args()
    image = load_image(arguments.image)
    measure = moved if arguments.moved else measured
    for name, build, settings in DETECTORS:
        torch.manual_seed(0)
        detector = build("base", **settings)
        size = sum(weights.numel() for weights in detector.model.parameters()) / 1e6
        print(f"{name} {settings or ''} ({size:.1f} M weights): {measure(detector, image)}", flush=True)


if __name__ == "__main__":
    main()
