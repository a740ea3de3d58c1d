"""The page's doings over the toy world, and a visitor's files for them."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
from PIL import Image

from zsavs.testing import toy
from zsavs.webapp.answers import ImageAnswer
from zsavs.webapp.callbacks import Callbacks
from zsavs.webapp.limits import Limits
from zsavs.webapp.models import Models
from zsavs.webapp.uploads import Uploads

STRATEGIES = ["audio_to_text", "fused"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("visitors")


@pytest.fixture(scope="module")
def doings(root: Path) -> Callbacks:
    limits = Limits(megabytes=1, audio_s=5, video_s=20)
    return Callbacks(Models("cpu", "toy"), limits, Uploads(root))


@pytest.fixture(scope="module")
def pair(root: Path) -> tuple[str, str]:
    """An image and an audio file, where Gradio puts them: red and green hum, blue is silent."""
    sample, _ = toy.scene(["red", "blue", "green"], ["red", "green"], size_hw=(120, 160))
    folder = root / "0123abcd"
    folder.mkdir()
    image, audio = folder / "discs.png", folder / "hum.wav"
    Image.fromarray(sample.image).save(image)
    soundfile.write(audio, sample.audio.waveform.T, sample.audio.sample_rate_hz)
    return str(image), str(audio)


@pytest.fixture(scope="module")
def answer(doings: Callbacks, pair: tuple[str, str]) -> ImageAnswer:
    return doings.answer_pair(*pair, "toy", STRATEGIES)
