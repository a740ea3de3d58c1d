"""Parts by name and by object, settings, and the stages that a strategy asks for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counting_encoder import Counting
from huggingface_hub import constants
from toy_pipelines import build

import zsavs
from zsavs import presets, registry
from zsavs.build import strategies_of
from zsavs.errors import ContractError, InputError, MissingWeights, UnknownName, VocabularyError
from zsavs.registry import list_components
from zsavs.strategies.audio_to_text import AudioToText
from zsavs.testing import example_samples, toy
from zsavs.testing.tiny.segmenters import tiny_sam2
from zsavs.types import AVSample, Query
from zsavs.verification.joint_rescoring import JointVerifier
from zsavs.verification.selection import TrustGrounder

#: The strategies that need a joint encoder.
JOINT = ("joint_embedding", "text_bridged", "textual_inversion")


# ------------------------------------------------------------------------------------------ settings
def test_settings_reach_the_strategy() -> None:
    strategy = build("fused", top_k=7, alpha=0.25, variant="embedding").strategy
    assert (strategy.top_k, strategy.alpha, strategy.variant) == (7, 0.25, "embedding")


def test_a_setting_that_does_not_exist_suggests() -> None:
    with pytest.raises(UnknownName, match=r"no setting of strategy 'fused' named 'topk'; did you mean 'top_k'\?"):
        build("fused", topk=3)
    with pytest.raises(UnknownName, match=r"no setting of strategy 'audio_to_text' named 'alpha'.*min_z"):
        build("audio_to_text", alpha=0.5)
    with pytest.raises(UnknownName, match=r"did you mean 'segmenter'"):
        build("fused", segmentor="toy")


def test_the_vocabulary_reaches_strategy_and_verifier() -> None:
    pipe = build("audio_to_text", vocabulary=["red", "blue whale"])
    assert pipe.strategy.vocabulary == ("red", "blue whale")
    assert pipe.verifier.alternatives == ("red", "blue whale")
    assert build("audio_to_text").strategy.vocabulary == tuple(toy.COLOURS), "the preset's own"


def test_a_vocabulary_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("# mine\nred\n")
    for path in (tmp_path / "v.txt", str(tmp_path / "v.txt")):
        assert build("audio_to_text", vocabulary=path).strategy.vocabulary == ("red",)
    with pytest.raises(VocabularyError, match="no such file"):
        build(vocabulary=tmp_path / "w.txt")


def test_a_preset_without_silent_things_has_no_silent_alternatives() -> None:
    assert presets.PRESETS["toy"].silent == ""
    assert "tree" not in build("fused").verifier.alternatives


# ----------------------------------------------------------------------------------------- overrides
def test_a_part_by_object() -> None:
    ears, grounder = toy.ToyAudioText(), toy.ToyGrounder()
    pipe = build("fused", audio_text=ears, grounder=grounder, verifier=TrustGrounder())
    assert pipe.strategy.audio_scorer.encoder is ears
    assert pipe.grounder is grounder
    assert isinstance(pipe.verifier, TrustGrounder)
    assert pipe.meta["models"]["verifier"] == "TrustGrounder", "a part without a card is named after its class"


def test_a_part_by_name_with_and_without_a_checkpoint(counting: type[Counting]) -> None:
    build("fused", audio_text="counting")
    build("fused", audio_text="counting:org/name@x:y")
    assert [settings["checkpoint"] for settings in counting.settings] == ["", "org/name@x:y"]
    assert isinstance(build(verifier="trust_grounder").verifier, TrustGrounder)


@pytest.mark.parametrize("part", [toy.ToyGrounder, 7, object()])
def test_a_part_that_is_none_is_refused(part: Any) -> None:
    with pytest.raises(ContractError, match=r"grounder: expected an object with ground\("):
        build(grounder=part)


# --------------------------------------------------------------------------- a strategy of one's own
class Mine:
    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        return [Query(("blue",), np.ones(1, np.float32)) for _ in samples]


def test_a_strategy_object_in_place_of_a_name() -> None:
    mine = Mine()
    pipe = build(mine)
    assert pipe.strategy is mine
    assert pipe.meta["strategy"] == "Mine"
    assert pipe(example_samples()[0]).phrases == ("blue",)
    assert build(AudioToText(toy.ToyAudioText(), ["red"])).meta["strategy"] == "AudioToText"


def test_a_built_strategy_takes_no_settings_but_parts() -> None:
    assert isinstance(build(Mine(), verifier="trust_grounder").verifier, TrustGrounder)
    with pytest.raises(UnknownName, match="no setting of a strategy that is built already named 'top_k'"):
        build(Mine(), top_k=2)


@pytest.mark.parametrize("wrong", [Mine, None, 7, toy.ToyGrounder()])
def test_what_is_no_strategy_is_refused(wrong: Any) -> None:
    with pytest.raises(ContractError, match=r"strategy: expected an object with query\(\.\.\.\)"):
        build(wrong)


# ---------------------------------------------------------- what a strategy asks of the later stages
class Asks(AudioToText):
    """A strategy that wants stages of its own kind."""

    stages = {"grounder": "full_frame", "verifier": "trust_grounder"}  # noqa: RUF012


def test_a_strategy_gets_the_stages_that_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._BUILT_IN["strategy"], "asks", f"{__name__}:Asks")
    for strategy in ("asks", Asks(toy.ToyAudioText(), ("red",))):
        pipe = build(strategy)
        assert type(pipe.grounder).__name__ == "FullFrame"
        assert isinstance(pipe.verifier, TrustGrounder)
        assert isinstance(pipe.segmenter, toy.ToySegmenter), "the preset's, as it asks for none"
        assert pipe.meta["models"]["grounder"] == "FullFrame"


def test_what_the_caller_names_comes_before_what_the_strategy_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._BUILT_IN["strategy"], "asks", f"{__name__}:Asks")
    pipe = build("asks", grounder="toy", verifier=TrustGrounder())
    assert isinstance(pipe.grounder, toy.ToyGrounder)
    assert isinstance(build("joint_embedding", grounder="toy").grounder, toy.ToyGrounder)


def test_a_preset_says_what_stands_for_a_stage_that_is_asked_for() -> None:
    assert presets.PRESETS["toy"].parts["grounder.segments"].name == "toy_segments"
    for name in JOINT:
        assert isinstance(build(name).grounder, toy.ToySegments)
        assert isinstance(build(name).verifier, JointVerifier)
    assert isinstance(build("fused").grounder, toy.ToyGrounder), "others keep the preset's"


def test_a_preset_may_have_settings_for_one_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    told = replace(
        presets.PRESETS["toy"],
        settings={"top_k": 4, "min_z": 2.5},
        strategy_settings={"fused": {"top_k": 6}, "joint_embedding": {"min_z": 1.0}},
    )
    monkeypatch.setitem(presets.PRESETS, "told", told)
    for name, top_k, min_z in (("fused", 6, 2.5), ("joint_embedding", 4, 1.0), ("audio_to_text", 4, 2.5)):
        strategy = build(name, preset="told").strategy
        assert (strategy.top_k, strategy.min_z) == (top_k, min_z)
    assert build("fused", preset="told", top_k=2).strategy.top_k == 2, "what is named comes first"


def test_without_a_word_of_the_preset_the_stage_is_built_from_its_other_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {key: part for key, part in presets.PRESETS["toy"].parts.items() if key != "grounder.segments"}
    monkeypatch.setitem(presets.PRESETS, "bare", replace(presets.PRESETS["toy"], parts=parts))
    segmenter = tiny_sam2()
    pipe = build("joint_embedding", preset="bare", segmenter=segmenter)
    assert type(pipe.grounder).__name__ == "SegmentProposals"
    assert pipe.grounder.segmenter is pipe.segmenter is segmenter
    around = build("joint_embedding", grounder="objects").grounder
    assert type(around).__name__ == "DetectorProposals"
    assert isinstance(around.detector, toy.ToyGrounder), "around the preset's detector, not what the strategy asks for"


def test_a_stage_that_is_asked_for_and_not_there_is_named() -> None:
    class Wants(AudioToText):
        stages = {"grounder": "segmentz"}  # noqa: RUF012

    with pytest.raises(UnknownName, match="no grounder named 'segmentz'"):
        build(Wants(toy.ToyAudioText(), ("red",)))


def test_a_preset_without_a_joint_encoder_says_which_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    lean = replace(
        presets.PRESETS["toy"], parts={k: v for k, v in presets.PRESETS["toy"].parts.items() if k != "joint"}
    )
    monkeypatch.setitem(presets.PRESETS, "lean", lean)
    with pytest.raises(
        InputError,
        match=r"the preset 'lean' has no joint, and strategy 'joint_embedding' needs one; .*\(.*toy\), "
        r"or name one, .* --part joint=NAME\[:CHECKPOINT\], .*\. There are: imagebind \(.*toy",
    ):
        build("joint_embedding", preset="lean")
    assert isinstance(build("joint_embedding", preset="lean", joint="toy").strategy.audio_scorer.encoder, toy.ToyJoint)
    assert strategies_of("lean") == [n for n in strategies_of("toy") if n not in JOINT]


def test_the_strategies_of_a_preset() -> None:
    assert strategies_of("toy") == list_components("strategy"), "the toy world shows them all"
    assert {"audio_to_text", "cross_modal", "fused"} <= set(strategies_of("base"))
    assert "joint_embedding" not in strategies_of("base")
    with pytest.raises(UnknownName, match="no preset named 'bas'"):
        strategies_of("bas")


def test_one_joint_encoder_serves_strategy_and_verifier() -> None:
    pipe = build("text_bridged")
    assert pipe.strategy.audio_scorer.encoder is pipe.verifier.image_scorer.encoder


# ------------------------------------------------------------------------------- nothing left behind
def test_building_leaves_the_callers_settings_alone() -> None:
    settings = {"top_k": 2, "grounder": "toy"}
    build("fused", **settings)
    assert settings == {"top_k": 2, "grounder": "toy"}
    labels = ["red", "blue"]
    build("fused", vocabulary=labels)
    assert labels == ["red", "blue"]


def test_one_bare_name_is_not_a_list_of_letters() -> None:
    with pytest.raises(InputError, match=r"use \['fused'\]"):
        zsavs.compare([], "fused", preset="toy")


def test_weights_that_a_preset_lacks_name_the_command_for_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MissingWeights, match=r"zsavs download laion/\S+ .* 'base' needs: zsavs download base$"):
        zsavs.build_pipeline("audio_to_text", preset="base", device="cpu")
    with pytest.raises(MissingWeights, match="zsavs download org/mine") as error:
        zsavs.build_pipeline("audio_to_text", preset="toy", audio_text="clap:org/mine", device="cpu")
    assert "needs:" not in str(error.value), "what was asked for by name is not the preset's"


def test_what_was_set_is_on_record() -> None:
    pipe = build("cross_modal", top_k=2, nouns=str.split)
    assert pipe.meta["settings"] == {"top_k": 2, "nouns": "str.split"}
    assert (pipe.meta["device"], pipe.meta["dtype"]) == ("cpu", "auto")
    json.dumps(pipe.meta)
