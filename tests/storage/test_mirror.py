"""A mirror stands in place of the network: for files and repositories, as an address or as a folder."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import socket
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from paired_http import PairedServer, serve

from zsavs.cli.main import main
from zsavs.errors import MissingWeights, WeightsError
from zsavs.storage.download import download, find_mirror
from zsavs.storage.weights import WeightCard, cache_folder, is_local

URL = "https://example.org/weights/my%20small.pt?download=1"
CONTENT = bytes(range(250)) * 400  # 0.1 MB
CARD = WeightCard(URL, "MIT", 0.1, "nothing", sha256=hashlib.sha256(CONTENT).hexdigest())
REPOSITORY = WeightCard("org/clap", "Apache-2.0", 614, "sounds with text")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PairedServer:
    """The network, with nothing in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return serve(monkeypatch, {})


def quiet(_: str) -> None:
    pass


# -------------------------------------------------------------------------- what it names
@pytest.mark.parametrize(
    ("named", "mirror"),
    [
        ("", None),
        ("  ", None),
        ("http://mirror.local/zsavs/", "http://mirror.local/zsavs"),
        ("https://mirror.local", "https://mirror.local"),
        ("files", Path("files")),
        ("~/files", "home"),
    ],
)
def test_a_mirror_is_an_address_or_a_folder(
    named: str, mirror: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("files").mkdir()
    monkeypatch.setenv("ZSAVS_MIRROR", named)
    assert find_mirror() == (tmp_path / "files" if mirror == "home" else mirror)


@pytest.mark.parametrize("named", ["missing", "ftp://mirror.local", "mirror.local/zsavs", "a file", "~nobody/files"])
def test_a_mirror_that_is_neither_says_what_it_may_be(
    named: str, server: PairedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a file").touch()
    monkeypatch.setenv("ZSAVS_MIRROR", named)
    assert main(["download", URL]) == 1
    said = capsys.readouterr().err
    assert f"ZSAVS_MIRROR={named}: no such folder. Set it to a folder that holds the files, or to an address" in said
    assert said.count("\n") == 1
    assert server.asked == []


# --------------------------------------------------------------------------- single files
def test_a_file_comes_from_the_mirrors_address_alone(server: PairedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZSAVS_MIRROR", "http://mirror.local:8000/zsavs/")
    server.files["/zsavs/my%20small.pt"] = CONTENT
    server.breaks_after = 70_000
    with pytest.raises(WeightsError, match=r"http://mirror\.local:8000/zsavs/my%20small\.pt: .*broke off after 70000"):
        download(CARD, quiet)
    server.breaks_after = None
    path = download(CARD, quiet)
    assert path == cache_folder() / "my small.pt"
    assert path.read_bytes() == CONTENT
    address = "mirror.local:8000/zsavs/my%20small.pt"
    assert server.asked == [(address, None), (address, "bytes=70000-")]


@pytest.mark.parametrize("offline", [False, True])
def test_a_file_comes_from_the_mirrors_folder_without_a_network(
    offline: bool, server: PairedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setenv("ZSAVS_MIRROR", "files")
    Path("files").mkdir()
    Path("files/my small.pt").write_bytes(CONTENT)
    cache_folder().mkdir()
    (cache_folder() / "my small.pt.part").write_bytes(CONTENT[:100])
    path = download(CARD, quiet)
    assert path.read_bytes() == CONTENT
    assert not path.is_symlink(), "the mirror may go away"
    assert [path.name for path in cache_folder().iterdir()] == ["my small.pt"]
    assert is_local(URL)
    assert server.asked == []


def test_offline_forbids_a_mirror_with_an_address(server: PairedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("ZSAVS_MIRROR", "http://mirror.local")
    with pytest.raises(MissingWeights, match="HF_HUB_OFFLINE is on"):
        download(CARD, quiet)
    assert server.asked == []


@pytest.mark.parametrize("mirror", ["files", "http://mirror.local/files"])
def test_another_file_in_the_mirror_is_refused(
    mirror: str, server: PairedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZSAVS_MIRROR", mirror)
    Path("files").mkdir()
    other = CONTENT[:-1] + b"?"
    Path("files/my small.pt").write_bytes(other)
    server.files["/files/my%20small.pt"] = other
    message = (
        rf"{mirror}/my( |%20)small\.pt: the checksum of what came is {hashlib.sha256(other).hexdigest()[:12]}\.\.\., "
        rf"expected is {CARD.sha256[:12]}\.\.\..* put https://example\.org/.* there, or unset ZSAVS_MIRROR"
    )
    with pytest.raises(WeightsError, match=message):
        download(CARD, quiet)
    assert list(cache_folder().iterdir()) == []


@pytest.mark.parametrize("mirror", ["files", "http://mirror.local/files"])
def test_a_mirror_without_the_file_says_to_put_it_there(
    mirror: str, server: PairedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZSAVS_MIRROR", mirror)
    Path("files").mkdir()
    message = (
        rf"{mirror}/my( |%20)small\.pt: there is no such file .*put https://example\.org/\S+ there, or unset ZSAVS_M"
    )
    with pytest.raises(MissingWeights, match=message) as raised:
        download(CARD, quiet)
    assert "\n" not in str(raised.value)
    assert list(cache_folder().iterdir()) == []
    assert all(address.startswith("mirror.local/") for address, _ in server.asked)


def test_a_mirror_that_cannot_be_reached_is_what_to_check(
    server: PairedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Any) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr("http.client.HTTPConnection.connect", refuse)
    monkeypatch.setenv("ZSAVS_MIRROR", "http://mirror.local")
    with pytest.raises(MissingWeights, match=r"could not be fetched \(.*refused.*Check ZSAVS_MIRROR"):
        download(CARD, quiet)


@pytest.mark.parametrize("mirror", ["http://", "http://[mirror", "http://mirror.local:port", "https://a b"])
def test_an_address_that_is_none_is_no_traceback(
    mirror: str, server: PairedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZSAVS_MIRROR", mirror)
    with pytest.raises(WeightsError, match=r"ZSAVS_MIRROR|broke off"):
        download(CARD, quiet)


def test_what_is_no_file_in_the_folder_is_refused(server: PairedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZSAVS_MIRROR", "files")
    Path("files/my small.pt").mkdir(parents=True)
    with pytest.raises(MissingWeights, match=r"files/my small\.pt: could not be fetched \(.*directory"):
        download(CARD, quiet)


def test_a_licence_is_accepted_before_a_mirror_is_asked(server: PairedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZSAVS_MIRROR", "missing")
    with pytest.raises(WeightsError, match="--accept-license"):
        download(dataclasses.replace(CARD, licence="CC-BY-NC-4.0"), quiet)


# --------------------------------------------------------------------------- repositories
def test_the_hubs_own_client_asks_the_mirror_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts: list[Any] = []

    def connect(address: tuple[Any, int], *_: Any, **__: Any) -> Any:
        hosts.append(address[0].decode() if isinstance(address[0], bytes) else address[0])
        raise socket.gaierror(-2, "Name or service not known")

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("time.sleep", lambda _: None)  # it tries several times
    monkeypatch.setattr(socket, "create_connection", connect)
    with contextlib.suppress(AttributeError, ImportError):  # what newer clients ask for their telemetry, once
        monkeypatch.setattr("huggingface_hub.utils._detect_agent._registry", None)
    telemetry = constants.HF_HUB_DISABLE_TELEMETRY
    monkeypatch.setenv("ZSAVS_MIRROR", "http://mirror.local/hub")
    with pytest.raises(
        MissingWeights, match=r"not known.*Check the name and the mirror ZSAVS_MIRROR=http://mirror\.lo"
    ):
        download(REPOSITORY, quiet)
    assert set(hosts) == {"mirror.local"}, "nor any other, for telemetry"
    assert telemetry == constants.HF_HUB_DISABLE_TELEMETRY


@pytest.mark.parametrize("place", ["org/clap", "clap"])
def test_a_repository_in_a_folder_is_used_where_it_is(
    place: str, server: PairedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZSAVS_MIRROR", "files")
    folder = Path("files") / place
    folder.mkdir(parents=True)
    with pytest.raises(MissingWeights, match=r"has no weights of it, looked in files/org/clap and files/clap\. Put a"):
        download(REPOSITORY, quiet)
    (folder / "model.safetensors").write_bytes(b"w")
    with pytest.raises(WeightsError, match=rf"give {folder.absolute()} as checkpoint instead of the name org/clap"):
        download(REPOSITORY, quiet)


def test_a_repository_in_the_cache_needs_no_mirror(server: PairedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZSAVS_MIRROR", ".")
    root = cache_folder() / "models--org--clap"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text("c0ffee")
    snapshot = root / "snapshots" / "c0ffee"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").write_bytes(b"w")
    assert download(REPOSITORY, quiet) == snapshot
