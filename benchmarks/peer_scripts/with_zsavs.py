"""Phrases to masks with zsavs: its grounder and its segmenter, with the phrases given in place of heard ones."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from stopwatch import BEST, measure

import zsavs
from zsavs.media.image_file import load_image
from zsavs.models.grounding_dino import GroundingDinoGrounder
from zsavs.models.sam2 import Sam2Segmenter

_SILENCE = zsavs.AudioClip(np.zeros((1, 16_000), np.float32), 16_000)


class Given:
    """A strategy that looks for what it was told."""

    def __init__(self) -> None:
        self.phrases: Sequence[str] = ()

    def query(self, samples: Sequence[zsavs.AVSample]) -> list[zsavs.Query]:
        return [zsavs.Query(tuple(self.phrases), np.ones(len(self.phrases), np.float32)) for _ in samples]


class Best:
    """A verifier that keeps the boxes that the grounder scored best."""

    def verify(self, samples: Any, queries: Any, proposals: Sequence[zsavs.Proposals]) -> list[zsavs.Proposals]:
        return [found.rows(np.argsort(-found.scores, kind="stable")[:BEST]) for found in proposals]


def load(weights: Path) -> Any:
    grounder = GroundingDinoGrounder.load(weights / "grounding_dino", box_threshold=0.0)
    return zsavs.Pipeline(Given(), grounder, Best(), Sam2Segmenter.load(weights / "sam2"))


def answer(models: Any, images: Sequence[str], phrases: Sequence[str]) -> list[Any]:
    models.strategy.phrases = phrases
    return [result.masks for result in models.map(zsavs.AVSample(load_image(path), _SILENCE) for path in images)]


if __name__ == "__main__":
    measure(sys.modules[__name__])
