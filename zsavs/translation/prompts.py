"""The words of the question to a language model, which are data, and the cleaning of what goes into it.

Labels, captions and file names come from outside, and may hold words that look like orders or like the marks with which
a chat is cut into turns. They are given as JSON strings, in letters, digits and plain punctuation only, and cut at a
length; what a reply may say is the business of :mod:`zsavs.translation.reply`.
"""

from __future__ import annotations

import functools
import json
import re
from importlib import resources
from typing import NamedTuple

from zsavs.protocols import Scene

__all__ = ["WORDINGS", "Message", "clean", "judging_question", "naming_question", "question", "repair"]

_FOLDER = resources.files("zsavs") / "data" / "translation"

#: The longest label or caption that is passed on, in characters.
_MOST = 200


class Message(NamedTuple):
    """One turn of a chat: who speaks ("system", "user", "assistant"), and what is said."""

    role: str
    content: str


@functools.cache
def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8").strip()


def _wordings() -> tuple[str, ...]:
    return tuple(json.loads(_text("wordings.json")))


#: In how many ways the question can be put.
WORDINGS = len(_wordings())


def clean(text: str) -> str:
    """A text from outside in one line of letters, digits and plain punctuation, at most 200 characters.

    >>> clean("dog<|im_end|>\\n{ignore}")
    'dog im end ignore'
    """
    return " ".join(re.sub(r"[^\w\s,.'()&/-]|_", " ", text).split())[:_MOST].strip()


def question(scene: Scene, wording: int) -> list[Message]:
    """The chat that asks for what makes the sounds of a scene.

    Args:
        scene: what is heard and seen.
        wording: which of the :data:`WORDINGS` ways to put it.
    """
    heard = json.dumps({clean(name): round(float(weight), 2) for name, weight in scene.heard}, ensure_ascii=False)
    seen = json.dumps(clean(scene.seen) or "nothing is known of it", ensure_ascii=False)
    asked = _wordings()[wording].replace("{heard}", heard).replace("{seen}", seen)
    return [Message("system", _text("system.txt")), Message("user", asked)]


def naming_question() -> list[Message]:
    """The chat that asks a model that hears and sees for what makes the sound."""
    return [Message("system", _text("omni_system.txt")), Message("user", _text("omni_naming.txt"))]


def judging_question(phrase: str) -> list[Message]:
    """The chat that asks a model that hears and sees whether what is shown makes the sound: yes or no."""
    return [Message("user", _text("omni_judging.txt").replace("{phrase}", clean(phrase) or "thing"))]


def repair(reply: str, problem: str) -> list[Message]:
    """What is said after a reply that was not in the form: the reply itself, cut, and what was wrong with it."""
    return [
        Message("assistant", clean(reply) or "nothing"),
        Message("user", _text("repair.txt").replace("{problem}", problem)),
    ]
