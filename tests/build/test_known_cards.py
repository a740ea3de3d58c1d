"""Every card is known, whichever component's and however its name is written."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import zsavs.models
from zsavs import registry
from zsavs.build.known_cards import find_card, known_cards, plain_name
from zsavs.errors import BrokenInstallation

WHISPER = "MU-NLPC/whisper-tiny-audio-captioning"
IMAGEBIND = "https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth"


def test_the_cards_of_all_modules_are_known() -> None:
    """Compared with what lies in the folder, as the registry is what is asked."""
    names = [info.name for info in pkgutil.walk_packages(zsavs.models.__path__, "zsavs.models.")]
    tables = [getattr(importlib.import_module(name), "CARDS", {}) for name in names]
    cards = {key: card for table in tables for key, card in table.items()}
    assert len(cards) > 30
    assert known_cards() == cards


@pytest.mark.parametrize(
    "name",
    [
        "google/owlv2-base-patch16-ensemble",
        "facebook/pe-a-frame-small",
        "facebook/pe-av-small",
        "timm/PE-Core-S-16-384",
        "timm/ViT-SO400M-14-SigLIP2",
        "facebook/pe-av-large",
        "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det",
        "laion/clap-htsat-fused",
        "facebook/sam2.1-hiera-small",
        WHISPER,
    ],
)
def test_cards_that_no_preset_names(name: str) -> None:
    card = find_card(name)
    assert card is not None
    assert card.source == name


@pytest.mark.parametrize(
    "name",
    [
        WHISPER,
        f"{WHISPER}/",
        f" {WHISPER} ",
        WHISPER.upper(),
        WHISPER.lower(),
        f"whisper:{WHISPER}",
        f"https://huggingface.co/{WHISPER}",
        f"https://huggingface.co/{WHISPER.lower()}/tree/main",
        f"http://hf.co/{WHISPER}/",
        f"huggingface.co/{WHISPER}?library=transformers",
        IMAGEBIND,
        f"{IMAGEBIND}/",
        f"{IMAGEBIND}?download=1",
        IMAGEBIND.upper(),
        "imagebind_huge.pth",
        "imagebind:imagebind_huge.pth",
    ],
)
def test_a_restricted_card_is_found_by_any_way_to_write_its_name(name: str) -> None:
    card = find_card(name)
    assert card is not None
    assert card.is_restricted
    assert card.source in (WHISPER, IMAGEBIND)


def test_a_tag_of_open_clip_is_its_repository() -> None:
    card = find_card("ViT-B-32/laion2b_s34b_b79k")
    assert card is not None
    assert card.source == "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"


@pytest.mark.parametrize(
    "name", ["MobileCLIP2-S0/dfndr2b", "open_clip:MobileCLIP2-B/dfndr2b", "timm/mobileclip2-s4-openclip"]
)
def test_mobileclip_is_restricted_by_any_of_its_names(name: str) -> None:
    card = find_card(name)
    assert card is not None
    assert card.is_restricted


@pytest.mark.parametrize("name", ["org/name", "", "/", ":", "whisper", "whisper:", f"{WHISPER}-2", "base"])
def test_what_has_no_card(name: str) -> None:
    assert find_card(name) is None


def test_the_address_of_one_file_of_a_repository_stays_an_address() -> None:
    address = f"https://huggingface.co/{WHISPER}/resolve/main/pytorch_model.bin"
    assert plain_name(address) == address
    assert find_card(address) is None


def test_a_package_that_cannot_be_imported_hides_no_other_card(monkeypatch: pytest.MonkeyPatch) -> None:
    real = registry.find_component

    def find(kind: str, name: str) -> object:
        if name == "yamnet":
            raise BrokenInstallation("no")
        return real(kind, name)

    monkeypatch.setattr("zsavs.build.known_cards.find_component", find)
    assert find_card(WHISPER) is not None
    assert find_card("yamnet_spectra_in.tflite") is None
