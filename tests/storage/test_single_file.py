"""Files with a checksum: a download that broke off goes on, and what is in place is what was meant."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import hashlib
import json
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from paired_http import PairedServer, serve

from zsavs.errors import MissingWeights, WeightsError
from zsavs.storage import single_file
from zsavs.storage.download import download
from zsavs.storage.single_file import fetch_file
from zsavs.storage.weights import WeightCard, cache_folder, file_places, format_mb, is_local, locate

URL = "https://example.org/weights/small.pt"
CONTENT = b"".join(number.to_bytes(4, "big") for number in range(915_000))  # 3.66 MB, and nowhere alike
CARD = WeightCard(URL, "MIT", 3.66, "nothing", sha256=hashlib.sha256(CONTENT).hexdigest())
UNSURE = dataclasses.replace(CARD, sha256="")
HALF = 1_500_000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PairedServer:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZSAVS_MIRROR", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return serve(
        monkeypatch, dict.fromkeys([f"/weights/small.pt{end}" for end in ("", "/again.pt", "/other.pt")], CONTENT)
    )


def here() -> dict[str, bytes]:
    """All files in the cache's folder."""
    folder = cache_folder()
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def put_part(content: bytes) -> None:
    cache_folder().mkdir(parents=True, exist_ok=True)
    (cache_folder() / "small.pt.part").write_bytes(content)


# --------------------------------------------------------------------------------- whole
def test_a_file_with_its_checksum_is_fetched(server: PairedServer) -> None:
    said: list[str] = []
    path = download(CARD, said.append)
    assert path.read_bytes() == CONTENT
    assert here().keys() == {"small.pt"}
    assert said == [
        f"{URL} (revision main): about 3.66 MB, licence MIT (model card)",
        "  small.pt: checksum as on its card",
        f"  in {path}",
    ]
    assert "  small.pt: here already, checksum as on its card" in (download(CARD, said.append) and said)
    assert server.asked == [("example.org/weights/small.pt", None)]
    Path("another").touch()
    assert path.stat().st_mode == Path("another").stat().st_mode, "as any other file's"


def test_another_checksum_is_refused_and_nothing_stays(server: PairedServer) -> None:
    server.files["/weights/small.pt"] = other = CONTENT[:-1] + b"?"
    found, expected = hashlib.sha256(other).hexdigest()[:12], CARD.sha256[:12]
    with pytest.raises(WeightsError, match=rf"what came is {found}\.\.\., expected is {expected}.*removed") as raised:
        download(CARD, lambda _: None)
    assert "\n" not in str(raised.value)
    assert here() == {}


def test_a_small_file_of_another_size_is_refused_before_it_comes(server: PairedServer) -> None:
    server.files["/weights/small.pt"] = CONTENT[:-100_000]
    with pytest.raises(WeightsError, match=r"offers 3560000 bytes, about 3\.66 MB are expected"):
        download(CARD, lambda _: None)
    assert here() == {}


def test_a_server_that_says_no_size_is_judged_by_the_checksum(server: PairedServer) -> None:
    server.lengths = None
    assert download(CARD, lambda _: None).read_bytes() == CONTENT
    server.lengths = "many"
    assert download(dataclasses.replace(CARD, source=f"{URL}/again.pt"), lambda _: None).read_bytes() == CONTENT
    unsure = dataclasses.replace(CARD, source=f"{URL}/other.pt", sha256="", size_mb=0)
    with pytest.raises(WeightsError, match="offers 0 bytes"):
        download(unsure, lambda _: None)


def test_what_is_in_place_is_compared_by_download_and_not_by_loading(
    server: PairedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = download(CARD, lambda _: None)
    path.write_bytes(b"damaged")
    with pytest.raises(
        WeightsError, match=rf"small\.pt: its checksum is \w{{12}}\.\.\., .*{CARD.sha256[:12]}.*Delete it"
    ):
        download(CARD, lambda _: None)
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("hashed at a load"))
    assert locate(URL) == path
    assert is_local(URL)
    assert len(server.asked) == 1


# -------------------------------------------------------------------------------- broken
def test_a_download_that_broke_off_goes_on(server: PairedServer) -> None:
    server.breaks_after = HALF
    with pytest.raises(WeightsError, match=rf"broke off after {HALF} of {len(CONTENT)} bytes; .*goes on from there"):
        download(CARD, lambda _: None)
    assert here() == {"small.pt.part": CONTENT[:HALF]}
    assert not is_local(URL)
    server.breaks_after = None
    said: list[str] = []
    assert download(CARD, said.append).read_bytes() == CONTENT
    assert here().keys() == {"small.pt"}
    assert server.asked[1:] == [("example.org/weights/small.pt", f"bytes={HALF}-")]
    assert said[1:2] == ["  going on after the 1.5 MB that are here"]


def test_without_a_checksum_and_without_a_mark_of_the_server_it_starts_anew(server: PairedServer) -> None:
    server.breaks_after = HALF
    with pytest.raises(WeightsError, match="broke off after") as raised:
        download(UNSURE, lambda _: None)
    assert "goes on" not in str(raised.value)
    assert here() == {}
    server.breaks_after = None
    put_part(b"of a process that was killed")
    assert download(UNSURE, lambda _: None).read_bytes() == CONTENT
    assert server.asked[-1][1] is None
    assert here().keys() == {"small.pt"}


@pytest.mark.parametrize(
    ("marks", "condition"),
    [
        ({"ETag": '"one"', "Last-Modified": "Mon, 08 May 2023 17:00:00 GMT"}, '"one"'),
        ({"ETag": 'W/"one"', "Last-Modified": "Mon, 08 May 2023 17:00:00 GMT"}, "Mon, 08 May 2023 17:00:00 GMT"),
        ({"Last-Modified": "Mon, 08 May 2023 17:00:00 GMT"}, "Mon, 08 May 2023 17:00:00 GMT"),
    ],
)
def test_without_a_checksum_it_goes_on_where_the_server_says_that_it_is_the_same(
    marks: dict[str, str], condition: str, server: PairedServer
) -> None:
    server.marks, server.breaks_after = marks, HALF
    with pytest.raises(WeightsError, match=rf"broke off after {HALF} of {len(CONTENT)} bytes; .*goes on from there"):
        download(UNSURE, lambda _: None)
    assert here().keys() == {"small.pt.part", "small.pt.part.json"}
    server.breaks_after = None
    said: list[str] = []
    assert download(UNSURE, said.append).read_bytes() == CONTENT
    assert here().keys() == {"small.pt"}
    assert server.asked[-1][1] == f"bytes={HALF}-"
    assert server.conditions == [condition]
    assert said[1:3] == ["  going on after the 1.5 MB that are here", f"  small.pt: whole, SHA-256 {CARD.sha256}"]


@pytest.mark.parametrize("heeds", [True, False], ids=["a good server", "a server that heeds no condition"])
@pytest.mark.parametrize("longer", [0, 4])
def test_a_file_that_has_changed_meanwhile_starts_anew(heeds: bool, longer: int, server: PairedServer) -> None:
    server.marks, server.breaks_after = {"ETag": '"one"'}, HALF
    with pytest.raises(WeightsError, match="broke off"):
        download(UNSURE, lambda _: None)
    server.files["/weights/small.pt"] = other = bytes(255 - byte for byte in CONTENT) + b"?" * longer
    server.marks, server.breaks_after, server.heeds_conditions = {"ETag": '"two"'}, None, heeds
    said: list[str] = []
    assert download(UNSURE, said.append).read_bytes() == other
    assert any("starting anew" in line for line in said)
    assert here().keys() == {"small.pt"}


def test_a_part_from_another_address_or_of_an_unknown_version_starts_anew(
    server: PairedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.marks = {"ETag": '"one"'}
    of_another = {"origin": "https://other.org/small.pt", "tag": '"one"', "size": len(CONTENT)}
    for mark in (json.dumps(of_another), "{", "[]", '{"tag": 1}'):
        put_part(b"?" * HALF)
        (cache_folder() / "small.pt.part.json").write_text(mark)
        assert download(UNSURE, lambda _: None).read_bytes() == CONTENT
        assert server.asked[-1][1] is None
        (cache_folder() / "small.pt").unlink()
    assert here() == {}


def test_with_a_checksum_another_address_may_send_the_rest(
    server: PairedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.marks, server.breaks_after = {"ETag": '"one"'}, HALF
    with pytest.raises(WeightsError, match="broke off"):
        download(CARD, lambda _: None)
    server.files["/zsavs/small.pt"], server.marks, server.breaks_after = CONTENT, {"ETag": '"mirrored"'}, None
    monkeypatch.setenv("ZSAVS_MIRROR", "http://mirror.local/zsavs")
    assert download(CARD, lambda _: None).read_bytes() == CONTENT
    assert server.asked[-1] == ("mirror.local/zsavs/small.pt", f"bytes={HALF}-")
    assert here().keys() == {"small.pt"}


def test_a_server_that_gives_no_ranges_starts_anew(server: PairedServer) -> None:
    put_part(CONTENT[:HALF])
    server.ranges = False
    said: list[str] = []
    assert download(CARD, said.append).read_bytes() == CONTENT
    assert server.asked == [("example.org/weights/small.pt", f"bytes={HALF}-")]
    assert said[1:2] == ["  starting anew: the 1.5 MB that are here cannot be gone on with"]


def test_a_part_of_another_file_is_found_and_removed(server: PairedServer) -> None:
    put_part(b"?" + CONTENT[1:HALF])
    with pytest.raises(WeightsError, match=r"checksum of what came is .* it was removed\. Run the same command again"):
        download(CARD, lambda _: None)
    assert here() == {}
    assert download(CARD, lambda _: None).read_bytes() == CONTENT


@pytest.mark.parametrize("part", [CONTENT[:-1] + b"?", CONTENT + b"more"], ids=["as long", "longer"])
def test_a_part_that_nothing_comes_after_is_fetched_anew(part: bytes, server: PairedServer) -> None:
    put_part(part)
    assert download(CARD, lambda _: None).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [f"bytes={len(part)}-", None]


def test_a_part_that_is_whole_needs_no_network(server: PairedServer) -> None:
    """Of a process that was killed after the last byte."""
    put_part(CONTENT)
    assert download(CARD, lambda _: None).read_bytes() == CONTENT
    assert here().keys() == {"small.pt"}
    assert server.asked == []


def test_a_page_in_place_of_the_file_does_not_cost_what_came(server: PairedServer) -> None:
    """As of a hotel's network: no range, another size."""
    put_part(CONTENT[:HALF])
    server.ranges = False
    server.files["/weights/small.pt"] = b"<html>Please log in</html>"
    with pytest.raises(WeightsError, match="offers 26 bytes"):
        download(CARD, lambda _: None)
    assert here() == {"small.pt.part": CONTENT[:HALF]}


@pytest.mark.parametrize(("sha256", "left"), [(CARD.sha256, {"small.pt.part"}), ("", set())])
def test_ctrl_c_leaves_at_most_the_part(
    sha256: str, left: set[str], server: PairedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = single_file._Sender.read
    blocks = iter([real, real])

    def read(sender: Any, stream: Any) -> bytes:
        for block in blocks:
            return block(sender, stream)
        raise KeyboardInterrupt

    monkeypatch.setattr(single_file._Sender, "read", read)
    with pytest.raises(KeyboardInterrupt):
        download(dataclasses.replace(CARD, sha256=sha256), lambda _: None)
    assert here().keys() == left
    assert all(content == CONTENT[: 2 << 20] for content in here().values())


# ----------------------------------------------------------------------------- two at once
def test_a_second_download_waits_for_the_first_and_takes_its_file(server: PairedServer) -> None:
    put_part(CONTENT)
    said: list[str] = []
    done: list[Path] = []
    part = cache_folder() / "small.pt.part"
    with part.open("rb") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        second = threading.Thread(target=lambda: done.append(download(CARD, said.append)))
        second.start()
        for _ in range(200):
            if any("another process is fetching small.pt; waiting for it" in line for line in said):
                break
            time.sleep(0.01)
        assert not done
        part.rename(cache_folder() / "small.pt")
    second.join(10)
    assert done == [cache_folder() / "small.pt"]
    assert here() == {"small.pt": CONTENT}
    assert server.asked == []


def test_one_that_comes_when_the_first_has_just_finished_takes_its_file(
    server: PairedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has opened what was the part, and gets the lock of what is the file now: nothing may be written there."""
    put_part(CONTENT)
    path, lock = cache_folder() / "small.pt", fcntl.flock
    locked: list[int] = []

    def finish_first(file: Any, how: int) -> None:
        if not locked:
            (cache_folder() / "small.pt.part").rename(path)
        locked.append(how)
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", finish_first)
    assert download(CARD, lambda _: None) == path
    assert len(locked) == 2
    assert here() == {"small.pt": CONTENT}
    assert server.asked == []


# -------------------------------------------------------------------------------- errors
@pytest.fixture
def small_disk() -> Iterator[int]:
    """No file of this process may grow beyond so many bytes: a part of a block is taken, and the rest is refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (HALF, hard))
    yield HALF
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("sha256", [CARD.sha256, ""])
def test_a_full_disk_says_how_much_is_needed_and_keeps_what_came(
    sha256: str, server: PairedServer, small_disk: int
) -> None:
    with pytest.raises(WeightsError, match=r"small\.pt: cannot be written \(.*needs 3\.66 MB in .*hub: free") as raised:
        download(dataclasses.replace(CARD, sha256=sha256), lambda _: None)
    assert type(raised.value) is WeightsError
    assert here() == ({"small.pt.part": CONTENT[:small_disk]} if sha256 else {})


def test_a_folder_that_may_not_be_written_to(server: PairedServer) -> None:
    cache_folder().write_bytes(b"a file where the folder should be")
    with pytest.raises(WeightsError, match=r"small\.pt: cannot be written"):
        download(CARD, lambda _: None)


def test_a_file_that_is_gone_says_where_to_look(server: PairedServer) -> None:
    server.files.clear()
    message = rf"{URL}: there is no such file \(.*404.*; look for a newer zsavs, or get .* and put it at .*small\.pt"
    with pytest.raises(MissingWeights, match=message):
        download(CARD, lambda _: None)
    assert here() == {}


def test_no_network_keeps_what_came(server: PairedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Any) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    put_part(CONTENT[:HALF])
    monkeypatch.setattr("http.client.HTTPSConnection.connect", refuse)
    with pytest.raises(
        MissingWeights, match=r"could not be fetched \(.*unreachable.*Check the network and run the same"
    ):
        download(CARD, lambda _: None)
    assert here() == {"small.pt.part": CONTENT[:HALF]}


# ------------------------------------------------------------------------------ the name
@pytest.mark.parametrize(
    ("end", "name"),
    [
        ("a/small.pt?download=1", "small.pt"),
        ("a/small.pt?of=b/c.pt#d/e", "small.pt"),
        ("a/my%20model%C3%A9.pt", "my modelé.pt"),
        ("a%2Fsmall.pt", "small.pt"),
        ("a/small+1.pt", "small+1.pt"),
    ],
)
def test_the_name_of_an_address(end: str, name: str, server: PairedServer) -> None:
    address = f"https://example.org/{end}"
    assert {place.name for place in file_places(address)} == {name}
    server.files[f"/{end.partition('#')[0]}"] = CONTENT
    path = fetch_file(dataclasses.replace(CARD, source=address))
    assert path == cache_folder() / name == locate(address)


@pytest.mark.parametrize("end", ["", "/", "/a/", "/a/..", "/%2e%2e", "/a%2F", "/a%00b", "/a%0Ab", "/?a=b.pt", "]/b.pt"])
def test_an_address_without_a_name_is_refused(end: str) -> None:
    address = f"https://example.org{end}"
    with pytest.raises(MissingWeights, match="does not end with the name of a file"):
        locate(address)
    with pytest.raises(MissingWeights, match="does not end with the name of a file"):
        fetch_file(dataclasses.replace(CARD, source=address))
    assert not is_local(address)


# ------------------------------------------------------------------------------ the card
@pytest.mark.parametrize(
    ("size", "text"), [(4803, "4803"), (614, "614"), (99.96, "100"), (11, "11"), (3.66, "3.66"), (0.0421, "0.0421")]
)
def test_sizes_are_short(size: float, text: str) -> None:
    assert format_mb(size) == text


def test_the_checksum_is_told_where_there_is_one_and_of_no_other_file(tmp_path: Path) -> None:
    assert CARD.as_dict()["sha256"] == CARD.sha256
    assert CARD.as_dict()["size_mb"] == 3.66
    assert "sha256" not in dataclasses.replace(CARD, sha256="").as_dict()
    assert CARD.at(tmp_path / "small.pt").sha256 == ""
