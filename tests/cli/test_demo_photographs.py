"""``zsavs demo`` on photographs, with the toy world's parts in place of preset pocket, and the question before it."""

from __future__ import annotations

import builtins
import io
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from huggingface_hub import constants
from PIL import Image

from zsavs import presets
from zsavs.build import strategies_of
from zsavs.cli import demo
from zsavs.cli.demo import fetching
from zsavs.cli.demo import scenes as scenes_module
from zsavs.cli.main import main
from zsavs.datasets.photographs import FOLDER, shipped_photographs
from zsavs.errors import BrokenInstallation, MissingWeights
from zsavs.presets import Part, Preset
from zsavs.result import AVSResult
from zsavs.storage.weights import WeightCard

CARDS = [WeightCard("org/ears", "Apache-2.0", 4, "sounds"), WeightCard("org/eyes", "MIT", 9, "images")]


class Links(HTMLParser):
    """Headings, and the files that a page shows and plays."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [unquote(value or "") for name, value in attrs if name == "src"]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Preset:
    """Preset pocket with some parts of the toy world, and one scene of the orchestra by one strategy."""
    toy = presets.PRESETS["toy"]
    roles = ("image_text", "audio_tagger", "audio_captioner", "grounder", "verifier", "segmenter")
    preset = replace(toy, parts={role: toy.parts[role] for role in roles})
    monkeypatch.setitem(presets.PRESETS, demo.PHOTOGRAPHS, preset)
    monkeypatch.setitem(presets.PRESETS, demo.PRESET, toy)
    monkeypatch.setattr(scenes_module, "_SHIPPED", scenes_module._SHIPPED[:1])
    monkeypatch.setattr(demo, "STRATEGIES", ("classify",))
    monkeypatch.setattr(AVSResult, "card", lambda *_: Image.new("RGB", (8, 8)))  # test_result.py looks at real ones
    return preset


# ------------------------------------------------------------------------------------ the page
@pytest.mark.usefixtures("stand_in")
def test_photographs_come_first_with_all_that_the_preset_can_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    strategies = strategies_of(demo.PHOTOGRAPHS)
    assert strategies == ["caption", "classify"]
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.index("<h2>Photographs</h2>") < page.index("<h2>Same colours</h2>")
    assert "Real: A reader, not the astronaut," in page
    assert "Synthesised: A cat" in page
    links = Links(page).found
    for photograph in shipped_photographs():
        for path in (photograph.image.path, photograph.audio.path):
            assert f"page/{path.name}" in links
            assert (tmp_path / "page" / path.name).read_bytes() == path.read_bytes()
            assert photograph.image.source.split(",")[0] in page
        for strategy in strategies:
            assert f"page/{photograph.name}_{strategy}.png" in links
            assert (tmp_path / f"{photograph.name}_{strategy}.png").is_file()
        assert said.index(f"{photograph.name:<20} classify") < said.index("same_colours_000")
    assert all((tmp_path / link).is_file() for link in links)
    assert f"wrote {len(list(tmp_path.glob('*.png')))} images" in said
    assert "zsavs download pocket" not in said


def test_a_strategy_that_cannot_run_is_left_out_with_a_line(
    stand_in: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking = replace(stand_in, parts={**stand_in.parts, "audio_captioner": Part("gone")})
    monkeypatch.setitem(presets.PRESETS, demo.PHOTOGRAPHS, lacking)
    said = "\n".join(demo.run(tmp_path, photographs=demo.PHOTOGRAPHS))
    complaint = capsys.readouterr().err
    assert complaint.startswith("zsavs: left out on photographs: caption (")
    assert complaint.count("\n") == 1
    assert "cat                  classify" in said
    assert "<h2>Photographs</h2>" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_preset_that_cannot_be_used_is_a_line_and_the_scenes_are_shown(
    stand_in: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking = replace(stand_in, parts={**stand_in.parts, "grounder": Part("gone")})
    monkeypatch.setitem(presets.PRESETS, demo.PHOTOGRAPHS, lacking)
    said = list(demo.run(tmp_path, photographs=demo.PHOTOGRAPHS))
    complaint = capsys.readouterr().err
    assert complaint.startswith("zsavs: left out on photographs: classify, caption (")
    assert complaint.count("\n") == 1
    assert any(line.startswith("same_colours_000") for line in said)
    assert "Photographs" not in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_broken_list_of_photographs_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zsavs.datasets import photographs

    monkeypatch.setattr(photographs, "FOLDER", tmp_path)
    with pytest.raises(BrokenInstallation, match="install zsavs again"):
        shipped_photographs()
    (tmp_path / "pairs.json").write_text('[{"name": "x"}]')
    with pytest.raises(BrokenInstallation, match="image"):
        shipped_photographs()


# ----------------------------------------------------------------------------------- the question
class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Hub:
    """What is missing until it is fetched, and what was asked and fetched."""

    def __init__(self) -> None:
        self.missing = list(CARDS)
        self.questions: list[str] = []
        self.fetched: list[str] = []
        self.answer = "yes"
        self.fails = False

    def ask(self, prompt: str = "") -> str:
        self.questions.append(prompt)
        if self.answer == "end":
            raise EOFError
        return self.answer

    def download_all(self, cards: list[WeightCard], say: Callable[[str], None], **settings: bool) -> list[Path]:
        assert not settings, "no licence is accepted for the user"
        if self.fails:
            raise MissingWeights(f"{cards[0].source}: could not be fetched (no network).")
        self.fetched += [card.source for card in cards]
        self.missing = [card for card in self.missing if card not in cards]
        say("  in cache")
        return [Path("cache") for _ in cards]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub()
    monkeypatch.setitem(presets.PRESETS, demo.PHOTOGRAPHS, presets.PRESETS["toy"])
    monkeypatch.setattr(fetching, "missing_weights", lambda preset: [*hub.missing])
    monkeypatch.setattr(fetching, "download_all", hub.download_all)
    monkeypatch.setattr(builtins, "input", hub.ask)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return hub


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The preset for photographs at each run of the demo, of which nothing else happens."""
    runs: list[str | None] = []

    def run(folder: Path, photographs: str | None) -> list[str]:
        runs.append(photographs)
        return ["the demo runs"]

    monkeypatch.setattr(demo, "run", run)
    return runs


def open_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put a terminal in place of both streams, and give what is printed to it. In a test, as pytest captures there."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "stdout", screen)
    return screen


def test_yes_fetches_after_sizes_and_licences_were_shown(
    hub: Hub, runs: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = open_terminal(monkeypatch)
    assert main(["demo"]) == 0
    assert len(hub.questions) == 1
    assert hub.fetched == ["org/ears", "org/eyes"]
    shown = screen.getvalue()
    assert "about 13 MB" in shown
    assert "org/ears (4 MB, licence Apache-2.0)" in shown
    assert "org/eyes (9 MB, licence MIT)" in shown
    assert runs == ["pocket"]


@pytest.mark.parametrize("answer", ["no", "", "end", "what?"])
def test_anything_but_yes_fetches_nothing(hub: Hub, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    screen = open_terminal(monkeypatch)
    hub.answer = answer
    assert not fetching.is_here_now(demo.PHOTOGRAPHS)
    assert (len(hub.questions), hub.fetched) == (1, [])
    assert "zsavs download pocket" in screen.getvalue()


@pytest.mark.parametrize("end", ["stdin", "stdout"])
def test_without_a_terminal_nobody_is_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    screen = open_terminal(monkeypatch)
    plain = io.StringIO()
    monkeypatch.setattr(sys, end, plain)
    assert not fetching.is_here_now(demo.PHOTOGRAPHS)
    assert (hub.questions, hub.fetched) == ([], [])
    shown = (screen.getvalue() + plain.getvalue()).strip()
    assert "zsavs download pocket" in shown
    assert "\n" not in shown


@pytest.mark.parametrize("flag", ["--yes", "-y"])
def test_yes_in_advance_asks_nobody_and_needs_no_terminal(hub: Hub, runs: list[str | None], flag: str) -> None:
    assert main(["demo", flag]) == 0
    assert (hub.questions, hub.fetched) == ([], ["org/ears", "org/eyes"])
    assert runs == ["pocket"]


@pytest.mark.parametrize("yes", [False, True])
def test_where_the_hub_is_off_nobody_is_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch, yes: bool) -> None:
    screen = open_terminal(monkeypatch)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert not fetching.is_here_now(demo.PHOTOGRAPHS, yes=yes)
    assert (hub.questions, hub.fetched) == ([], [])
    assert "HF_HUB_OFFLINE off: zsavs download pocket" in screen.getvalue()


def test_a_fetch_that_fails_is_a_line_and_the_demo_goes_on(
    hub: Hub, runs: list[str | None], capsys: pytest.CaptureFixture[str]
) -> None:
    hub.fails = True
    assert main(["demo", "--yes"]) == 0
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "no photographs in this demo: org/ears: could not be fetched" in said.err
    assert "the demo runs" in said.out
    assert runs == [None]


def test_what_is_here_is_not_asked_about(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = open_terminal(monkeypatch)
    hub.missing.clear()
    assert fetching.is_here_now(demo.PHOTOGRAPHS)
    assert (hub.questions, hub.fetched, screen.getvalue()) == ([], [], "")


def test_where_there_is_no_such_preset_nothing_is_said(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = open_terminal(monkeypatch)
    assert not fetching.is_here_now("no such preset")
    assert (hub.questions, screen.getvalue()) == ([], "")


# --------------------------------------------------------------------------------- the real preset
@pytest.mark.skipif("pocket" not in presets.PRESETS, reason="this zsavs has no preset pocket yet")
def test_preset_pocket_marks_what_sounds() -> None:
    from zsavs.build import compare, missing_weights

    if missing_weights("pocket"):
        pytest.skip("the weights of preset pocket are not on this machine: zsavs download pocket")
    shown = shipped_photographs()
    for photograph, result in zip(
        shown, compare([p.sample for p in shown], ["classify"], preset="pocket", device="cpu")["classify"], strict=True
    ):
        assert photograph.label in result.phrases
        assert 0.2 < result.mask.mean() < 0.9
    assert FOLDER.is_dir()
