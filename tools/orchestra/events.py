"""How people put what they hear, where they name the event and not the thing: "ringing", "six strings are strummed".

``events.json`` has, under "held_out", the captions of scenes of the group ``events``, and under "learned" other
descriptions of the same events, for a model that is to be trained and then measured on those scenes; none ships. Each
row is named by the things of the orchestra that can make the events, several with commas between them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

__all__ = ["HELD_OUT", "LEARNED", "Event"]


class Event(NamedTuple):
    """A description of something that is heard, and the labels of the things that can make it."""

    text: str
    makers: tuple[str, ...]


def _read(kind: str) -> tuple[Event, ...]:
    table = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))[kind]
    return tuple(Event(text, tuple(makers.split(", "))) for makers, texts in table.items() for text in texts)


LEARNED, HELD_OUT = _read("learned"), _read("held_out")
