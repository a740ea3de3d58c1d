"""The tracker by its name: one for every preset, what it looks with, and none."""

from __future__ import annotations

import pytest

from zsavs.build.parts import Parts, build_parts
from zsavs.errors import UnknownName
from zsavs.presets import PRESETS
from zsavs.tracking.associate import Associate


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_tracks_by_association_and_loads_nothing_for_it(preset: str) -> None:
    tracker = build_parts(["tracker"], preset)["tracker"]
    assert isinstance(tracker, Associate)
    assert tracker.matcher.image_text is None


def test_it_looks_with_the_encoder_that_is_there_anyway_or_is_named() -> None:
    parts = Parts("toy", {}, {}, "cpu", "float32", None)
    verifier, tracker = parts.get("verifier"), parts.get("tracker")
    assert tracker.matcher.image_text is verifier.image_scorer.encoder
    built = build_parts(["image_text", "tracker"], "toy")
    assert built["tracker"].matcher.image_text is built["image_text"]
    assert build_parts(["tracker"], "pocket", parts={"image_text": "toy"})["tracker"].matcher.image_text is not None


def test_none_is_none() -> None:
    parts = Parts("toy", {"tracker": "none"}, {}, "cpu", "float32", None)
    assert parts.get("tracker") is None
    assert parts.cards() == {}


def test_its_settings_are_those_of_its_constructor() -> None:
    tuned = Parts("toy", {}, {}, "cpu", "float32", None, tuned={"tracker": {"min_similarity": 0.9}})
    assert tuned.get("tracker").matcher.min_similarity == 0.9
    with pytest.raises(UnknownName, match="min_overlap"):
        Parts("toy", {}, {}, "cpu", "float32", None, tuned={"tracker": {"min_overlp": 0.9}}).get("tracker")
