"""What can be set of strategies and parts, and which of several strategies has which setting."""

from __future__ import annotations

from typing import Any

import pytest

import zsavs
from zsavs.build import build_encoders, settable, settings_for, used_roles
from zsavs.errors import InputError, UnknownName
from zsavs.testing import toy


def test_the_settings_of_a_strategy_and_of_its_parts_are_found_by_name() -> None:
    known = settable("fused", "nano", {})
    assert known["min_z"].default == 2.0
    assert {"segmenter.margin", "grounder.threshold", "verifier.temperature", "audio_text.batch_size"} <= set(known)
    assert not {"vocabulary", "audio_text", "verifier.silent", "grounder.device", "grounder.model"} & set(known)
    assert "captioner.prompt" not in known, "fused has no captioner"


def test_the_parts_that_a_strategy_asks_for_are_those_that_are_set() -> None:
    assert "verifier.min_z" in settable("text_bridged", "nano", {}), "the joint verifier"
    assert "verifier.alignment" in settable("text_bridged", "nano", {"verifier": "joint"})
    assert "verifier.alignment" not in settable("text_bridged", "nano", {"verifier": "clip"})
    assert "verifier.temperature" in settable("text_bridged", "nano", {"verifier": "clip"})
    assert "verifier.temperature" not in settable("text_bridged", "nano", {"verifier": "joint"})
    assert "grounder.box_threshold" in settable("fused", "nano", {"grounder": "grounding_dino:x"})
    assert not [name for name in settable("fused", "toy", {"grounder": toy.ToyGrounder()}) if "grounder." in name]


def test_roles_that_are_used_are_those_of_the_strategy_and_of_the_parts_themselves() -> None:
    stages = {"grounder", "verifier", "segmenter", "tracker", "image_text"}
    assert used_roles("caption", "base", {"audio_captioner": "whisper"}) == {*stages, "audio_captioner"}
    assert used_roles("audio_to_text", "base", {"audio_captioner": "whisper"}) == {*stages, "audio_text"}


def test_each_of_several_strategies_gets_the_settings_that_it_has() -> None:
    given = {"min_z": 1.0, "min_probability": 0.1, "verifier.temperature": 2.0, "grounder": "toy"}
    own = settings_for(["classify", "fused"], "toy", given)
    assert own["classify"] == {"grounder": "toy", "min_probability": 0.1, "verifier.temperature": 2.0}
    assert own["fused"] == {"grounder": "toy", "min_z": 1.0, "verifier.temperature": 2.0}
    with pytest.raises(UnknownName, match="setting of classify, fused named 'min_zed'; did you mean 'min_z'"):
        settings_for(["classify", "fused"], "toy", {"min_zed": 1.0})


def test_a_setting_of_a_part_reaches_it_and_is_on_record() -> None:
    settings: dict[str, Any] = {"verifier.temperature": 2.0, "top_k": 2}
    pipe = zsavs.build_pipeline("fused", preset="toy", **settings)
    assert getattr(pipe.verifier, "temperature") == 2.0  # noqa: B009
    assert pipe.meta["settings"] == {"top_k": 2, "verifier.temperature": 2.0}
    closer: Any = zsavs.build_pipeline("fused", preset="toy", segmenter="closer:toy", **{"segmenter.margin": 0.4})
    assert closer.segmenter.margins == (0.4,)


def test_what_a_part_does_not_have_is_set_of_the_part_that_it_goes_around() -> None:
    """In a preset, by name around the preset's own, and around one that is named."""
    assert {"segmenter.margin", "segmenter.image_size"} <= set(settable("fused", "nano", {}))
    assert "segmenter.batch_size" in settable("fused", "base", {"segmenter": "closer"})
    assert "segmenter.image_size" not in settable("fused", "nano", {"segmenter": "closer:toy"})
    settings: dict[str, Any] = {"segmenter.image_size": 192, "segmenter.margin": 0.4}
    closer: Any = zsavs.build_pipeline("fused", preset="nano", device="cpu", **settings).segmenter
    assert closer.margins == (0.4,)
    assert closer.segmenter.image_processor.size["height"] == 192
    assert closer.segmenter.multimask is False, "as the preset has it"
    named: Any = {"segmenter": "closer:sam2:zsavs:nano/sam2", "segmenter.image_size": 192}
    closer = zsavs.build_pipeline("fused", preset="nano", device="cpu", **named).segmenter
    assert closer.segmenter.image_processor.size["height"] == 192
    with pytest.raises(UnknownName, match=r"setting of segmenter 'closer' named 'marginn'; did you mean 'margin'"):
        zsavs.build_pipeline("fused", preset="nano", **{"segmenter.marginn": 0.4})


def test_a_setting_of_a_part_that_cannot_be_is_refused() -> None:
    with pytest.raises(UnknownName, match="setting of verifier 'clip' named 'temprature'"):
        zsavs.build_pipeline("fused", preset="toy", **{"verifier.temprature": 2.0})
    with pytest.raises(InputError, match=r"captioner\.x: 'fused' with preset 'toy' has no captioner to set"):
        zsavs.build_pipeline("fused", preset="toy", **{"captioner.x": 1})
    with pytest.raises(InputError, match="the grounder that was given is built already"):
        zsavs.build_pipeline("fused", preset="toy", grounder=toy.ToyGrounder(), **{"grounder.x": 1})


def test_compare_takes_parts_and_settings() -> None:
    sample, _ = toy.scene(("red", "blue"), ("blue", "red"))
    results = zsavs.compare([sample], ["fused", "classify"], preset="toy", top_k=1, min_z=0.5, grounder="toy")
    assert [len(results[name][0].queries) for name in results] == [1, 1]
    with pytest.raises(UnknownName, match="min_zed"):
        zsavs.compare([sample], ["fused", "classify"], preset="toy", min_zed=1)


def test_encoders_are_built_from_the_parts_that_are_named() -> None:
    built = build_encoders("toy", parts={"audio_text": "toy"})
    assert {"audio_text", "image_text", "joint"} == set(built)
    with pytest.raises(InputError, match="the grounder is calibrated against no bank"):
        build_encoders("toy", parts={"grounder": "toy"})
