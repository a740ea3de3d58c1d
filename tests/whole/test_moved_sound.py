"""A sound that is moved in time is the same sound: nano hears a source for seconds among silence, and says when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import zsavs
from zsavs.build import strategies_of
from zsavs.datasets.orchestra import Orchestra
from zsavs.metrics.functional import jaccard

SCENES = ("single_000", "single_004")
SILENCE_S = 10


@pytest.fixture(scope="module")
def scores() -> dict[str, list[tuple[float, float]]]:
    """By strategy and scene J as it was recorded, and with silence before the sound."""
    data = Orchestra()
    own = [data.load(name) for name in SCENES]
    moved = []
    for sample, _ in own:
        wave, rate = sample.audio.waveform, sample.audio.sample_rate_hz
        late = zsavs.AudioClip(np.pad(wave, ((0, 0), (SILENCE_S * rate, 0))), rate)
        moved.append(replace(sample, audio=late))
    answers = zsavs.compare([*(sample for sample, _ in own), *moved], strategies_of("nano"), "nano", device="cpu")
    j = {
        name: [jaccard(one.mask, item.target.mask) for one, item in zip(results, own * 2, strict=True)]
        for name, results in answers.items()
    }
    return {name: list(zip(each[: len(own)], each[len(own) :], strict=True)) for name, each in j.items()}


@pytest.mark.parametrize("name", strategies_of("nano"))
def test_silence_before_a_sound_takes_nothing_from_it(scores: dict[str, list[tuple[float, float]]], name: str) -> None:
    for scene, (recorded, late) in zip(SCENES, scores[name], strict=True):
        assert recorded > 0.5, f"{scene}: found as it was recorded"
        assert late >= recorded - 0.02, f"{scene}: J {recorded:.2f}, {late:.2f} after {SILENCE_S} s of silence"
