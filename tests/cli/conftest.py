"""A toy scene and a small data set as files."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
from PIL import Image

from zsavs.testing import toy


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """A toy scene as files: red and blue are visible, blue hums."""
    sample, _ = toy.scene(("red", "blue"), ("blue",))
    image, audio_file = tmp_path / "scene.png", tmp_path / "scene.wav"
    Image.fromarray(sample.image).save(image)
    soundfile.write(audio_file, sample.audio.waveform.T, sample.audio.sample_rate_hz)
    return str(image), str(audio_file)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four toy scenes in img/, wav/ and gt_seg/; in the last one the sound is off-screen."""
    root = tmp_path / "set"
    for part in ("img", "wav", "gt_seg"):
        (root / part).mkdir(parents=True)
    for number, sounding in enumerate(("red", "blue", "red", "green")):
        sample, target = toy.scene(("red", "blue"), (sounding,), seed=number)
        Image.fromarray(sample.image).save(root / "img" / f"{number}.png")
        soundfile.write(root / "wav" / f"{number}.wav", sample.audio.waveform.T, sample.audio.sample_rate_hz)
        Image.fromarray(target).save(root / "gt_seg" / f"{number}.png")
    return root
