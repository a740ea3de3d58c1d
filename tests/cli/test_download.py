"""``zsavs download``: size and licence first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import close_session, constants
from local_hub import LocalHub, allow_connections, serving

from zsavs.build import availability
from zsavs.cli.main import main
from zsavs.errors import MissingWeights
from zsavs.storage import hub as hub_module
from zsavs.storage.weights import WeightCard


def test_download_shows_size_and_licence_and_fetches_nothing_on_a_dry_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "base", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "facebook/sam2.1-hiera-tiny" in said
    assert "MB" in said
    assert "Apache-2.0" in said


def test_a_gated_repository_is_shown_with_what_its_licence_and_its_owner_ask(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["download", "sam3", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert said.count("facebook/sam3 (revision main)") == 1, "one repository, whatever roles it has"
    assert re.search(r"^  SAM License: .*no military", said, re.M)
    assert re.search(
        r"^  gated: ask for access at https://huggingface\.co/facebook/sam3 \(it asks for your", said, re.M
    )


def test_download_without_a_network_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "base"]) == 1
    said = capsys.readouterr()
    assert "licence" in said.out  # told before anything was tried
    assert said.err.count("\n") == 1
    assert "could not be fetched" in said.err


def test_small_sizes_are_shown_with_their_decimals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cards = {
        "tagger": WeightCard("https://example.org/a.pt", "MIT", 3.66, ""),
        "joint": WeightCard("o/n", "MIT", 0.1, ""),
    }
    monkeypatch.setattr(availability, "preset_cards", lambda *_: cards)
    assert main(["download", "base", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "base: 2 checkpoints, about 3.76 MB in all\n" in said
    assert "https://example.org/a.pt (revision main): about 3.66 MB, licence MIT (model card)" in said
    assert main(["list", "preset"]) == 0
    assert "tagger: https://example.org/a.pt, 3.66 MB, MIT\n" in capsys.readouterr().out
    assert "zsavs download base (3.76 MB)" in _offer()


def _offer() -> str:
    with pytest.raises(MissingWeights) as raised:
        availability.first_preset_here(["base"])
    return str(raised.value)


# ------------------------------------------------------------- checkpoints that no preset has
WHISPER = "MU-NLPC/whisper-tiny-audio-captioning"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A hub with a repository that zsavs knows to be restricted, and one that it does not know."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub_module, "_WAITS_S", (0.01,))
    allow_connections(monkeypatch)
    close_session()
    with serving(tmp_path / "served") as hub:
        for repository in (WHISPER, "org/unknown"):
            hub.put(repository, {"config.json": b"{}", "model.safetensors": b"weights"})
        hub.licences["org/unknown"] = "cc-by-nc-4.0"
        monkeypatch.setenv("ZSAVS_MIRROR", hub.address)
        yield hub
    close_session()


@pytest.mark.parametrize(
    "name",
    [
        WHISPER,
        f"{WHISPER}/",
        WHISPER.lower(),
        f"whisper:{WHISPER}",
        f"https://huggingface.co/{WHISPER}",
        "timm/MobileCLIP2-S0-OpenCLIP",
        "open_clip:MobileCLIP2-S0/dfndr2b",
        "imagebind",
        "imagebind/",
        "ImageBind",
        "imagebind_huge.pth",
        "http://huggingface.co/org/unknown",
        "org/unknown",
        "org/unknown/",
        "https://huggingface.co/MU-NLPC/whisper-tiny-audio-captioning/resolve/main/model.safetensors",
        "https://dl.fbaipublicfiles.com/imagebind//imagebind_huge.pth",
    ],
)
def test_no_way_to_write_a_name_goes_around_the_question_of_its_licence(
    name: str, hub: LocalHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["download", name]) == 1
    said = capsys.readouterr().err
    assert "nothing is fetched, as its licence" in said
    assert "--accept-license" in said
    assert said.count("\n") == 1
    assert hub.times_whole() == {}


@pytest.mark.parametrize(
    "name", ["owlv2", "./folder", "/a/folder/", "org/name@main", "a/b/c", "http://example.org/a.pt", "-", "org name/x"]
)
def test_what_is_no_name_is_refused_and_nobody_is_asked(
    name: str, hub: LocalHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["download", name]) == 2
    said = capsys.readouterr().err
    assert f"there is no preset named {name!r}" in said
    assert "Or give a hub repository, org/name, or the address of a file." in said
    assert hub.asked == []


def test_an_unknown_repository_shows_its_page_and_is_fetched_after_a_yes(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = "its page says: licence cc-by-nc-4.0, not gated; 2 of 2 files to fetch"
    assert main(["download", "org/unknown", "--dry-run"]) == 0
    assert page in capsys.readouterr().out
    answers = iter(["no", "yes"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: next(answers))
    assert main(["download", "org/unknown"]) == 1
    said = capsys.readouterr()
    assert "zsavs does not know this checkpoint, and nobody here has read its licence" in said.out
    assert page in said.out
    assert hub.times_whole() == {}
    assert main(["download", "org/unknown"]) == 0
    assert "  org/unknown: 2 of 2 files have the hub's checksums" in capsys.readouterr().out
    assert len(hub.times_whole()) == 2


def test_the_end_of_the_input_is_no_yes(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", end)
    assert main(["download", "org/unknown"]) == 1
    assert hub.times_whole() == {}


def test_an_unknown_repository_that_there_is_not_is_no_question(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("asked"))
    assert main(["download", "org/none"]) == 1
    assert "has no such repository" in capsys.readouterr().err


def test_a_known_one_that_no_preset_has_shows_its_size_and_licence(
    hub: LocalHub, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("google/owlv2-base-patch16-ensemble", "facebook/sam2.1-hiera-small", "laion/clap-htsat-fused"):
        assert main(["download", name, "--dry-run"]) == 0
        said = capsys.readouterr().out
        assert f"{name} (revision main): about " in said
        assert "licence Apache-2.0" in said
        assert "the hub could not be asked what is missing" in said, "it has no such repository"
