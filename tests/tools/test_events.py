"""Descriptions of events: none names the thing that makes it, and none is both learned and held out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.orchestra.catalogue import SOUNDING
from tools.orchestra.events import HELD_OUT, LEARNED
from zsavs.datasets.orchestra import Orchestra
from zsavs.language.word_forms import key_of

LABELS = [thing.label for thing in SOUNDING]


def test_what_is_held_out_was_never_learned() -> None:
    assert not {key_of(event.text) for event in HELD_OUT} & {key_of(event.text) for event in LEARNED}
    for event in (*HELD_OUT, *LEARNED):
        assert set(event.makers) <= set(LABELS)
    for label in LABELS:
        assert sum(label in event.makers for event in HELD_OUT) >= 3
        assert sum(event.makers == (label,) for event in LEARNED) >= 10


@pytest.mark.parametrize("label", LABELS)
def test_no_held_out_description_names_its_thing(label: str) -> None:
    texts = [event.text for event in HELD_OUT if label in event.makers]
    assert not any(label in text for text in texts)


def test_the_scenes_of_the_benchmark_tell_what_no_model_has_learned() -> None:
    scenes = Orchestra(Path(__file__).parents[2] / "benchmarks" / "events")
    makers = {event.text: event.makers for event in HELD_OUT}
    assert (len(scenes), list(scenes.groups)) == (16, ["events"])
    for scene in scenes.scenes.values():
        (source,) = scene.sources
        (silent,) = (thing.label for thing in scene.things if not thing.sounding)
        assert scene.heard == (source,)
        assert source in makers[scene.event]
        assert silent not in makers[scene.event]
    assert not any(scene.event for scene in Orchestra().scenes.values())
