"""CLAP's spectrograms beside those of transformers' extractor."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import ClapFeatureExtractor

from zsavs.models.clap_mel import ClapMel

RATE = 48_000


@pytest.mark.parametrize("padding", ["repeatpad", "repeat", "pad"])
@pytest.mark.parametrize("fusion", [False, True])
def test_they_are_those_of_the_extractor(fusion: bool, padding: str, rng: np.random.Generator) -> None:
    """To 1e-4 dB, for windows of every length, digital silence among them."""
    extractor = ClapFeatureExtractor(max_length_s=2, padding=padding)
    waves = [(10.0**-n * rng.standard_normal(n * 11_000 + 1)).astype(np.float32) for n in range(9)]
    waves += [np.zeros(RATE, np.float32), np.sin(np.arange(2 * RATE, dtype=np.float32))]
    mel = ClapMel(extractor, fusion, torch.device("cpu"))
    got = mel([mel.filled(wave) for wave in waves])
    kind = "fusion" if fusion else "rand_trunc"
    for row, wave in zip(got, waves, strict=True):
        want = extractor(wave, truncation=kind, sampling_rate=RATE, return_tensors="pt")["input_features"][0]
        assert row.shape == want.shape
        assert (row - want).abs().max() < 1e-4
    assert np.ptp(got.numpy()) > 50
