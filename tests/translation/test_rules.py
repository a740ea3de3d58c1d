"""Translation by tables."""

from __future__ import annotations

import pytest

from zsavs.protocols import Scene
from zsavs.translation.rules import RuleTranslator


def phrases(seen: str, *heard: str) -> list[str]:
    (translation,) = RuleTranslator().translate([Scene(tuple((label, 0.5) for label in heard), seen)])
    assert translation.notes == {"by": "rules"}
    assert all(sought.heard in heard and sought.phrase in sought.reason for sought in translation.sources)
    return [sought.phrase for sought in translation.sources]


@pytest.mark.parametrize(
    ("heard", "seen", "want"),
    [
        ("Siren", "an ambulance drives down a street", ["ambulance"]),
        ("Siren", "a dog", ["siren"]),
        ("Applause", "an audience in a hall", ["audience"]),
        ("Music", "a man playing the violin", ["violin"]),
        ("Music", "a guitar beside a piano", ["guitar", "piano"]),
        ("Music", "a dog on the grass", []),
        ("Bark", "", ["dog"]),
        ("Bark", "two brown dogs on the grass", ["brown dogs"]),
        ("Echo", "a dog", []),
        ("Ringtone", "a phone on a table", ["phone"]),
        ("Musical instrument", "a child with a trumpet", ["trumpet"]),
    ],
)
def test_what_is_heard_is_looked_for_as_it_is_seen(heard: str, seen: str, want: list[str]) -> None:
    assert phrases(seen, heard) == want


def test_the_special_name_of_a_source_stands_for_the_general_one() -> None:
    assert phrases("", "Animal", "Bark") == ["dog"]


def test_a_table_of_the_users_own_comes_first() -> None:
    rules = RuleTranslator(table={"bark": "wolf"})
    (translation,) = rules.translate([Scene((("Bark", 0.5),), "")])
    assert [sought.phrase for sought in translation.sources] == ["wolf"]
