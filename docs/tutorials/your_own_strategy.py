# %% [markdown]
# # Your own strategy
#
# A strategy answers one question: *given image and sound, what shall be looked for?* It is a class with one method,
# `query(samples)`. Here is one that looks for the single label that the sound is most unusually like.

# %%
from collections.abc import Sequence

import numpy as np

import zsavs
from zsavs.calibration.scorers import AudioScorer
from zsavs.datasets.orchestra import Orchestra
from zsavs.protocols import AudioTextEncoder


class LoudestLabel:
    """Look for the one label that the sound is most unusually like."""

    def __init__(self, audio_text: AudioTextEncoder, vocabulary: Sequence[str], min_z: float = 2.0) -> None:
        self.audio_scorer = AudioScorer(audio_text)
        self.labels, self.min_z = tuple(vocabulary), min_z

    def query(self, samples: Sequence[zsavs.AVSample]) -> list[zsavs.Query]:
        scores = self.audio_scorer([sample.audio for sample in samples], self.labels)
        return [
            zsavs.Query((self.labels[row.argmax()],), np.ones(1, np.float32))
            if row.max() > self.min_z
            else zsavs.Query.nothing()
            for row in scores
        ]


# %% [markdown]
# The names of the constructor's arguments say what it needs: `audio_text` is a role, which the preset fills with its
# model, and `vocabulary` are the labels. Whatever else it takes are settings, here `min_z`. `AudioScorer` turns raw
# similarities into standardised ones, so that 2 means "two deviations more than usual", whatever the model
# ([Calibration](../../calibration/)).
#
# Build it by hand where you have the parts:

# %%
parts = zsavs.build_pipeline("audio_to_text", preset="nano").strategy
strategy = LoudestLabel(parts.audio_scorer.encoder, parts.vocabulary)
pipe = zsavs.build_pipeline(strategy, preset="nano")

orchestra = Orchestra()
pipe(orchestra.load("single_001").sample)

# %% [markdown]
# ## Check it
#
# zsavs has a contract for strategies: the same answer whatever else is in the batch, nothing read from a target,
# silence and noise not mistaken for a thing. One function checks it, in a toy world where the truth is known.

# %%
from zsavs.testing import check_strategy, toy

check_strategy(LoudestLabel(toy.ToyAudioText(), tuple(toy.COLOURS)))
print("it keeps the contract")

# %% [markdown]
# ## Use it by name
#
# Put the class into `my_idea.py`, and every command takes `my_idea:LoudestLabel` where it takes a name:
#
# ```
# zsavs segment dog.jpg bark.wav --strategy my_idea:LoudestLabel --set min_z=1.5
# zsavs eval --dataset s4 --root DIR --strategy my_idea:LoudestLabel --strategy fused --out run
# ```
#
# The preset then builds it: that is why the arguments are called as they are. In Python:

# %%
import sys
import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())
(folder / "my_idea.py").write_text('''
import numpy as np
import zsavs
from zsavs.calibration.scorers import AudioScorer


class LoudestLabel:
    """Look for the one label that the sound is most unusually like."""

    def __init__(self, audio_text, vocabulary, min_z=2.0):
        self.audio_scorer = AudioScorer(audio_text)
        self.labels, self.min_z = tuple(vocabulary), min_z

    def query(self, samples):
        scores = self.audio_scorer([sample.audio for sample in samples], self.labels)
        nothing = zsavs.Query.nothing()
        return [
            zsavs.Query((self.labels[row.argmax()],), np.ones(1, np.float32)) if row.max() > self.min_z else nothing
            for row in scores
        ]
''')
sys.path.insert(0, str(folder))
named = zsavs.build_pipeline("my_idea:LoudestLabel", preset="nano", min_z=1.5)
print(named(orchestra.load("single_002").sample))

# %% [markdown]
# A package of its own registers by an entry point: [examples/plugin_package](../../examples/plugin_package/) is one to
# copy. [Contributing](../../CONTRIBUTING/) says how a strategy comes into zsavs itself.
