"""Made-up scenes in two text-aligned spaces that share concepts, as CLAP and CLIP do."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]


def unit(rows: Rows) -> Rows:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


class World(NamedTuple):
    """K labels in two spaces, and scenes: the sound is target + off-screen source, the image target + distractor."""

    x: Rows
    y: Rows
    sounds: Rows
    images: Rows
    sound_bank: Rows
    picture_bank: Rows
    targets: NDArray[np.int64]


def make_world(seed: int, *, labels: int = 70, scenes: int = 400, noise: float = 0.5) -> World:
    """Two spaces that share 64-d concepts, each with a mean of its own (anisotropy) and a gap between modalities."""
    rng = np.random.default_rng(seed)
    concepts = unit(rng.standard_normal((labels, 64)))

    def space(width: int) -> Any:
        basis = rng.standard_normal((64, width)) / np.sqrt(64)
        text_mean, item_mean = 1.5 * rng.standard_normal((2, width))

        def text() -> Rows:
            return unit(concepts @ basis * 8 + text_mean + noise * rng.standard_normal((labels, width)))

        def items(mixtures: Rows) -> Rows:
            grain = rng.standard_normal((len(mixtures), width))
            return unit(mixtures @ basis * 8 + item_mean + noise * grain)

        return text(), items

    x, hear = space(1024)
    y, look = space(512)
    targets, off_screen, distractor = np.array([rng.permutation(labels)[:3] for _ in range(scenes)]).T
    anything = np.array([rng.permutation(labels)[:2] for _ in range(300)])
    usual = concepts[anything].sum(axis=1)
    return World(
        x,
        y,
        hear(concepts[targets] + concepts[off_screen]),
        look(concepts[targets] + concepts[distractor]),
        hear(usual),
        look(usual),
        targets,
    )
