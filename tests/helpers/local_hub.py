"""A hub of this machine's own, on 127.0.0.1: repositories from folders, single files, and faults that tests switch on.

It answers as the hub does to its own client: the list of a repository's files with sizes and checksums, revisions,
resolved files with ETags and ranges, and the headers of its errors. It counts the bytes that it sends of each file.
"""

from __future__ import annotations

import _socket
import contextlib
import hashlib
import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import close_session, constants

_CREATE_CONNECTION, _GETADDRINFO = socket.create_connection, socket.getaddrinfo
#: From this size on, and for weights of any size, the hub keeps a file under its SHA-256.
_LARGE = 10_000
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".onnx", ".tflite")


@dataclass
class Fault:
    """What goes wrong with one file, or with the list of a repository's files.

    Args:
        path: how the path of the address ends.
        status: the answer in place of the file; 0 for the file.
        drop_after: so many bytes of an answer are sent, and then the connection goes away.
        hold_after: so many bytes are sent, and then nothing, until :attr:`go_on` is set.
        damaged: whether other bytes are sent, as many as there should be.
        methods: to which it happens.
        times: how often it happens; None for ever.
    """

    path: str
    status: int = 0
    drop_after: int | None = None
    hold_after: int | None = None
    damaged: bool = False
    methods: tuple[str, ...] = ("GET", "HEAD")
    times: int | None = None
    #: Set when the bytes before a hold have been sent.
    held: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)


class LocalHub:
    """What the hub has, how it behaves, and what it was asked.

    Args:
        root: ``root/org/name/`` holds a repository's files, ``root/NAME`` is a single file.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.faults: list[Fault] = []
        #: Repository to the status that keeps people out: 401 (not logged in) or 403 (not let in).
        self.gated: dict[str, int] = {}
        #: Repository to its licence tag.
        self.licences: dict[str, str] = {}
        #: Revisions that there are; commits are always found.
        self.revisions = {"main"}
        #: Status and address of another hub that everybody is sent on to; metadata of files goes along if True.
        self.sends_on: tuple[int, str, bool] | None = None
        #: What the hub says of single files, where it says anything.
        self.marks = {"ETag": '"first"'}
        #: Whether the list of files has sizes and checksums; plain mirrors leave them out.
        self.tells_sizes = True
        #: (method, path, value of the header Range or None) of each request, in order.
        self.asked: list[tuple[str, str, str | None]] = []
        #: Bytes sent by path.
        self.sent: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop serving; what is held goes on."""
        for fault in self.faults:
            fault.go_on.set()
        self._server.shutdown()
        self._server.server_close()

    def fail(self, path: str, **how: Any) -> Fault:
        """Switch a fault on: see :class:`Fault`."""
        fault = Fault(path, **how)
        self.faults.append(fault)
        return fault

    def put(self, repository: str, files: dict[str, bytes]) -> None:
        """Put files into a repository; "" for single files."""
        for name, content in files.items():
            path = self.root / repository / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def fetched(self, name: str) -> int:
        """How many bytes were sent of all files of that name."""
        return sum(count for path, count in self.sent.items() if path.endswith(f"/{name}"))

    def times_whole(self) -> dict[str, float]:
        """How many times over each file was sent, by its path in the root; files that were not asked for left out."""
        times = {}
        for path, count in self.sent.items():
            found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path)
            file = self.root / (f"{found[1]}/{found[2]}" if found else path.lstrip("/"))
            if file.is_file() and file.stat().st_size:
                times[str(file.relative_to(self.root))] = count / file.stat().st_size
        return times

    @staticmethod
    def commit(repository: str) -> str:
        return hashlib.sha1(repository.encode()).hexdigest()

    # ------------------------------------------------------------------------------ answers
    def _handler(hub) -> type[BaseHTTPRequestHandler]:  # noqa: N805  (self is the handler below)
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_HEAD(self) -> None:
                self.answer()

            def do_GET(self) -> None:
                self.answer()

            def answer(self) -> None:
                with contextlib.suppress(ConnectionError):  # of a client that has gone
                    hub._answer(self, unquote(urlsplit(self.path).path))

        return Handler

    def _answer(self, request: BaseHTTPRequestHandler, path: str) -> None:
        fault = self._next_fault(request.command, path)
        with self._lock:
            self.asked.append((request.command, path, request.headers["Range"]))
        if fault and fault.status:
            self._send(request, path, fault.status, b"")
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            self._list(request, path, found[1], found[2] or "main")
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/(.+)", path):
            self._list(request, path, found[1], found[2], tree=True)
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(request, path, found[1], found[2], found[3], fault)
        elif self._redirect(request, path, {}):
            pass
        elif (self.root / path.lstrip("/")).is_file():
            self._send(request, path, 200, (self.root / path.lstrip("/")).read_bytes(), self.marks, fault)
        else:
            self._send(request, path, 404, b"")

    def _next_fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if path.endswith(fault.path) and method in fault.methods and fault.times != 0:
                    fault.times = None if fault.times is None else fault.times - 1
                    return fault
        return None

    def _refuses(self, request: BaseHTTPRequestHandler, path: str, repository: str, revision: str) -> bool:
        """Answer for a repository or a revision that there is none of."""
        error = None
        if not (self.root / repository).is_dir():
            error = "RepoNotFound"
        elif revision not in self.revisions and revision != self.commit(repository):
            error = "RevisionNotFound"
        if error:
            status = 401 if error == "RepoNotFound" else 404  # as the hub answers those who are not logged in
            self._send(request, path, status, b"{}", {"X-Error-Code": error, "X-Error-Message": error})
        return error is not None

    def _redirect(self, request: BaseHTTPRequestHandler, path: str, metadata: dict[str, str]) -> bool:
        if not self.sends_on:
            return False
        status, address, tells = self.sends_on
        headers = {"Location": f"{address}{request.path}", **(metadata if tells else {})}
        self._send(request, path, status, b"", headers)
        return True

    def _list(
        self, request: BaseHTTPRequestHandler, path: str, repository: str, revision: str, *, tree: bool = False
    ) -> None:
        if self._redirect(request, path, {}) or self._refuses(request, path, repository, revision):
            return
        siblings, entries = [], []
        for file in sorted((self.root / repository).iterdir()):
            told: dict[str, Any] = {"rfilename": file.name}
            if self.tells_sizes:
                checksum, size = self._checksum(file), file.stat().st_size
                told |= {"size": size, "blobId": checksum[:40]}
                if len(checksum) == 64:
                    told["lfs"] = {"sha256": checksum, "size": size, "pointerSize": 134}
            siblings.append(told)
            lfs = {"lfs": {"oid": told["lfs"]["sha256"], **told["lfs"]}} if "lfs" in told else {}
            size = file.stat().st_size
            entries.append({"type": "file", "path": file.name, "size": size, "oid": told.get("blobId", ""), **lfs})
        if tree:
            self._send(request, path, 200, json.dumps(entries).encode(), {"Content-Type": "application/json"})
            return
        licence = self.licences.get(repository)
        info = {"_id": "x", "id": repository, "sha": self.commit(repository), "private": False, "disabled": False}
        info |= {"gated": "manual" if repository in self.gated else False, "downloads": 1, "likes": 1}
        info |= {"tags": [f"license:{licence}"] if licence else [], "siblings": siblings}
        self._send(request, path, 200, json.dumps(info).encode(), {"Content-Type": "application/json"})

    def _resolve(
        self, request: BaseHTTPRequestHandler, path: str, repository: str, revision: str, name: str, fault: Fault | None
    ) -> None:
        file = self.root / repository / name
        if self.sends_on and not self.sends_on[2] and self._redirect(request, path, {}):
            return
        if self._refuses(request, path, repository, revision):
            return
        commit = {"X-Repo-Commit": self.commit(repository)}
        if repository in self.gated:
            error = {"X-Error-Code": "GatedRepo", "X-Error-Message": f"Access to {repository} is restricted"}
            self._send(request, path, self.gated[repository], b"", error)
            return
        if not file.is_file():
            self._send(request, path, 404, b"", {"X-Error-Code": "EntryNotFound", **commit})
            return
        checksum = self._checksum(file)
        headers = {**commit, "ETag": f'"{checksum}"'}
        if len(checksum) == 64:
            headers |= {"X-Linked-Etag": f'"{checksum}"', "X-Linked-Size": str(file.stat().st_size)}
        if not self._redirect(request, path, headers):
            self._send(request, path, 200, file.read_bytes(), headers, fault)

    @staticmethod
    def _checksum(file: Path) -> str:
        content = file.read_bytes()
        if len(content) > _LARGE or file.suffix in _WEIGHTS:
            return hashlib.sha256(content).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    def _send(
        self,
        request: BaseHTTPRequestHandler,
        path: str,
        status: int,
        content: bytes,
        headers: dict[str, str] | None = None,
        fault: Fault | None = None,
    ) -> None:
        headers = dict(headers or {})
        size, start = len(content), 0
        wanted = re.match(r"bytes=(\d+)-", request.headers["Range"] or "")
        condition = request.headers["If-Range"]
        if status == 200 and wanted and (not condition or condition in headers.values()):
            start, status = int(wanted[1]), 206
            if start >= size:
                status, content = 416, b""
            else:
                headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        if fault and fault.damaged:
            content = bytes(255 - byte for byte in content)
        content = content[start:] if status == 206 else content
        request.send_response(status)
        for name, value in {"Accept-Ranges": "bytes", "Content-Length": str(len(content)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "HEAD":
            return
        if fault and fault.hold_after is not None:
            self._write(request, path, content[: fault.hold_after])
            content = content[fault.hold_after :]
            fault.held.set()
            fault.go_on.wait(20)
        if fault and fault.drop_after is not None:
            self._write(request, path, content[: fault.drop_after])
            request.close_connection = True
            request.connection.shutdown(socket.SHUT_RDWR)
            return
        self._write(request, path, content)

    def _write(self, request: BaseHTTPRequestHandler, path: str, content: bytes) -> None:
        for start in range(0, len(content), 1 << 16):
            block = content[start : start + (1 << 16)]
            with self._lock:  # before it is sent: whoever has the last byte may look at the count at once
                self.sent[path] += len(block)
            try:
                request.wfile.write(block)
                request.wfile.flush()
            except OSError:
                with self._lock:
                    self.sent[path] -= len(block)
                raise


def allow_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets reach 127.0.0.1, and no other address, in place of the tests' guard."""

    def connect(sock: socket.socket, address: Any) -> None:
        assert address[0] == "127.0.0.1", address
        _socket.socket.connect(sock, address)

    def create_connection(address: Any, *args: Any, **settings: Any) -> socket.socket:
        assert address[0] in ("127.0.0.1", b"127.0.0.1"), address
        return _CREATE_CONNECTION(address, *args, **settings)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "create_connection", create_connection)
    monkeypatch.setattr(socket, "getaddrinfo", _GETADDRINFO)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@contextlib.contextmanager
def serving(root: Path) -> Iterator[LocalHub]:
    """A hub for as long as the body runs."""
    root.mkdir(parents=True, exist_ok=True)
    hub = LocalHub(root)
    try:
        yield hub
    finally:
        hub.close()


@contextlib.contextmanager
def in_place_of_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A hub that ``ZSAVS_MIRROR`` names for as long as the body runs, and an empty cache in ``tmp_path / "cache"``."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    allow_connections(monkeypatch)
    close_session()
    with serving(tmp_path / "served") as hub:
        monkeypatch.setenv("ZSAVS_MIRROR", hub.address)
        yield hub
    close_session()


def wait_for(happened: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something has happened, and fail where it does not."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
