"""What holds for every adapter that loads a checkpoint: the same model comes back, or one error says what is wrong."""

from __future__ import annotations

import functools
import inspect
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from adapter_checkpoints import CHECKPOINTS, Checkpoint, save
from adapter_helpers import (
    COMMIT,
    copy_with,
    harmful_pickle,
    imported_by,
    into_hub_cache,
    random_states,
    watch_the_network,
)
from adapter_uses import USES, Uses, far_off, on_device, settings_of
from safetensors.torch import load_file
from safetensors.torch import save as packed

from zsavs.errors import MissingWeights, UnknownName, WeightsError
from zsavs.models.adapter import Adapter
from zsavs.models.file_adapter import FileAdapter
from zsavs.presets import PRESETS
from zsavs.registry import ROLES, find_component, list_components
from zsavs.testing.tiny.audio import tiny_ast
from zsavs.testing.tiny.encoders import tiny_blip


class Saved(NamedTuple):
    """A toy adapter, and the folder that it was saved in."""

    name: str
    part: Any
    uses: Uses
    folder: Path
    known: Checkpoint

    @property
    def cls(self) -> Any:
        return type(self.part)

    def load(self, folder: Path | None = None, **settings: Any) -> Any:
        """The folder loaded on the CPU, with the toy's own settings."""
        return self.cls.load(folder or self.folder, device="cpu", **{**settings_of(self.part), **settings})

    @property
    def published(self) -> str:
        """The checkpoint that is loaded where none is named; the first one known, where one has to be named."""
        return str(self.cls.default or next(iter(self.cls.cards)))

    def load_published(self, **settings: Any) -> Any:
        named = () if self.cls.default else (self.published,)
        return self.cls.load(*named, **{**settings_of(self.part), **settings})

    def weights(self) -> dict[str, torch.Tensor]:
        return load_file(self.folder / "model.safetensors")


@pytest.fixture(scope="module", params=CHECKPOINTS)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    make, uses = USES[request.param]
    part = make()
    folder = save(request.param, part, tmp_path_factory.mktemp(request.param))
    return Saved(request.param, part, uses, folder, CHECKPOINTS[request.param])


#: What a class does whatever its checkpoint holds is shown with one checkpoint of each class; those of CLAP with fusion
#: and of MM Grounding DINO are loaded by the same lines as the others of their classes.
one_of_each_class = pytest.mark.parametrize(
    "saved", [name for name in CHECKPOINTS if name not in ("clap_fusion", "mm_grounding_dino")], indirect=True
)


def of_towers(part: Any) -> set[torch.dtype]:
    """The dtypes of a model's towers."""
    return {weight.dtype for tower in part.towers for weight in part.model.get_submodule(tower).parameters()}


# ----------------------------------------------------------------------------- the same model
def test_a_saved_model_comes_back_the_same(saved: Saved, capsys: pytest.CaptureFixture[str]) -> None:
    fresh, grad = on_device(saved.part, "cpu"), torch.is_grad_enabled()
    capsys.readouterr()
    loaded = saved.load()
    assert capsys.readouterr().out == "", "standard output is for answers"
    for use, ask in saved.uses.items():
        assert far_off(ask(loaded), ask(fresh)) <= saved.known.tolerance, use
    assert (loaded.card.source, loaded.card.licence) == (str(saved.folder), "unknown")
    assert torch.is_grad_enabled() == grad
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())


@one_of_each_class
def test_settings_given_to_load_arrive(saved: Saved) -> None:
    loaded = saved.load(**saved.known.settings)
    assert {name: getattr(loaded, name) for name in saved.known.settings} == saved.known.settings


@one_of_each_class
def test_a_setting_that_the_class_does_not_have_is_refused_by_name(saved: Saved) -> None:
    right, wrong = ("batch_size", "batch_sise")
    if right not in inspect.signature(saved.cls).parameters:  # one item at a time
        right, wrong = ("max_new_tokens", "max_new_tokns")
    with pytest.raises(UnknownName, match=f"no setting of {saved.cls.__name__} named '{wrong}'.*'{right}'"):
        saved.load(**{wrong: 2})


def test_dtype_is_what_was_asked_for_whatever_the_file_holds(saved: Saved, tmp_path: Path) -> None:
    """Of the towers; what an adapter keeps in float32 beside them is in its own tests."""
    half = saved.load(dtype="bfloat16")
    assert of_towers(half) == {torch.bfloat16}
    for ask in saved.uses.values():
        ask(half)
    half.model.to(torch.bfloat16)
    save(saved.name, half, tmp_path)
    assert torch.bfloat16 in {weight.dtype for weight in load_file(tmp_path / "model.safetensors").values()}
    assert {weight.dtype for weight in saved.load(tmp_path).model.parameters()} == {torch.float32}
    assert of_towers(saved.load(tmp_path, dtype="bfloat16")) == {torch.bfloat16}


@one_of_each_class
def test_dtype_auto_is_half_precision_only_where_that_is_safe(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    # The dtype is chosen for a GPU; the model then stays where the tests run.
    monkeypatch.setattr(
        "zsavs.models.adapter.resolve_device", lambda name: torch.device("cuda" if name == "auto" else "cpu")
    )
    loaded = saved.cls.load(saved.folder, **settings_of(saved.part))
    if (
        saved.name in ("grounding_dino", "mm_grounding_dino", "omdet", "owlv2") or "sam3" in saved.name
    ):  # it moves boxes
        assert {weight.dtype for weight in loaded.model.parameters()} == {torch.float32}
    else:
        assert of_towers(loaded) == {torch.bfloat16}


@one_of_each_class
def test_a_hub_name_is_found_in_the_cache_with_its_commit(
    saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MissingWeights, match=f"zsavs download {saved.published}"):
        saved.load_published()
    into_hub_cache(saved.folder, saved.published, tmp_path)
    loaded = saved.load_published(device="cpu")
    card = loaded.card
    assert (card.source, card.revision, card.licence) == (saved.published, COMMIT, saved.known.licence)
    space = f"{saved.name.removesuffix('_fusion')}:{saved.published}"
    assert getattr(loaded, "space", space) == space
    with pytest.raises(MissingWeights, match="revision v2"):
        saved.load_published(revision="v2")


# -------------------------------------------------------------------------------- one error
@one_of_each_class
def test_broken_checkpoints_are_one_clear_error(saved: Saved, tmp_path: Path) -> None:
    whole = (saved.folder / "model.safetensors").read_bytes()
    with pytest.raises(MissingWeights, match="no such folder"):
        saved.load(tmp_path / "nowhere")
    with pytest.raises(MissingWeights):
        saved.load(copy_with(saved.folder, tmp_path / "empty", None))
    with pytest.raises(WeightsError, match=type(saved.part.model).__name__):
        saved.load(copy_with(saved.folder, tmp_path / "cut", whole[: len(whole) // 2]))
    with pytest.raises(WeightsError):
        saved.load(copy_with(saved.folder, tmp_path / "junk", b"not weights", "pytorch_model.bin"))


#: What is large before it has seen its weights where the config is another model's, of which it takes no sizes.
LARGE = ("blip", "pe_audio", "pe_av", "sam2")


@functools.cache
def another_model(name: str) -> Any:
    """A model of another kind than the adapter of this name has."""
    return (tiny_ast if name == "blip" else tiny_blip)().model


@one_of_each_class
def test_another_models_checkpoint_is_refused(saved: Saved, tmp_path: Path) -> None:
    another_model(saved.name).save_pretrained(tmp_path)
    if saved.name in LARGE:
        shutil.copy(saved.folder / "config.json", tmp_path)
    with pytest.raises(WeightsError):
        saved.load(tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("name", LARGE)
def test_another_models_config_is_refused(name: str, tmp_path: Path) -> None:
    another_model(name).save_pretrained(tmp_path)
    with pytest.raises(WeightsError):
        classes()[name].load(tmp_path, device="cpu")


def test_weights_that_the_file_lacks_are_not_made_up(saved: Saved, tmp_path: Path) -> None:
    weights = saved.weights()
    (stored,) = [name for name in weights if name.endswith(saved.known.weight)]  # some have a prefix in the file
    del weights[stored]
    with pytest.raises(WeightsError, match=f"1 weights.*{re.escape(saved.known.weight)}"):
        saved.load(copy_with(saved.folder, tmp_path / "gap", packed(weights, {"format": "pt"})))


@one_of_each_class
def test_a_pickle_that_would_run_code_is_refused(saved: Saved, tmp_path: Path) -> None:
    evidence = tmp_path / "ran"
    bad = copy_with(saved.folder, tmp_path / "bad", harmful_pickle(evidence), "pytorch_model.bin")
    with pytest.raises(WeightsError):
        saved.load(bad)
    assert not evidence.exists()


@one_of_each_class
def test_nothing_is_asked_of_the_network(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the hub's client may go online, and even for what is not here."""
    attempts = watch_the_network(monkeypatch)
    loaded = saved.load()
    for ask in saved.uses.values():
        ask(loaded)
    for absent in (saved.published, "org/absent"):
        with pytest.raises(MissingWeights):
            saved.cls.load(absent)
    assert attempts == []


# ------------------------------------------------------------------------------ every adapter
@pytest.mark.parametrize("name", USES)
def test_toys_are_seeded_frozen_and_leave_the_generators_alone(name: str) -> None:
    make, _ = USES[name]
    states = random_states()
    toys = [make(seed) for seed in (3, 3, 4)]
    assert random_states() == states
    one, again, other = ([*toy.model.parameters()] for toy in toys)
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not toys[0].model.training
    assert not any(parameter.requires_grad for parameter in one)
    assert toys[0].card.source != toys[2].card.source


@functools.cache
def classes() -> dict[str, type[Adapter]]:
    """The adapters by their names in USES."""
    return {name: type(make()) for name, (make, _) in USES.items()}


@pytest.mark.parametrize("name", USES)
def test_the_cards_are_whole(name: str) -> None:
    cls = classes()[name]
    assert not cls.default or cls.default in cls.cards
    for named, card in cls.cards.items():
        assert card.licence
        # These two have names of their own for what they load.
        assert card.source == named or cls.__name__ in ("OpenClipEncoder", "ImageBindEncoder")
        # What is not known to us is shown as such, and the others have a size.
        assert card.size_mb > 0 or card.source in ("facebook/pe-av-small", "facebook/pe-av-base")


def test_importing_the_adapters_and_the_toys_is_light() -> None:
    """All of them in one interpreter: what one of them brought in would be there."""
    toys = ("audio", "detectors", "encoders", "joint", "segmenters", "tokenizers")
    modules = {*(cls.__module__ for cls in classes().values()), *(f"zsavs.testing.tiny.{toy}" for toy in toys)}
    assert not {"torch", "transformers", "open_clip"} & imported_by(*sorted(modules))


@pytest.mark.parametrize("role", ROLES)
def test_every_registered_adapter_is_used_here(role: str) -> None:
    found = [find_component(role, name) for name in list_components(role)]
    adapters = {cls for cls in found if cls.__module__.startswith("zsavs.models.")}
    # Those of single files have no model of torch; they are tested by their own files.
    assert {cls for cls in adapters if not issubclass(cls, FileAdapter)} <= set(classes().values())


@pytest.mark.parametrize("preset", PRESETS)
def test_every_checkpoint_of_a_preset_has_a_card_with_a_licence(preset: str) -> None:
    for role, part in (*PRESETS[preset].parts.items(), *PRESETS[preset].on_cpu.items()):
        cls = find_component(role.partition(".")[0], part.name)
        if cls in classes().values():
            card = cls.cards[part.checkpoint or cls.default]
            assert card.licence not in ("", "unknown")
