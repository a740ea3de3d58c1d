"""A preset may take another part on a CPU: what is built, fetched, set and said of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from adapter_checkpoints import save
from adapter_helpers import into_hub_cache
from huggingface_hub import constants

from zsavs.build import build_parts, missing_weights, preset_cards, settable, settings_for
from zsavs.build.availability import first_preset_here
from zsavs.build.plans import plan_for
from zsavs.cli import doctor
from zsavs.cli.main import main
from zsavs.errors import MissingWeights, UnknownName
from zsavs.models import grounding_dino, omdet
from zsavs.presets import PRESETS, Part, Preset
from zsavs.registry import find_component
from zsavs.testing.tiny.detectors import tiny_grounding_dino, tiny_omdet

DINO, OMDET = grounding_dino.DEFAULT, omdet.DEFAULT
WITH = sorted(name for name, preset in PRESETS.items() if preset.on_cpu)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache of this test's own."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a GPU, as far as names go."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)


@pytest.fixture
def two_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A preset "two" of the two detectors alone, and of what needs no weights."""
    parts = {**PRESETS["toy"].parts, "grounder": Part("grounding_dino", DINO)}
    preset = Preset("", parts, vocabulary=("red", "blue"), silent="", on_cpu={"grounder": Part("omdet", OMDET)})
    monkeypatch.setitem(PRESETS, "two", preset)


def put_omdet(hub: Path, tmp_path: Path) -> None:
    into_hub_cache(save("omdet", tiny_omdet(), tmp_path / "omdet"), OMDET, hub)


def put_dino(hub: Path, tmp_path: Path) -> None:
    into_hub_cache(save("grounding_dino", tiny_grounding_dino(), tmp_path / "dino"), DINO, hub)


# --------------------------------------------------------------------------------------- which
def test_base_and_its_kin_take_omdet_on_a_cpu_and_grounding_dino_elsewhere(with_gpu: None) -> None:
    assert WITH == ["base", "imagebind", "pe"]
    for name in WITH:
        assert plan_for(name, "cpu").parts["grounder"] == Part("omdet", OMDET)
        assert plan_for(name, "cuda").parts["grounder"] == Part("grounding_dino", DINO)
        assert plan_for(name).parts["grounder"] == Part("grounding_dino", DINO)
    assert plan_for("large", "cpu") is PRESETS["large"]


def test_without_a_gpu_auto_is_the_cpu() -> None:
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("NOT RUN: there is a GPU")
    assert plan_for("base").parts["grounder"].name == "omdet"
    with pytest.raises(UnknownName, match="no device named 'cuda'"):
        plan_for("base", "cuda")


@pytest.mark.parametrize("name", WITH)
def test_a_part_on_a_cpu_stands_for_one_that_there_is_and_has_its_verbs(name: str) -> None:
    """So that which strategies a preset serves depends on no device."""
    preset = PRESETS[name]
    assert set(preset.for_cpu().parts) == set(preset.parts)
    for role, part in preset.on_cpu.items():
        verbs = {verb for verb in vars(find_component(role, preset.parts[role].name)) if not verb.startswith("_")}
        assert {verb for verb in verbs if verb in ("ground", "segment", "caption", "tag")} <= set(
            dir(find_component(role, part.name))
        )


def test_torch_is_asked_for_the_device_only_where_it_matters(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its import takes seconds, and preset pocket does without it."""
    for module in ("plans", "availability"):
        monkeypatch.setattr(f"zsavs.build.{module}.resolve_device", lambda _: pytest.fail("torch was asked"))
    for name in PRESETS.keys() - WITH:
        assert plan_for(name) is PRESETS[name]
    assert missing_weights("base")
    assert not missing_weights("nano")


# --------------------------------------------------------------------------------------- built
def test_each_device_gets_its_own_detector_and_either_by_name(hub: Path, tmp_path: Path, two_parts: None) -> None:
    put_omdet(hub, tmp_path)
    put_dino(hub, tmp_path)
    made = build_parts(["grounder"], "two", "cpu")["grounder"]
    assert (type(made).__name__, made.card.source) == ("OmDetGrounder", OMDET)
    named = build_parts(["grounder"], "two", "cpu", parts={"grounder": "grounding_dino"})["grounder"]
    assert (type(named).__name__, named.card.source) == ("GroundingDinoGrounder", DINO)


def test_what_is_missing_is_named_with_what_would_do_in_its_place(hub: Path, tmp_path: Path, two_parts: None) -> None:
    with pytest.raises(MissingWeights, match=r"zsavs download two$"):
        build_parts(["grounder"], "two", "cpu")
    put_dino(hub, tmp_path)
    with pytest.raises(
        MissingWeights, match=rf"{OMDET}.* zsavs download two\. .*--part grounder=grounding_dino, in Py"
    ):
        build_parts(["grounder"], "two", "cpu")


# ------------------------------------------------------------------------------------- fetched
def test_a_preset_is_here_if_it_is_for_the_device(
    hub: Path, tmp_path: Path, two_parts: None, with_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(device: str) -> set[str]:
        return {card.source for card in missing_weights("two", device)}

    assert missing("cpu") == missing("cuda") == {DINO, OMDET}
    put_omdet(hub, tmp_path)
    assert (missing("cpu"), missing("cuda"), missing("auto")) == (set(), {DINO}, {DINO})
    assert first_preset_here(["two"], "cpu") == "two"
    with pytest.raises(MissingWeights, match=r"zsavs download two \(689 MB\)"):
        first_preset_here(["two"])
    put_dino(hub, tmp_path)
    assert missing("cpu") == missing("cuda") == set()
    shutil.rmtree(next(hub.glob("*omdet*")))
    assert (missing("cpu"), missing("cuda")) == ({OMDET}, set())


def test_a_download_fetches_what_any_device_needs_unless_it_is_for_a_cpu_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert {card.source for card in preset_cards("base").values()} >= {DINO, OMDET}
    assert DINO not in {card.source for card in preset_cards("base", "cpu").values()}
    assert main(["download", "base", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert DINO in said
    assert OMDET in said
    assert main(["download", "base", "--dry-run", "--cpu-only"]) == 0
    said = capsys.readouterr().out
    assert DINO not in said
    assert OMDET in said


def test_the_list_names_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "preset"]) == 0
    said = capsys.readouterr().out
    base = said[said.index("  base: ") : said.index("  imagebind: ")]
    assert f"grounder: {DINO}, 689 MB, Apache-2.0" in base
    assert f"grounder omdet: {OMDET}, 462 MB, Apache-2.0" in base
    assert "on a CPU OmDet-Turbo" in base


def test_the_doctor_says_what_other_devices_lack(hub: Path, tmp_path: Path, two_parts: None) -> None:
    put_omdet(hub, tmp_path)
    if torch.cuda.is_available():
        pytest.skip("NOT RUN: there is a GPU")
    (line,) = doctor._preset("two")
    assert line == f"ok  preset two is present; for any other device it lacks {DINO}: zsavs download two"
    put_dino(hub, tmp_path)
    assert doctor._preset("two") == ["ok  preset two is present"]


# ----------------------------------------------------------------------------------------- set
def test_what_can_be_set_is_that_of_the_detector_of_the_device(with_gpu: None) -> None:
    on_cpu, on_gpu = (settable("fused", "base", {}, device) for device in ("cpu", "cuda"))
    assert {"grounder.threshold", "grounder.phrases_per_prompt"} <= set(on_cpu)
    assert {"grounder.box_threshold", "grounder.image_size"} <= set(on_gpu)
    assert "grounder.threshold" not in on_gpu
    assert "grounder.box_threshold" not in on_cpu
    given: dict[str, Any] = {"grounder.threshold": 0.2}
    assert settings_for(["fused"], "base", given, "cpu") == {"fused": given}
    with pytest.raises(UnknownName, match=r"grounder\.threshold"):
        settings_for(["fused"], "base", given)
