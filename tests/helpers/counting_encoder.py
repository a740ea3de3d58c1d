"""An audio encoder that counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.testing import toy
from zsavs.types import AudioClip


class Counting(toy.ToyAudioText):
    """Counts how often it is loaded and how many clips it embeds."""

    loaded = 0
    clips = 0
    settings: list[dict[str, Any]] = []  # noqa: RUF012

    @classmethod
    def load(cls, checkpoint: str = "", **settings: Any) -> Counting:
        cls.loaded += 1
        cls.settings.append({"checkpoint": checkpoint, **settings})
        return cls()

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        type(self).clips += len(clips)
        return super().encode_audio(clips)
