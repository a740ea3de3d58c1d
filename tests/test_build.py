"""From names to pipelines: shared weights, overrides, clear refusals, and other people's parts."""

from __future__ import annotations

import gc
import importlib.metadata
import json
import sys
import textwrap
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import constants
from numpy.typing import NDArray
from results import same_bits

import zsavs
from zsavs import presets, registry
from zsavs.build import build_pipeline, compare, strategies_of
from zsavs.errors import BrokenInstallation, ContractError, InputError, MissingWeights, UnknownName, VocabularyError
from zsavs.registry import ROLES, find_component, list_components
from zsavs.strategies.audio_to_text import AudioToText
from zsavs.testing import example_samples, toy
from zsavs.testing.tiny.segmenters import tiny_sam2
from zsavs.types import AudioClip, AVSample, Query
from zsavs.verification.joint import JointVerifier
from zsavs.verification.selection import TrustGrounder

#: The strategies that need a joint encoder.
JOINT = ("joint_embedding", "text_bridged", "textual_inversion")


def build(strategy: Any = "fused", **settings: Any) -> Any:
    return build_pipeline(strategy, **({"preset": "toy", "device": "cpu"} | settings))


# ------------------------------------------------------------------------------- the registry
def test_what_can_be_asked_for() -> None:
    assert {
        "audio_to_text",
        "caption",
        "classify",
        "cofactorization",
        "cross_modal",
        "fused",
        "joint_embedding",
        "text_bridged",
        "textual_inversion",
    } == set(list_components("strategy"))
    assert {"base", "large", "toy"} <= set(list_components("preset"))
    assert "everyday" in list_components("vocabulary")
    assert "toy" in list_components("segmenter")
    for kind in ("strategy", "preset", "vocabulary", "dataset", *ROLES):
        assert list_components(kind) == sorted(list_components(kind))


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, names in registry._BUILT_IN.items() for n in names])
def test_every_built_in_name_has_a_home(kind: str, name: str) -> None:
    component = find_component(kind, name)
    assert component.__doc__
    assert component.__module__.startswith("zsavs.")


def test_every_part_of_every_preset_is_registered() -> None:
    for name, preset in presets.PRESETS.items():
        # The public audio captioners are non-commercial, and so is ImageBind.
        only: dict[str, set[str]] = {"toy": set(), "nano": set(), "imagebind": {"audio_captioner"}}
        lacking = only.get(name, {"audio_captioner", "joint"})
        assert {key.partition(".")[0] for key in preset.parts} == set(ROLES) - lacking, name
        for key, part in preset.parts.items():
            role = key.partition(".")[0]
            find_component(role, part.name)
            if part.around is not None:
                find_component(role, part.around.name)
        zsavs.language.vocabulary.load_vocabulary(preset.vocabulary)


def test_unknown_names_suggest() -> None:
    with pytest.raises(
        UnknownName, match=r"no strategy named 'crossmodal'; did you mean 'cross_modal'\? Choose from: "
    ):
        build("crossmodal")
    with pytest.raises(UnknownName, match=r"no preset named 'bas'; did you mean 'base'"):
        build(preset="bas")
    with pytest.raises(UnknownName, match=r"no kind of component named 'strategies'; did you mean 'strategy'"):
        list_components("strategies")
    with pytest.raises(UnknownName, match=r"no segmenter named 'sam'; did you mean 'sam2'"):
        build(segmenter="sam")
    with pytest.raises(UnknownName, match="no vocabulary named 'everday'; did you mean 'everyday'"):
        build(vocabulary="everday")
    with pytest.raises(UnknownName, match=r"no strategy named ''\. Choose from: .*audio_to_text"):
        build("")


# ------------------------------------------------------------------------------------ settings
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


# -------------------------------------------------------------------------------------- sharing
class Counting(toy.ToyAudioText):
    """Encoders that count how often they are loaded and how many clips they embed."""

    loaded = 0
    sounds = 0
    settings: list[dict[str, Any]] = []  # noqa: RUF012

    @classmethod
    def load(cls, checkpoint: str = "", **settings: Any) -> Counting:
        cls.loaded += 1
        cls.settings.append({"checkpoint": checkpoint, **settings})
        return cls()

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        type(self).sounds += len(clips)
        return super().encode_audio(clips)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    monkeypatch.setitem(registry._BUILT_IN["audio_text"], "counting", f"{__name__}:Counting")
    Counting.loaded, Counting.sounds, Counting.settings = 0, 0, []
    return Counting


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


# ------------------------------------------------------------------------------------- overrides
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


# ------------------------------------------------------------------- a strategy of one's own
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


# ------------------------------------------------------------------------------------ compare
def test_compare_is_the_same_pipelines_one_by_one() -> None:
    names = list_components("strategy")
    together = compare(iter(example_samples()), names, preset="toy", device="cpu", batch_size=2)
    assert list(together) == names
    single = compare(example_samples(), ["fused"], preset="toy", device="cpu", batch_size=1)
    assert all(same_bits(one, other) for one, other in zip(together["fused"], single["fused"], strict=True))
    for name in names:
        alone = [build(name)(sample) for sample in example_samples()]
        assert len(together[name]) == len(alone)
        assert all(same_bits(one, other) for one, other in zip(together[name], alone, strict=True))


def test_compare_with_nothing() -> None:
    assert compare([], ["fused"], preset="toy") == {"fused": []}
    assert compare(example_samples(), [], preset="toy") == {}
    with pytest.raises(UnknownName):
        compare(example_samples(), ["fused", "fussed"], preset="toy")


class MemoEyes(toy.ToyImageText):
    """Eyes that remember, as the real adapters do, and count what they really compute."""

    computed = 0

    def __init__(self) -> None:
        from zsavs.storage.memo import Memo

        self._memo: Memo[NDArray[np.float32]] = Memo()

    def encode_image(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        def compute(new: list[Any]) -> list[NDArray[np.float32]]:
            type(self).computed += len(new)
            return list(toy.ToyImageText.encode_image(self, new))

        return np.array(self._memo(images, compute), np.float32).reshape(len(images), -1)


class MemoEars(toy.ToyAudioText):
    computed = 0

    def __init__(self) -> None:
        from zsavs.storage.memo import Memo

        self._memo: Memo[NDArray[np.float32]] = Memo()

    def encode_audio(self, clips: Sequence[AudioClip]) -> NDArray[np.float32]:
        def compute(new: list[Any]) -> list[NDArray[np.float32]]:
            type(self).computed += len(new)
            return list(toy.ToyAudioText.encode_audio(self, new))

        return np.array(self._memo(clips, compute), np.float32).reshape(len(clips), -1)


@pytest.mark.parametrize("working_pixels", [2048 * 2048, 1000])
def test_compare_encodes_every_image_and_sound_once(working_pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images above the working size, too, although it is a smaller copy that is encoded."""
    monkeypatch.setattr("zsavs.pipeline.WORKING_PIXELS", working_pixels)
    monkeypatch.setitem(registry._BUILT_IN["audio_text"], "toy", f"{__name__}:MemoEars")
    monkeypatch.setitem(registry._BUILT_IN["image_text"], "toy", f"{__name__}:MemoEyes")
    monkeypatch.setattr(
        "zsavs.registry._BUILT_IN",
        registry._BUILT_IN | {"verifier": {"clip": "zsavs.verification.selection:TrustGrounder"}},
    )
    names = ["audio_to_text", "cross_modal", "fused"]
    first = build("fused")  # the bank is computed once, and is not what this is about
    first.strategy.query(example_samples()[:1])
    MemoEars.computed = MemoEyes.computed = 0
    samples = example_samples()
    compare(samples, names, preset="toy", device="cpu", batch_size=2)
    assert MemoEars.computed == len(samples)
    assert MemoEyes.computed == len(samples)


# ------------------------------------------------------------------------- other people's parts
@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package on the path that registers a strategy, a grounder, a data set, and two things that do not work."""
    module = "zsavs_plug_in_of_a_test"
    (tmp_path / f"{module}.py").write_text(
        textwrap.dedent(
            """
            import numpy as np
            from zsavs.testing import toy
            from zsavs.types import Query

            class Mine:
                '''Always looks for one colour.'''
                def __init__(self, audio_text, vocabulary, *, colour="blue"):
                    self.audio_text, self.vocabulary, self.colour = audio_text, vocabulary, colour
                def query(self, samples):
                    return [Query((self.colour,), np.ones(1, np.float32)) for _ in samples]

            class MyGrounder(toy.ToyGrounder):
                @classmethod
                def load(cls, checkpoint="default", **settings):
                    self = cls()
                    self.checkpoint = checkpoint
                    return self
            """
        )
    )
    info = tmp_path / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plug-in-of-a-test\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        textwrap.dedent(
            f"""
            [zsavs.strategies]
            mine = {module}:Mine
            fused = {module}:Mine
            gone = zsavs_no_such_module:Thing
            half = {module}:NotThere

            [zsavs.models]
            grounder.mine = {module}:MyGrounder
            segmenter.gone = zsavs_no_such_module:Thing

            [zsavs.datasets]
            my_set = {module}:Mine
            """
        )
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield module
    sys.modules.pop(module, None)


@pytest.mark.usefixtures("plug_in")
def test_a_plug_in_is_listed_and_built() -> None:
    assert "mine" in list_components("strategy")
    assert "mine" in list_components("grounder")
    assert "mine" not in list_components("segmenter"), "a model is registered under its role"
    assert "my_set" in list_components("dataset")
    pipe = build("mine", grounder="mine", colour="red")
    assert pipe.strategy.colour == "red"
    assert isinstance(pipe.strategy.audio_text, toy.ToyAudioText), "parts by the name of their role"
    assert pipe.strategy.vocabulary == tuple(toy.COLOURS)
    assert pipe.grounder.checkpoint == "default"
    assert build("mine", grounder="mine:org/x").grounder.checkpoint == "org/x"
    assert pipe(example_samples()[0]).phrases == ("red",)
    with pytest.raises(UnknownName, match="did you mean 'colour'"):
        build("mine", color="red")


@pytest.mark.usefixtures("plug_in")
def test_a_built_in_name_wins() -> None:
    assert type(build("fused").strategy).__module__ == "zsavs.strategies.fused"


@pytest.mark.usefixtures("plug_in")
def test_a_broken_plug_in_is_named_and_the_rest_carries_on() -> None:
    assert {"gone", "half", "mine", "fused"} <= set(list_components("strategy")), "listing imports nothing"
    with pytest.raises(BrokenInstallation) as error:
        build("gone")
    message = str(error.value)
    assert message.startswith(
        "the strategy 'gone' of plug-in-of-a-test cannot be imported from zsavs_no_such_module:Th"
    )
    assert message.endswith("update or remove that package.")
    assert "\n" not in message
    with pytest.raises(BrokenInstallation, match=r"the strategy 'half' of plug-in-of-a-test .*NotThere"):
        build("half")
    with pytest.raises(BrokenInstallation, match=r"the segmenter 'gone' of plug-in-of-a-test"):
        build("mine", segmenter="gone")
    assert build("mine")(example_samples()[0]).phrases == ("blue",)


def test_listing_imports_no_plug_in(plug_in: str) -> None:
    for kind in ("strategy", "grounder", "dataset"):
        list_components(kind)
    assert plug_in not in sys.modules


# -------------------------------------------------------------------------- nothing left behind
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


# ------------------------------------------------------- what a strategy asks of the later stages
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
        r'or give one: joint="NAME" or "NAME:CHECKPOINT", NAME from imagebind, .*toy',
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
