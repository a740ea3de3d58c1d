"""The OpenAI-compatible endpoint against a scripted local server."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from chat_server import Answer, chat_server

from zsavs.errors import InputError, WeightsError
from zsavs.protocols import Scene
from zsavs.translation.endpoint import KEY, EndpointTranslator

pytestmark = pytest.mark.network

SCENE = Scene((("Siren", 0.9),), "an ambulance on a street")
GOOD = '{"sources": [{"phrase": "ambulance", "heard": "Siren", "reason": "it has one"}]}'


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses between attempts, which are not slept."""
    taken: list[float] = []
    monkeypatch.setattr("zsavs.translation.endpoint.time.sleep", taken.append)
    return taken


def test_what_is_sent_and_what_comes_back(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setenv(KEY, "secret-123")
    with chat_server([Answer(GOOD)]) as server:
        made = EndpointTranslator.load(f"small-model@{server.url}")
        (translation,) = made.translate([SCENE])
    assert [sought.phrase for sought in translation.sources] == ["ambulance"]
    assert translation.notes["tokens"] == 42
    (headers, question), *others = server.asked
    assert not others
    assert headers["Authorization"] == "Bearer secret-123"
    assert question["model"] == "small-model"
    assert question["temperature"] == 0
    assert [turn["role"] for turn in question["messages"]] == ["system", "user"]
    written = b"".join(path.read_bytes() for path in cache.iterdir()) + json.dumps(dict(translation.notes)).encode()
    assert b"secret-123" not in written
    assert "secret-123" not in repr(vars(made))


def test_without_a_key_none_is_sent() -> None:
    with chat_server([Answer(GOOD)]) as server:
        EndpointTranslator("m", server.url).translate([SCENE])
    assert "Authorization" not in server.asked[0][0]


def test_a_busy_server_is_asked_again(naps: list[float]) -> None:
    with chat_server([Answer(status=429, headers={"Retry-After": "3"}), Answer(status=503), Answer(GOOD)]) as server:
        (translation,) = EndpointTranslator("m", server.url).translate([SCENE])
    assert translation.sources
    assert [nap for nap in naps if nap] == [3.0, 2.0]


def test_a_server_that_stays_busy_is_given_up() -> None:
    with chat_server([Answer(status=503)]) as server, pytest.raises(WeightsError, match=r"stayed busy \(503\)"):
        EndpointTranslator("m", server.url).translate([SCENE])
    assert len(server.asked) == 4


@pytest.mark.parametrize(("status", "said"), [(401, KEY), (403, KEY), (404, "name of the model"), (400, "own log")])
def test_a_refusal_says_what_to_do(status: int, said: str) -> None:
    with chat_server([Answer(status=status)]) as server, pytest.raises(WeightsError, match=said):
        EndpointTranslator("m", server.url).translate([SCENE])
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"choices": []}', b'{"choices": [{"message": {"content": null}}]}', b"\xff\xfe"]
)
def test_another_protocol_is_named(body: bytes) -> None:
    with chat_server([Answer(body=body)]) as server, pytest.raises(WeightsError, match="is the address right"):
        EndpointTranslator("m", server.url).translate([SCENE])


def test_an_answer_without_end_is_cut() -> None:
    with chat_server([Answer(body=b"x" * 3_000_000)]) as server, pytest.raises(WeightsError, match="a megabyte"):
        EndpointTranslator("m", server.url).translate([SCENE])


@pytest.mark.parametrize("answer", [Answer(GOOD, waits_s=1.5), Answer(GOOD, drips=True)])
def test_a_slow_server_ends_in_time(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    start = time.monotonic()
    with chat_server([answer]) as server:
        with pytest.raises(WeightsError, match=r"no answer .* within 0\.5 s"):
            EndpointTranslator("m", server.url, timeout_s=0.5).translate([SCENE])
        assert time.monotonic() - start < 1.4


def test_no_redirection_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "secret-123")
    with chat_server([Answer(GOOD)]) as elsewhere:
        moved = Answer(status=307, headers={"Location": f"{elsewhere.url}/chat/completions"})
        with chat_server([moved]) as server, pytest.raises(WeightsError, match=r"refused \(307\)"):
            EndpointTranslator("m", server.url).translate([SCENE])
    assert not elsewhere.asked


def test_nobody_listens() -> None:
    with chat_server([Answer(GOOD)]) as server:
        pass
    with pytest.raises(WeightsError, match="check that the server runs"):
        EndpointTranslator("m", server.url).translate([SCENE])


@pytest.mark.parametrize(
    "checkpoint", ["", "m", "@http://x/v1", "m@", "m@ftp://x", "m@http://", "m@http://me:key@x/v1"]
)
def test_an_address_that_is_none_is_refused(checkpoint: str) -> None:
    with pytest.raises(InputError, match="name the model and the server's address"):
        EndpointTranslator.load(checkpoint)


@pytest.mark.parametrize("settings", [{"timeout_s": 0}, {"timeout_s": float("inf")}, {"max_tokens": 0}])
def test_settings_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="timeout_s must be above 0"):
        EndpointTranslator("m", "http://localhost/v1", **settings)
