"""A strategy of your own, outside the package, checked by the same contract as the built-in ones.

python examples/03_write_a_strategy.py
"""

from collections.abc import Sequence

import numpy as np

import zsavs
from zsavs.calibration.scorers import AudioScorer
from zsavs.testing import check_strategy, toy


class LoudestLabel:
    """Look for the one label that the sound is most unusually like."""

    def __init__(self, audio_text: toy.ToyAudioText, labels: Sequence[str], min_z: float = 2.0) -> None:
        self.audio_scorer = AudioScorer(audio_text)
        self.labels, self.min_z = tuple(labels), min_z

    def query(self, samples: Sequence[zsavs.AVSample]) -> list[zsavs.Query]:
        scores = self.audio_scorer([sample.audio for sample in samples], self.labels)
        return [
            zsavs.Query((self.labels[row.argmax()],), np.ones(1, np.float32))
            if row.max() > self.min_z
            else zsavs.Query.nothing()
            for row in scores
        ]


strategy = LoudestLabel(toy.ToyAudioText(), tuple(toy.COLOURS))
check_strategy(strategy)  # raises if it ignored the sound, read a target or depended on the batch
pipe = zsavs.build_pipeline(strategy, preset="toy")
print(pipe(toy.scene(visible=("red", "blue"), sounding=("red",))[0]))
