"""Weights that are a file behind an address, and licences that have to be accepted first."""

from __future__ import annotations

import hashlib
import io
import urllib.request
from collections.abc import Callable
from email.message import Message
from http.client import IncompleteRead
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import huggingface_hub
import pytest
from huggingface_hub import constants

from zsavs.build import availability
from zsavs.cli import doctor
from zsavs.cli.main import main
from zsavs.errors import MissingWeights, WeightsError
from zsavs.models.imagebind.checkpoint import DEFAULT, find
from zsavs.storage import download as downloads
from zsavs.storage.download import download
from zsavs.storage.weights import WeightCard, cache_folder, is_local, locate

URL = "https://example.org/weights/towers.pth"
CONTENT = bytes(range(250)) * 4000  # a million bytes
CARD = WeightCard(URL, "MIT", 1, "nothing")
CLOSED = WeightCard(URL, "CC-BY-NC-SA-4.0", 1, "nothing", verified="its licence file")
IMAGEBIND = availability.preset_cards("imagebind")["joint"]

Answer = Callable[[str], Any]


class Response(io.BytesIO):
    """What a server sends back."""

    status = 200

    def __init__(self, content: bytes, length: int | None) -> None:
        super().__init__(content)
        self.headers = Message()
        if length is not None:
            self.headers["Content-Length"] = str(length)


class Broken(Response):
    """A connection that goes away in the middle."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise ConnectionResetError("Connection reset by peer")
        return super().read(1000)


class Incomplete(Response):
    """A server that ends a chunk too early."""

    def read(self, size: int | None = -1) -> bytes:
        raise IncompleteRead(b"")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Any], list[str]]:
    """Set what the next request gets, a response or an error; returns the list of addresses asked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    asked: list[str] = []

    def answers(answer: Any) -> list[str]:
        def urlopen(request: urllib.request.Request, timeout: float) -> Any:
            assert 1 <= timeout <= 600, "a dead server must not hang it for ever"
            asked.append(request.full_url)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(urllib.request, "urlopen", urlopen)
        return asked

    return answers


# ------------------------------------------------------------------------------ the file
def test_a_file_is_fetched_once_after_its_licence_is_told(server: Callable[[Any], list[str]]) -> None:
    asked = server(Response(CONTENT, len(CONTENT)))
    said: list[str] = []
    assert not is_local(URL)
    path = download(CARD, said.append)
    assert path == cache_folder() / "towers.pth"
    assert path.read_bytes() == CONTENT
    assert said == [
        f"{URL} (revision main): about 1 MB, licence MIT (model card)",
        f"  towers.pth: whole, SHA-256 {hashlib.sha256(CONTENT).hexdigest()}",
        f"  in {path}",
    ]
    assert locate(URL) == path
    assert is_local(URL)
    assert download(CARD, said.append) == path
    assert asked == [URL], "what is there is not fetched again"


def test_it_is_looked_for_where_people_put_it(server: Callable[[Any], list[str]]) -> None:
    server(AssertionError("looking fetches nothing"))
    with pytest.raises(MissingWeights, match=rf"towers.pth are not on this machine.*{URL} and put it at .*hub/towers"):
        locate(URL)
    for place in (Path("towers.pth"), Path(".checkpoints/towers.pth")):
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(CONTENT)
        assert locate(URL) == place
        place.unlink()


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (Response(CONTENT[:-1], len(CONTENT)), WeightsError, r"broke off after 999999 of 1000000 bytes; run the same"),
        (Response(CONTENT, 2_000_000), WeightsError, r"offers 2000000 bytes, about 1 MB are expected"),
        (Response(b"<html>no</html>", 15), WeightsError, r"offers 15 bytes, about 1 MB are expected"),
        (Response(CONTENT, None), WeightsError, r"offers 0 bytes"),
        (Broken(CONTENT, len(CONTENT)), MissingWeights, r"could not be fetched \(.*reset by peer"),
        (Incomplete(CONTENT, len(CONTENT)), WeightsError, r"the download broke off"),
        (URLError("no route to host"), MissingWeights, r"could not be fetched \(.*no route to host.*put it at .*hub"),
        (HTTPError(URL, 403, "Forbidden", Message(), None), MissingWeights, r"could not be fetched \(.*403.*Forbidden"),
        (TimeoutError("timed out"), MissingWeights, r"could not be fetched \(timed out"),
    ],
)
def test_what_fails_leaves_nothing_behind_and_says_why(
    answer: Any, kind: type[Exception], message: str, server: Callable[[Any], list[str]]
) -> None:
    server(answer)
    with pytest.raises(WeightsError, match=message) as raised:
        download(CARD, lambda _: None)
    assert type(raised.value) is kind
    assert "\n" not in str(raised.value)
    folder = cache_folder()
    assert not folder.exists() or list(folder.iterdir()) == []
    assert not is_local(URL)


def test_offline_means_offline(server: Callable[[Any], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = server(Response(CONTENT, len(CONTENT)))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(MissingWeights, match="HF_HUB_OFFLINE is on"):
        download(CARD, lambda _: None)
    assert asked == []


# --------------------------------------------------------------------------- the licence
@pytest.mark.parametrize(
    ("licence", "restricted"),
    [
        ("CC-BY-NC-SA-4.0", True),
        ("cc-by-nc-4.0", True),
        ("Apache-2.0", False),
        ("CC-BY-SA-4.0", False),
        ("NCSA", False),
        ("apple-amlr", True),
    ],
)
def test_which_licences_have_to_be_accepted(licence: str, restricted: bool) -> None:
    assert WeightCard("a/b", licence, 1, "nothing").is_restricted == restricted


def test_a_restricted_licence_is_accepted_before_anything_is_fetched(server: Callable[[Any], list[str]]) -> None:
    asked = server(Response(CONTENT, len(CONTENT)))
    said: list[str] = []
    with pytest.raises(WeightsError, match=r"nothing is fetched, as its licence CC-BY-NC-SA-4.0 .*--accept-license"):
        download(CLOSED, said.append)
    assert asked == []
    assert "CC-BY-NC-SA-4.0" in said[0], "told all the same"
    assert download(CLOSED, said.append, accept_license=True).read_bytes() == CONTENT


@pytest.fixture
def fetched(server: Callable[[Any], list[str]], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the cards that are fetched, in order, with nothing behind them."""
    names: list[str] = []

    def fetch(card: WeightCard, *_: Any) -> Path:
        names.append(card.source)
        return Path(card.source)

    server(AssertionError("no test fetches"))
    monkeypatch.setattr(downloads, "_listing", lambda *_: None)
    monkeypatch.setattr(downloads, "_check_room", lambda _: None)
    monkeypatch.setattr(downloads, "_fetched", fetch)
    return names


def test_without_a_terminal_and_the_flag_it_refuses_in_one_line(
    fetched: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["download", "imagebind"]) == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "non-commercial use only" in said.err
    assert "--accept-license" in said.err
    assert fetched == [], "the other checkpoints are not fetched either"


def test_the_flag_accepts(fetched: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "imagebind", "--accept-license"]) == 0
    assert IMAGEBIND.source in fetched
    assert len(fetched) == len(availability.preset_cards("imagebind"))


@pytest.mark.parametrize(("typed", "code"), [("yes", 0), (" YES ", 0), ("y", 1), ("", 1), ("no", 1)])
def test_on_a_terminal_it_asks(
    typed: str, code: int, fetched: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return typed

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", ask)
    assert main(["download", "imagebind"]) == code
    assert len(questions) == 1
    assert "NON-COMMERCIAL" in capsys.readouterr().out
    assert bool(fetched) == (code == 0)


def test_permissive_presets_ask_nothing(fetched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("asked"))
    assert main(["download", "base"]) == 0
    assert main(["download", "base", "--dry-run"]) == 0


def test_a_dry_run_shows_the_licence_and_asks_nothing(fetched: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "imagebind", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"{IMAGEBIND.source} (revision main): about 4803 MB, licence CC-BY-NC-SA-4.0 (licence file" in said
    assert fetched == []


def test_by_its_address_the_same_rules_hold(fetched: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", IMAGEBIND.source]) == 1
    assert "--accept-license" in capsys.readouterr().err
    assert main(["download", IMAGEBIND.source, "--accept-license"]) == 0
    assert fetched == [IMAGEBIND.source]


# -------------------------------------------------------------------------- the preset
def test_the_preset_knows_whether_its_file_is_here(
    server: Callable[[Any], list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server(AssertionError("looking fetches nothing"))
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda **_: pytest.fail("asked the hub"))
    assert IMAGEBIND in availability.missing_weights("imagebind")
    with pytest.raises(MissingWeights, match=r"zsavs download imagebind"):
        find(DEFAULT)
    Path(".checkpoints").mkdir()
    (Path(".checkpoints") / DEFAULT).write_bytes(b"w")
    assert IMAGEBIND not in availability.missing_weights("imagebind")
    assert find(DEFAULT) == Path(".checkpoints") / DEFAULT
    assert main(["list", "preset"]) == 0
    listed = capsys.readouterr().out
    assert "NON-COMMERCIAL" in listed
    assert f"joint: {IMAGEBIND.source}, 4803 MB, CC-BY-NC-SA-4.0" in listed


def test_the_doctor_lists_the_preset(
    server: Callable[[Any], list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server(AssertionError("the doctor fetches nothing"))
    monkeypatch.setattr(doctor, "_run", lambda _: None)  # imports in fresh interpreters: not what this is about
    lines = doctor.examine()[1]
    assert any("preset imagebind lacks" in line and "zsavs download imagebind" in line for line in lines)
