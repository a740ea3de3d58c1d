"""The guard that proves the tests touch no network must itself be able to fail."""

from __future__ import annotations

import socket
import urllib.request

import pytest
from network_guard import NetworkTouchedError


def test_a_connection_is_refused() -> None:
    with pytest.raises(NetworkTouchedError), socket.socket() as sock:
        sock.connect(("127.0.0.1", 9))


def test_a_name_lookup_is_refused() -> None:
    with pytest.raises(NetworkTouchedError):
        socket.getaddrinfo("example.org", 80)


def test_a_library_is_refused() -> None:
    with pytest.raises(NetworkTouchedError):
        urllib.request.urlopen("http://example.org", timeout=1)


@pytest.mark.network
def test_a_marked_test_reaches_this_machine_alone() -> None:
    with pytest.raises(NetworkTouchedError), socket.socket() as sock:
        sock.connect(("192.0.2.1", 9))
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
