"""Sources named by a model that hears and sees, and regions judged by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import zsavs
from zsavs.build.availability import missing_roles
from zsavs.errors import InputError
from zsavs.protocols import Judged, Sought, Translation
from zsavs.strategies.omni import Omni
from zsavs.testing import toy
from zsavs.types import AudioClip, AVSample


class Scripted:
    """Names, window by window, what it was given to say."""

    def __init__(self, *phrases: tuple[str, ...]) -> None:
        self.phrases, self.heard = list(phrases), []

    def name_sources(self, samples: list[AVSample]) -> list[Translation]:
        self.heard += [sample.audio.duration_s for sample in samples]
        return [
            Translation(tuple(Sought(p, "a sound", "it is seen") for p in self.phrases.pop(0)), {"tokens": 5})
            for _ in samples
        ]

    def judge(self, images: list, clips: list, phrases: list) -> Judged:
        raise AssertionError("a strategy judges no regions")


def test_what_hums_is_named_and_what_is_silent_or_off_screen_is_not() -> None:
    sample, target = toy.scene(("red", "blue"), ("blue", "green"))
    pipe = zsavs.build_pipeline("omni", preset="toy")
    result = pipe(sample)
    assert result.phrases == ("blue thing",)
    assert np.array_equal(result.mask, target)
    notes = result.meta["notes"]
    assert notes["omni"]["sources"] == [{"phrase": "blue thing", "heard": "humming", "reason": "it hums"}]
    assert notes["judged"] == {"questions": 3, "tokens": 0}
    assert result.timings["naming"] > 0
    assert zsavs.AVSResult is type(result)


def test_silence_is_not_asked_about() -> None:
    sample, _ = toy.scene(("red",), ())
    scripted = Scripted()
    assert not len(Omni(scripted).query([sample])[0])
    assert not scripted.heard


def test_a_source_sounds_in_the_windows_in_which_it_is_named() -> None:
    sample, _ = toy.scene(("red", "blue"), ("red",))
    long = replace(sample, audio=toy.tone("red", seconds=30))
    scripted = Scripted(("a red thing",), ("red thing", "blue thing"), ("blue thing",))
    (query,) = Omni(scripted).query([long])
    assert query.phrases == ("a red thing", "blue thing")
    assert query.times == (((0.0, 20.0),), ((10.0, 30.0),))
    assert scripted.heard == [10.0] * 3
    assert query.notes["omni"]["tokens"] == 15
    (short,) = Omni(Scripted(("red thing",))).query([sample])
    assert short.times is None


def test_of_too_many_sources_the_first_stay_and_the_others_are_told() -> None:
    sample, _ = toy.scene(("red",), ("red",))
    (query,) = Omni(Scripted(("dog", "cat", "cow")), top_k=2).query([sample])
    assert query.phrases == ("dog", "cat")
    assert query.notes["top_k"]["next"] == ["cow"]
    with pytest.raises(InputError, match="top_k must be at least 0"):
        Omni(Scripted(), top_k=-1)


def test_noise_finds_nothing() -> None:
    sample, _ = toy.scene(("red",), ())
    noise = AudioClip(np.random.default_rng(0).uniform(-0.3, 0.3, (1, 32_000)).astype(np.float32), 16_000)
    assert not len(zsavs.build_pipeline("omni", preset="toy")(replace(sample, audio=noise)))


def test_presets_without_a_joint_space_have_no_omni_model_and_say_how_to_name_one() -> None:
    assert missing_roles("omni", "base") == ["omni"]
    assert not missing_roles("omni", "pe")
    with pytest.raises(InputError, match=r"'base' has no omni.*qwen2_5_omni \(Qwen/Qwen2.5-Omni-7B"):
        zsavs.build_pipeline("omni", preset="base")
