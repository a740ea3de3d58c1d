"""A source that is known by its embedding, where there is no sound of it alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zsavs.types import AudioClip

__all__ = ["EmbeddedClip"]


@dataclass(frozen=True, eq=False)
class EmbeddedClip(AudioClip):
    """A source of which no sound is known but its embedding.

    Args:
        waveform, sample_rate_hz, source: the sound that the source is a part of.
        embedding: (D,) unit length, what the source is like by itself; :class:`zsavs.decomposition.sparse.Ears`
            hear it.
        space: the embedding's space.
    """

    embedding: NDArray[np.float32] | None = None
    space: str = ""
