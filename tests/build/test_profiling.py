"""Where the time of an answer goes: each second has one stage, and a call of a model the stage that made it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

import zsavs
from zsavs.build import profiling
from zsavs.errors import AudioError, ImageError, InputError
from zsavs.models.model_time import model_call, told_of_model_calls
from zsavs.pipeline import Pipeline
from zsavs.testing import toy

_WAIT = 0.02


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    sample = toy.scene(["red", "blue"], ["blue"])[0]
    image, audio = tmp_path / "scene.png", tmp_path / "hum.wav"
    Image.fromarray(sample.image).save(image)
    soundfile.write(audio, sample.audio.waveform.T, sample.audio.sample_rate_hz, subtype="FLOAT")
    return image, audio


def test_each_second_has_a_stage_and_what_models_take_is_a_part_of_it(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ground = toy.ToyGrounder.ground

    def slow(self: toy.ToyGrounder, *args: object) -> object:
        time.sleep(_WAIT)
        with model_call("detector"):
            time.sleep(_WAIT)
        return ground(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(toy.ToyGrounder, "ground", slow)
    start = time.perf_counter()
    found = zsavs.profile(*files, "fused", "toy", repeats=2)
    elapsed = time.perf_counter() - start
    assert (found.strategy, found.preset, len(found.answers)) == ("fused", "toy", 3)
    assert 0 < sum(found.seconds(number) for number in range(3)) + found.load_s < elapsed
    for stages in found.answers:
        by_name = {stage.stage: stage for stage in stages}
        assert list(by_name) == ["read", "query", "ground", "verify", "segment", "rest"]
        grounding = by_name["ground"]
        assert grounding.calls == {"detector": 1}
        assert grounding.models["detector"] == pytest.approx(grounding.in_models_s)
        assert grounding.in_models_s >= _WAIT
        assert grounding.own_s >= _WAIT
        assert all(not stage.models for name, stage in by_name.items() if name != "ground")
    assert 0 < found.in_models() < 1
    told = found.to_dict()
    assert told["answers"][2][2]["calls"] == {"detector": 1}
    assert told["load_s"] == found.load_s


def test_a_stage_within_a_stage_is_charged_once() -> None:
    clock = profiling._Clock()
    with clock.stage("track"):
        time.sleep(_WAIT)
        with clock.stage("segment"):
            time.sleep(2 * _WAIT)
    assert clock.stages["segment"].seconds >= 2 * _WAIT
    assert _WAIT <= clock.stages["track"].seconds < 2 * _WAIT


def test_of_a_call_within_a_call_the_outer_one_is_told() -> None:
    told: list[str] = []
    with told_of_model_calls(lambda model, seconds: told.append(model)):
        with model_call("outer"), model_call("inner"):
            pass
        with pytest.raises(ValueError, match="broken"), model_call("broken"):
            raise ValueError("broken")
    with model_call("nobody listens"):
        pass
    assert told == ["outer"]


def test_the_answer_is_that_of_the_pipeline(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is watched answers as what is not: the same result goes through."""
    seen: list[zsavs.AVSResult] = []
    batch = Pipeline.batch

    def kept(self: Pipeline, *args: object) -> list[zsavs.AVSResult]:
        seen.extend(results := batch(self, *args))  # type: ignore[arg-type]
        return results

    monkeypatch.setattr(Pipeline, "batch", kept)
    zsavs.profile(*files, "fused", "toy", repeats=0)
    want = zsavs.segment(*files, "fused", "toy")
    assert len(seen) == 2
    assert np.array_equal(seen[0].masks, want.masks)
    assert seen[0].phrases == want.phrases


def test_what_cannot_be_profiled_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    image, audio = files
    with pytest.raises(InputError, match="repeats must be 0 or more"):
        zsavs.profile(image, audio, preset="toy", repeats=-1)
    with pytest.raises(AudioError, match="needs an audio file"):
        zsavs.profile(image, preset="toy")
    with pytest.raises(InputError, match="fps can only be set"):
        zsavs.profile(image, audio, preset="toy", video={"fps": 2})
    with pytest.raises(ImageError, match="nowhere"):
        zsavs.profile(tmp_path / "nowhere.png", audio, preset="toy")
