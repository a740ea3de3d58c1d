"""What is registered, and what other packages register."""

from __future__ import annotations

import importlib.metadata
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_pipelines import build

import zsavs
from zsavs import presets, registry
from zsavs.errors import BrokenInstallation, UnknownName
from zsavs.registry import ROLES, find_component, list_components
from zsavs.testing import example_samples, toy


# -------------------------------------------------------------------------------------- the registry
def test_what_can_be_asked_for() -> None:
    assert {
        "audio_to_text",
        "caption",
        "classify",
        "cofactorization",
        "cross_modal",
        "fused",
        "joint_embedding",
        "omni",
        "pivot",
        "text_bridged",
        "textual_inversion",
        "translated",
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
        # The public audio captioners are non-commercial, and so is ImageBind; omni models are larger than all else.
        only: dict[str, set[str]] = {"toy": set(), "nano": set(), "imagebind": {"audio_captioner"}}
        only["pe"] = {"audio_captioner"}
        lacking = only.get(name, {"audio_captioner", "joint", "omni"})
        assert {key.partition(".")[0] for key in preset.parts} == set(ROLES) - lacking, name
        for key, part in (*preset.parts.items(), *preset.on_cpu.items()):
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
    with pytest.raises(UnknownName, match=r"no segmenter named 'sm2'; did you mean 'sam2'"):
        build(segmenter="sm2")
    with pytest.raises(UnknownName, match="no vocabulary named 'everday'; did you mean 'everyday'"):
        build(vocabulary="everday")
    with pytest.raises(UnknownName, match=r"no strategy named ''\. Choose from: .*audio_to_text"):
        build("")


# ------------------------------------------------------------------------------ other people's parts
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
