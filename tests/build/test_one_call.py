"""One call from files to a result: the pipeline is kept, and no small world answers for a user's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from counting_encoder import Counting
from PIL import Image
from results import same_bits
from toy_pipelines import build

import zsavs
from zsavs.build import one_call
from zsavs.errors import AudioError, ImageError, MissingWeights, UnknownName
from zsavs.testing import toy
from zsavs.types import AVSample


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    one_call._kept.cache_clear()


@pytest.fixture
def sample() -> AVSample:
    return toy.scene(["red", "blue"], ["blue"])[0]


@pytest.fixture
def files(sample: AVSample, tmp_path: Path) -> tuple[Path, Path]:
    image, audio = tmp_path / "scene.png", tmp_path / "hum.wav"
    Image.fromarray(sample.image).save(image)
    soundfile.write(audio, sample.audio.waveform.T, sample.audio.sample_rate_hz, subtype="FLOAT")
    return image, audio


def test_it_is_what_a_pipeline_answers(sample: AVSample, files: tuple[Path, Path]) -> None:
    want = build("fused", device="auto")(AVSample.from_files(*files))
    assert same_bits(zsavs.segment(*files, "fused", "toy"), want)
    assert same_bits(zsavs.segment(str(files[0]), str(files[1]), "fused", preset="toy"), want)
    from_arrays = zsavs.segment(sample.image, sample.audio, "fused", preset="toy")
    assert np.array_equal(from_arrays.masks, want.masks)
    assert from_arrays.phrases == want.phrases == ("blue",)


def test_the_pipeline_is_kept_for_the_next_call(sample: AVSample, counting: type[Counting]) -> None:
    settings: dict[str, Any] = {"preset": "toy", "audio_text": "counting:a", "vocabulary": ["red", "blue"]}
    for _ in range(3):
        zsavs.segment(sample.image, sample.audio, **settings)
    assert counting.loaded == 1
    kept = one_call._kept.cache_info()
    assert (kept.hits, kept.misses) == (2, 1)
    zsavs.segment(sample.image, sample.audio, **{**settings, "vocabulary": ["red"]})
    assert one_call._kept.cache_info().misses == 2, "other settings are another pipeline"


def test_a_setting_that_cannot_be_compared_is_used_all_the_same(sample: AVSample) -> None:
    class Unhashable(toy.ToyGrounder):
        __hash__ = None  # type: ignore[assignment]

    found = zsavs.segment(sample.image, sample.audio, "fused", preset="toy", grounder=Unhashable())
    assert found.phrases == ("blue",)
    assert one_call._kept.cache_info().currsize == 0


def test_without_a_preset_no_small_world_answers(sample: AVSample) -> None:
    """Neither nano nor toy, which are always here; the cheapest that would is offered."""
    with pytest.raises(MissingWeights, match="zsavs download base"):
        zsavs.segment(sample.image, sample.audio)


def test_the_best_preset_that_is_here_answers(sample: AVSample, monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"base"}
    monkeypatch.setattr("zsavs.build.availability.missing_weights", lambda name, _: () if name in here else ("a card",))
    asked: list[str] = []
    build_toy = build("fused")
    monkeypatch.setattr(one_call, "build_pipeline", lambda strategy, preset, **_: asked.append(preset) or build_toy)
    zsavs.segment(sample.image, sample.audio)
    here.add("large")
    zsavs.segment(sample.image, sample.audio)
    assert asked == ["base", "large"]


def test_what_cannot_be_read_is_told_before_anything_is_built(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.jpg"):
        zsavs.segment(tmp_path / "gone.jpg", files[1], preset="no such preset")
    with pytest.raises(AudioError, match=r"gone\.wav"):
        zsavs.segment(files[0], tmp_path / "gone.wav", preset="no such preset")
    with pytest.raises(ImageError, match="expected an image file or an array"):
        zsavs.segment(None, files[1])  # type: ignore[arg-type]
    with pytest.raises(AudioError, match=r"expected an audio file or a zsavs\.AudioClip, got ndarray"):
        zsavs.segment(files[0], np.zeros((1, 16_000)))  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="no such preset"):
        zsavs.segment(*files, preset="no such preset")
