"""The form of replies: what is read, and that nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsavs.protocols import Sought
from zsavs.translation.reply import Malformed, read_reply

HEARD = ("Siren", "Male speech, man speaking")


def reply(**changes: Any) -> str:
    return json.dumps({"sources": [{"phrase": "Fire  Truck", "heard": "siren", "reason": "it\nis red", **changes}]})


def test_a_reply_in_the_form_is_read() -> None:
    want = (Sought("fire truck", "Siren", "it is red"),)
    assert read_reply(reply(), HEARD) == want
    assert read_reply(f"```json\n{reply()}\n```\n", HEARD) == want
    assert read_reply('{"sources": []}', HEARD) == ()
    twice = json.loads(reply())["sources"] + json.loads(reply(phrase="fire trucks"))["sources"]
    assert read_reply(json.dumps({"sources": twice}), HEARD) == want, "each source once"
    assert read_reply(reply(heard="male speech, man speaking"), HEARD)[0].heard == HEARD[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "the fire truck",
        "[]",
        "null",
        '{"sources": null}',
        '{"sources": [], "note": 1}',
        '{"sources": ["dog"]}',
        '{"sources": [{"phrase": "dog", "heard": "Siren"}]}',
        "sure! " + reply(),
        reply() + reply(),
        reply(phrase=""),
        reply(phrase=3),
        reply(phrase="dog. cat."),
        reply(phrase="<script>"),
        reply(phrase="../../etc/passwd"),
        reply(phrase="a b c d e f g"),
        reply(phrase="x" * 61),
        reply(heard="a bell"),
        reply(heard=""),
        reply(order="rm"),
        json.dumps({"sources": json.loads(reply())["sources"] * 9}),
        "[" * 100_000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        read_reply(text, HEARD)


@given(st.text(), st.text(), st.text())
def test_whatever_a_model_says_only_plain_words_come_out(phrase: str, heard: str, reason: str) -> None:
    try:
        (sought,) = read_reply(reply(phrase=phrase, heard=heard, reason=reason), HEARD)
    except Malformed:
        return
    assert sought.heard in HEARD
    assert sought.phrase.replace(" ", "").replace("-", "").replace("'", "").isalnum()
    assert not set(sought.reason) & set('<>{}[]|\\"\n')
