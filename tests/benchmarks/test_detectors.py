"""The benchmark of detectors: what it says of phrases that move each other, and of times."""

from __future__ import annotations

import re

import pytest
from adapter_helpers import noise_images
from benchmark_scripts import load_benchmark

from zsavs.testing.tiny.detectors import tiny_omdet

(IMAGE,) = noise_images((96, 128))


@pytest.mark.parametrize(("phrases_per_prompt", "moves"), [(1, False), (8, True)])
def test_it_measures_how_far_phrases_move_each_other(phrases_per_prompt: int, moves: bool) -> None:
    made = tiny_omdet()
    made.prompts.phrases_per_prompt = phrases_per_prompt
    said = load_benchmark("detectors").moved(made, IMAGE)
    assert (float(said.rpartition(" ")[2]) > 0.01) is moves
    assert moves or float(said.rpartition(" ")[2]) < 1e-5


def test_it_says_seconds_of_the_clock_and_of_the_processor() -> None:
    said = load_benchmark("detectors").measured(tiny_omdet(), IMAGE)
    assert len(re.findall(r"\d+\.\d\d \(\d+\.\d\d\) s", said)) == 3
