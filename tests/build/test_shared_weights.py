"""One copy of a model for all pipelines of a process, and only what is needed."""

from __future__ import annotations

import gc
import weakref

import pytest
from counting_encoder import Counting
from toy_pipelines import build

from zsavs import presets
from zsavs.registry import ROLES, find_component


def test_two_pipelines_share_one_copy_of_a_model(counting: type[Counting]) -> None:
    pipes = [build(name, audio_text="counting:org/ears") for name in ("fused", "audio_to_text", "fused")]
    models = {id(pipe.strategy.audio_scorer.encoder) for pipe in pipes}
    assert len(models) == 1
    assert counting.loaded == 1
    assert pipes[0].segmenter is pipes[1].segmenter
    assert pipes[0].strategy is not pipes[2].strategy, "settings are the strategy's own"


def test_another_checkpoint_device_or_dtype_is_another_copy(counting: type[Counting]) -> None:
    pipes = [
        build("fused", audio_text="counting:a"),
        build("fused", audio_text="counting:b"),
        build("fused", audio_text="counting:a", dtype="float16"),
        build("fused", audio_text="counting:a", device="cuda"),
    ]
    assert counting.loaded == 4
    assert len({id(pipe.strategy.audio_scorer.encoder) for pipe in pipes}) == 4
    assert counting.settings[0] == {"checkpoint": "a", "device": "cpu", "dtype": "auto"}
    assert counting.settings[2]["dtype"] == "float16"


def test_a_model_goes_when_the_last_pipeline_goes(counting: type[Counting]) -> None:
    pipe = build("fused", audio_text="counting:a")
    reference = weakref.ref(pipe.strategy.audio_scorer.encoder)
    del pipe
    gc.collect()
    assert reference() is None
    build("fused", audio_text="counting:a")
    assert counting.loaded == 2


def test_strategy_and_verifier_look_with_the_same_eyes() -> None:
    pipe = build("fused")
    assert pipe.verifier.image_scorer.encoder is pipe.strategy.image_scorer.encoder


def test_only_what_is_needed_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    for role in ROLES:
        name = presets.PRESETS["toy"].parts[role].name
        cls = find_component(role, name)
        if hasattr(cls, "load"):
            monkeypatch.setattr(cls, "load", classmethod(lambda cls, **_: loaded.append(cls.__name__) or cls()))
    build("audio_to_text", top_k=1, verifier="trust_grounder", device="cuda:7")
    assert sorted(loaded) == ["ToyAudioText", "ToyGrounder", "ToySegmenter"]
