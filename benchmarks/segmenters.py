"""Segmenters at full size, with random weights, on one image and nine boxes: what the image costs, and what the boxes.

    python benchmarks/segmenters.py IMAGE

Nothing is downloaded. Seconds are of the clock and, in brackets, of the processor, all threads together: on a machine
that others use too the first are an upper bound. Prints a line for each segmenter.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from full_size import build_edgetam, build_sam2
from numpy.typing import NDArray

from zsavs import AudioClip, AVSample, Proposals
from zsavs.media.image_file import load_image
from zsavs.models.prompted_masks import PromptedSegmenter


def seconds(work: Callable[[], Any]) -> str:
    """How long something takes, by the clock and by the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return f"{time.perf_counter() - clock:.2f} ({time.process_time() - processor:.2f})"


def measured(segmenter: PromptedSegmenter, image: NDArray[np.uint8], words: str = "") -> str:
    """A line: the size of a segmenter, and its seconds for the image with one box, and for nine boxes more."""
    height, width = image.shape[:2]
    corners = [[x, y, x + 0.3, y + 0.3] for y in (0.0, 0.3, 0.6) for x in (0.0, 0.3, 0.6)]
    boxes = np.array(corners, np.float32) * np.array([width, height] * 2, np.float32)
    nine = [Proposals(boxes, np.ones(9, np.float32), np.arange(9))]
    one = [Proposals(boxes[:1], np.ones(1, np.float32), np.zeros(1, np.int64))]
    silence = AudioClip(np.zeros((1, 16_000), np.float32), 16_000)
    segmenter.segment([AVSample(image.copy(), silence)], one)  # the first call costs more
    samples = [AVSample(image, silence)]
    first = seconds(lambda: segmenter.segment(samples, one))
    more = seconds(lambda: segmenter.segment(samples, nine))
    size = sum(weights.numel() for weights in segmenter.model.parameters()) / 1e6
    return f"{segmenter.family}{words}: {size:.1f} M weights; an image and one box {first} s, nine boxes more {more} s"


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image")
    image = load_image(parser.parse_args().image)
    for words, build in (
        ("", build_edgetam),
        ("", build_sam2),
        (", at 512 pixels", partial(build_sam2, image_size=512)),
    ):
        torch.manual_seed(0)
        print(measured(build(), image, words))


if __name__ == "__main__":
    main()
