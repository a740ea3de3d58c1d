"""A real HTTP server for Python's own client, over a pair of sockets that are joined to each other: no network."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest


class PairedServer:
    """What the server has, how it behaves, and what it was asked; answers for every host.

    Args:
        files: path of an address to content.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        #: Whether it gives ranges.
        self.ranges = True
        #: What it says of sizes: the right ones if "right", nothing if None.
        self.lengths: str | None = "right"
        #: What it says of the version of its files.
        self.marks: dict[str, str] = {}
        #: Whether it keeps to If-Range, as it should.
        self.heeds_conditions = True
        #: How many bytes it sends before it goes away; all if None.
        self.breaks_after: int | None = None
        #: (address, value of the header Range or None) of each request, in order.
        self.asked: list[tuple[str, str | None]] = []
        #: Values of the header If-Range, in order.
        self.conditions: list[str] = []

    def connect(self, connection: http.client.HTTPConnection) -> None:
        """In place of ``HTTPConnection.connect``: a socket with a thread at its other end that serves one request."""
        ours, theirs = socket.socketpair()
        connection.sock = theirs
        threading.Thread(target=self._serve, args=(ours,), daemon=True).start()

    def _serve(self, ours: socket.socket) -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        with ours, contextlib.suppress(ConnectionError):  # of a client that has gone
            Handler(ours, ("paired", 0), None)  # type: ignore[arg-type]

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers["Range"]
        self.asked.append((f"{request.headers['Host']}{request.path}", wanted))
        content = self.files.get(request.path)
        if content is None:
            request.send_error(404)
            return
        start = 0
        condition = request.headers["If-Range"]
        if condition:
            self.conditions.append(condition)
        changed = condition and self.heeds_conditions and condition not in self.marks.values()
        if self.ranges and wanted and not changed:
            found = re.fullmatch(r"bytes=(\d+)-", wanted)
            assert found is not None, wanted
            start = int(found[1])
            if start >= len(content):
                request.send_error(416)
                return
        request.send_response(206 if start else 200)
        for name, value in self.marks.items():
            request.send_header(name, value)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.lengths:
            length = str(len(content) - start) if self.lengths == "right" else self.lengths
            request.send_header("Content-Length", length)
        request.end_headers()
        request.wfile.write(content[start:][: self.breaks_after])


def serve(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> PairedServer:
    """Let every connection of Python's HTTP client lead to one server, without TLS."""
    server = PairedServer(files)
    for kind in (http.client.HTTPConnection, http.client.HTTPSConnection):
        monkeypatch.setattr(kind, "connect", lambda connection: server.connect(connection))
    return server
