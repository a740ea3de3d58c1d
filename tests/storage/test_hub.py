"""Repositories against a hub of this machine's own: what is whole is fetched once, and what fails says what to do."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import close_session, constants
from local_hub import LocalHub, allow_connections, serving

from zsavs.errors import MissingWeights, WeightsError
from zsavs.storage import download as downloads
from zsavs.storage import hub as hub_module
from zsavs.storage.download import download, download_all
from zsavs.storage.hub import files_to_fetch, list_repository
from zsavs.storage.weights import WeightCard, cache_folder, is_local, locate

CARD = WeightCard("org/clap", "Apache-2.0", 0.4, "sounds with text", verified="model card")
WEIGHTS = b"".join(number.to_bytes(4, "big") for number in range(100_000))  # 0.4 MB, and nowhere alike
SMALL = {"config.json": b'{"a": 1}', "vocab.json": b'{"b": 2}', "merges.txt": b"c d\n"}
FILES = {**SMALL, "pytorch_model.bin": WEIGHTS, "tf_model.h5": b"not wanted"}
DAMAGED = bytes(255 - byte for byte in WEIGHTS)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A hub with one repository, as mirror; no wait is long."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    monkeypatch.setattr(hub_module, "_WAITS_S", (0.01, 0.01, 0.01))
    allow_connections(monkeypatch)
    close_session()
    with serving(tmp_path / "served") as hub:
        hub.put("org/clap", FILES)
        monkeypatch.setenv("ZSAVS_MIRROR", hub.address)
        yield hub
    close_session()


def quiet(_: str) -> None:
    pass


def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


def here() -> dict[str, bytes]:
    """The files of the snapshot that are here."""
    folder = cache_folder() / "models--org--clap" / "snapshots" / LocalHub.commit("org/clap")
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def wanted() -> dict[str, bytes]:
    return {name: content for name, content in FILES.items() if name != "tf_model.h5"}


# ----------------------------------------------------------------------------- what to fetch
@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        (["model.safetensors", "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack"], ["model.safetensors"]),
        (["pytorch_model.bin", "model.pt"], ["pytorch_model.bin"]),
        (["sam.pt"], ["sam.pt"]),
        (["open_clip_model.safetensors", "model.safetensors"], ["open_clip_model.safetensors"]),
        (["open_clip_pytorch_model.bin", "model.safetensors"], ["open_clip_pytorch_model.bin"]),
        (["model.fp16.safetensors", "model.safetensors"], ["model.safetensors"]),
        (
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.fp16.safetensors"],
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
        ),
        (["model-00001-of-00001.safetensors", "model.safetensors"], ["model.safetensors"]),
        (["a.safetensors", "b.safetensors"], ["a.safetensors", "b.safetensors"]),
        (["onnx/model.safetensors", "sub/config.json", "x.bin"], ["x.bin"]),
        (["README.md", ".gitattributes", "image.png"], []),
    ],
)
def test_one_copy_of_the_weights_is_fetched(files: list[str], wanted: list[str]) -> None:
    small = ["config.json", "preprocessor_config.json", "merges.txt", "tokenizer.model", "chat_template.jinja"]
    assert files_to_fetch([*files, *small]) == sorted([*wanted, *small])


# --------------------------------------------------------------------------------- whole
def test_sizes_before_a_line_for_each_file_and_the_checksums_after(hub: LocalHub) -> None:
    said: list[str] = []
    folder = download(CARD, said.append)
    assert here() == wanted()
    assert locate("org/clap") == folder
    assert said == [
        "org/clap (revision main): about 0.4 MB, licence Apache-2.0 (model card)",
        "  4 of 4 files to fetch, 0.4 MB",
        "  org/clap/merges.txt, 4 bytes",
        "  org/clap/config.json, 8 bytes",
        "  org/clap/vocab.json, 8 bytes",
        "  org/clap/pytorch_model.bin, 0.4 MB",
        "  org/clap: 4 of 4 files have the hub's checksums",
        f"  in {folder}",
    ]


def test_on_a_terminal_no_lines_stand_beside_the_clients_bars(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    said: list[str] = []
    download(CARD, said.append)
    assert not any("org/clap/" in line for line in said)


def test_nothing_that_is_here_is_fetched_again(hub: LocalHub) -> None:
    download(CARD, quiet)
    sent = dict(hub.sent)
    said: list[str] = []
    download(CARD, said.append)
    assert hub.times_whole() == dict.fromkeys((f"org/clap/{name}" for name in wanted()), 1.0)
    assert {path: count for path, count in hub.sent.items() if "/api/" not in path} == {
        path: count for path, count in sent.items() if "/api/" not in path
    }
    assert "  all of it is here" in said


def test_a_new_commit_fetches_what_has_changed(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    old = download(CARD, quiet)
    hub.put("org/clap", {"vocab.json": b'{"b": 3}'})
    monkeypatch.setattr(LocalHub, "commit", staticmethod(lambda _: "b" * 40))
    hub.fail("vocab.json", status=503, methods=("GET",), times=4)
    with pytest.raises(MissingWeights):
        download(CARD, quiet)
    assert locate("org/clap") == old, "the old one is whole, and stays in use"
    said: list[str] = []
    new = download(CARD, said.append)
    assert said[1] == "  1 of 4 files to fetch, 0.001 MB"
    assert locate("org/clap") == new != old
    assert hub.times_whole()["org/clap/pytorch_model.bin"] == 1


def test_a_mirror_that_tells_no_sizes(hub: LocalHub) -> None:
    hub.tells_sizes = False
    said: list[str] = []
    download(CARD, said.append)
    assert here() == wanted()
    assert said[1] == "  4 of 4 files to fetch"
    assert [line for line in said if "pytorch_model" in line] == ["  org/clap/pytorch_model.bin"]


# --------------------------------------------------------------------------------- faults
@pytest.mark.parametrize("name", ["vocab.json", "pytorch_model.bin"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_busy_server_is_asked_again(hub: LocalHub, name: str, times: int) -> None:
    hub.fail(name, status=503, times=times, methods=("GET",))
    download(CARD, quiet)
    assert here() == wanted()


def test_a_server_that_stays_busy_is_told_with_the_file_and_the_rest_is_kept(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_waiting(monkeypatch)
    fault = hub.fail("vocab.json", status=503)
    message = r"^org/clap: vocab\.json: could not be fetched \(.*503.*Run the same command again in a while: what is"
    with pytest.raises(MissingWeights, match=message) as raised:
        download(CARD, quiet)
    assert "\n" not in str(raised.value)
    assert "delete" not in str(raised.value).lower()
    assert set(here()) == {"merges.txt", "config.json"}, "no weights without their vocabulary"
    assert not is_local("org/clap")
    fault.times = 0
    download(CARD, quiet)
    assert here() == wanted()
    assert all(times == 1 for times in hub.times_whole().values())


def test_a_list_that_is_busy_is_asked_for_again(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.fail("revision/main", status=503, times=2)
    download(CARD, quiet)
    hub.fail("revision/main", status=503)
    no_waiting(monkeypatch)
    with pytest.raises(MissingWeights, match=r"^org/clap: could not be fetched \(.*503.*Run the same command again"):
        download(CARD, quiet)
    assert here() == wanted()


@pytest.mark.parametrize("after", [0, 1, 200_000, len(WEIGHTS) - 1])
def test_a_connection_that_drops_goes_on_at_that_byte(
    hub: LocalHub, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_waiting(monkeypatch)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)  # what is written at once; less than that is lost
    hub.fail("pytorch_model.bin", drop_after=after, times=1, methods=("GET",))
    download(CARD, quiet)
    assert here() == wanted()
    assert 1 <= hub.times_whole()["org/clap/pytorch_model.bin"] < 1.01


def test_a_connection_that_always_drops_ends_and_leaves_no_part(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    no_waiting(monkeypatch)
    hub.fail("pytorch_model.bin", drop_after=0, methods=("GET",))
    with pytest.raises(
        MissingWeights, match=r"pytorch_model\.bin: could not be fetched .*fetches only what is missing"
    ):
        download(CARD, quiet)
    assert here() == SMALL
    assert not list(cache_folder().rglob("*.incomplete"))


def test_a_server_that_stops_answering_is_asked_for_the_rest(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.2)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    hub.fail("pytorch_model.bin", hold_after=100_000, times=1, methods=("GET",))
    download(CARD, quiet)
    assert here() == wanted()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "vocab.json"])
def test_wrong_bytes_are_found_removed_and_fetched_again_alone(hub: LocalHub, name: str) -> None:
    hub.fail(name, damaged=True, times=1, methods=("GET",))
    message = rf"damaged on the way, and removed: {name} \(.*, checksum .*Run the same command again"
    with pytest.raises(WeightsError, match=message) as raised:
        download(CARD, quiet)
    assert "\n" not in str(raised.value)
    assert set(here()) == set(wanted()) - {name}
    download(CARD, quiet)
    assert here() == wanted()
    assert hub.times_whole() == {f"org/clap/{other}": 2.0 if other == name else 1.0 for other in wanted()}


@pytest.mark.parametrize("content", [DAMAGED, b""])
def test_a_file_that_was_damaged_on_the_disk_is_found_and_fetched_again(hub: LocalHub, content: bytes) -> None:
    folder = download(CARD, quiet)
    (folder / "pytorch_model.bin").resolve().write_bytes(content)
    said: list[str] = []
    download(CARD, said.append)
    assert any("damaged, and removed to be fetched again: pytorch_model.bin (" in line for line in said)
    assert here() == wanted()
    assert hub.times_whole() == {f"org/clap/{name}": 2.0 if name == "pytorch_model.bin" else 1.0 for name in wanted()}


def test_a_file_of_the_users_own_in_place_of_a_link_is_left_alone(hub: LocalHub) -> None:
    folder = download(CARD, quiet)
    (folder / "config.json").unlink()
    (folder / "config.json").write_bytes(b'{"a": 5}')
    download(CARD, quiet)
    assert (folder / "config.json").read_bytes() == b'{"a": 5}'


def test_a_blob_that_the_client_shares_between_repositories_is_named_by_its_link(hub: LocalHub) -> None:
    """As with files of the hub's newer storage: the blob is a link to a file under another name."""
    folder = download(CARD, quiet)
    blob = (folder / "pytorch_model.bin").resolve()
    shared = cache_folder() / "blobs" / "ee" / ("e" * 64)
    shared.parent.mkdir(parents=True)
    blob.rename(shared)
    blob.symlink_to(f"../../blobs/ee/{shared.name}")
    said: list[str] = []
    download(CARD, said.append)
    assert "  org/clap: 4 of 4 files have the hub's checksums" in said
    shared.write_bytes(DAMAGED)
    download(CARD, quiet)
    assert here() == wanted()
    assert not shared.exists(), "the damaged bytes, and not only what links to them"


def test_a_repository_without_a_file_that_its_loader_needs(hub: LocalHub) -> None:
    needy = WeightCard("org/clap", "Apache-2.0", 0.4, "", files=("config.json", "preprocessor_config.json"))
    with pytest.raises(MissingWeights, match=r"on the hub has no preprocessor_config\.json, which this version .*kept"):
        download(needy, quiet)
    assert here() == wanted()


def test_what_a_killed_download_left_is_removed_once_nobody_writes_to_it(hub: LocalHub) -> None:
    blobs = cache_folder() / "models--org--clap" / "blobs"
    blobs.mkdir(parents=True)
    for name, age in (("old", 7200), ("new", 10)):
        (blobs / f"{name}.incomplete").write_bytes(WEIGHTS)
        os.utime(blobs / f"{name}.incomplete", (time.time() - age,) * 2)
    download(CARD, quiet)
    assert [path.name for path in blobs.glob("*.incomplete")] == ["new.incomplete"]


# ---------------------------------------------------------------------- what the hub says no to
@pytest.mark.parametrize("status", [401, 403])
def test_a_gated_repository_says_where_to_ask_and_how_to_log_in(hub: LocalHub, status: int) -> None:
    hub.put("org/gated", FILES)
    hub.gated["org/gated"] = status
    gated = WeightCard("org/gated", "Apache-2.0", 0.4, "")
    message = (
        r"gated.*Ask for access at https://huggingface\.co/org/gated, log in with: hf auth login  \(or set HF_TOKEN"
    )
    with pytest.raises(MissingWeights, match=message) as raised:
        download_all([CARD, gated], quiet)
    assert "\n" not in str(raised.value)
    assert here() == wanted(), "the others are kept"
    del hub.gated["org/gated"]
    download_all([CARD, gated], quiet)
    assert all(times == 1 for times in hub.times_whole().values())


def test_a_gated_repository_with_a_card_says_what_is_asked_and_what_the_hub_answered(hub: LocalHub) -> None:
    hub.put("org/gated", FILES)
    hub.gated["org/gated"] = 403
    card = WeightCard("org/gated", "Own License", 0.4, "", gate="your name and your country", terms="no harm is done")
    said: list[str] = []
    with pytest.raises(MissingWeights) as raised:
        download(card, said.append)
    message = str(raised.value)
    assert "It says: Access to org/gated is restricted. Ask for access" in message
    assert "https://huggingface.co/org/gated (it asks for your name and your country), log in with: hf auth" in message
    assert message.endswith("zsavs list preset")
    assert "\n" not in message
    assert said[1] == "  Own License: no harm is done"
    assert said[2].startswith("  gated: ask for access at https://huggingface.co/org/gated (it asks for your name and")
    assert "hf auth login" in said[2]


def test_a_token_that_is_no_longer_valid(hub: LocalHub) -> None:
    hub.fail("config.json", status=403)
    with pytest.raises(MissingWeights, match=r"config\.json: .* does not let you have it .*hf auth login"):
        download(CARD, quiet)


def test_a_revision_that_there_is_not(hub: LocalHub) -> None:
    gone = WeightCard("org/clap", "Apache-2.0", 0.4, "", revision="v9")
    with pytest.raises(MissingWeights, match=r"has no revision v9 of it .*hf download org/clap") as raised:
        download(gone, quiet)
    assert "\n" not in str(raised.value)


def test_a_repository_that_there_is_not(hub: LocalHub) -> None:
    with pytest.raises(MissingWeights, match=r"^org/no: .*has no such repository, or it is private .*Check the name"):
        download(WeightCard("org/no", "MIT", 1, ""), quiet)
    with pytest.raises(MissingWeights, match=r"no name of a hub repository; give org/name, or a preset"):
        download(WeightCard("org/-no-", "MIT", 1, ""), quiet)


def test_a_file_that_is_listed_and_gone(hub: LocalHub) -> None:
    listing = list_repository(CARD, hub.address)
    (hub.root / "org/clap/vocab.json").unlink()
    with pytest.raises(MissingWeights, match=r"vocab\.json: .*lists it and does not have it .*unset ZSAVS_MIRROR"):
        hub_module.fetch_repository(listing, quiet)


# -------------------------------------------------------------------------------- mirrors
@pytest.mark.parametrize("status", [302, 307])
def test_a_mirror_that_sends_on_to_another_address(hub: LocalHub, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the hub itself does with large files: what it knows of the file stands in the answer that sends on."""
    with serving(hub.root) as mirror:
        monkeypatch.setenv("ZSAVS_MIRROR", mirror.address)
        mirror.sends_on = (status, hub.address, False)
        with pytest.raises(MissingWeights, match=r"does not answer as the hub does .*set ZSAVS_MIRROR to that address"):
            download(CARD, quiet)
        mirror.sends_on = (status, hub.address, True)
        download(CARD, quiet)
    assert here() == wanted()
    assert all(times == 1 for times in hub.times_whole().values())


# ----------------------------------------------------------------------------- this machine
def test_offline_mode_is_respected(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    said: list[str] = []
    with pytest.raises(MissingWeights, match=r"^org/clap: could not be fetched \(.*HF_HUB_OFFLINE must be off"):
        download(CARD, said.append)
    assert said == ["org/clap (revision main): about 0.4 MB, licence Apache-2.0 (model card)"]
    assert hub.asked == []


def test_a_network_that_is_down(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.close()
    with pytest.raises(
        MissingWeights, match=r"could not be fetched \(.*refused.*Check the name and the mirror"
    ) as raised:
        download(CARD, quiet)
    assert "\n" not in str(raised.value)
    monkeypatch.delenv("ZSAVS_MIRROR")
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    with pytest.raises(MissingWeights, match=r"Check the name and the network"):
        download(CARD, quiet)


def test_an_unknown_size_is_said_to_be_unknown(hub: LocalHub) -> None:
    said: list[str] = []
    download(WeightCard("org/clap", "MIT", 0, "", verified="no card"), said.append)
    assert said[0] == "org/clap (revision main): size unknown, licence MIT (no card)"


def test_too_little_space_is_said_before_anything_is_fetched(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type(downloads.shutil.disk_usage("/"))
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 300_000, 300_000))
    with pytest.raises(WeightsError, match=r"0\.4 MB are to be fetched, and 0\.3 MB are free; nothing was fetched"):
        download(CARD, quiet)
    assert hub.times_whole() == {}


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "Free some space in"),
        (PermissionError(errno.EACCES, "Permission denied"), "Check"),
    ],
)
def test_a_disk_that_gets_full_on_the_way(
    hub: LocalHub, error: OSError, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(WeightsError, match=rf"broke off .*{remedy} .*HF_HOME.*same command again") as raised:
        download(CARD, quiet)
    assert not isinstance(raised.value, MissingWeights)


def test_two_at_once_fetch_nothing_twice(hub: LocalHub) -> None:
    hold = hub.fail("pytorch_model.bin", hold_after=100_000, methods=("GET",), times=1)
    listing, done = list_repository(CARD, hub.address), []

    def fetch() -> None:
        done.append(hub_module.fetch_repository(listing, quiet))

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert hold.held.wait(10)
    time.sleep(0.3)
    hold.go_on.set()
    for thread in threads:
        thread.join(20)
    assert len(done) == 2
    assert here() == wanted()
    assert hub.times_whole()["org/clap/pytorch_model.bin"] == 1
