"""The tracker by its name: one for every preset, what it looks with, and none."""

from __future__ import annotations

import pytest

from zsavs.build.parts import Parts, build_parts
from zsavs.errors import InputError, MissingWeights, UnknownName
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


@pytest.mark.parametrize(
    ("preset", "segmenter", "checkpoint"),
    [
        ("base", None, "facebook/sam2.1-hiera-tiny"),
        ("large", None, "facebook/sam2.1-hiera-large"),
        ("base", "sam2:facebook/sam2.1-hiera-small", "facebook/sam2.1-hiera-small"),
        ("base", "closer:sam2:facebook/sam2.1-hiera-small", "facebook/sam2.1-hiera-small"),
        ("pocket", None, "facebook/sam2.1-hiera-tiny"),
        ("toy", None, "facebook/sam2.1-hiera-tiny"),
    ],
)
def test_sam2_video_takes_the_checkpoint_of_the_segmenter(preset: str, segmenter: str | None, checkpoint: str) -> None:
    """None of them is on this machine; the error names the one that was looked for."""
    named = {"segmenter": segmenter} if segmenter else {}
    with pytest.raises(MissingWeights, match=f"zsavs download {checkpoint}"):
        build_parts(["tracker"], preset, parts={"tracker": "sam2_video", **named})


def test_of_nano_it_says_that_it_has_no_memory_and_what_has() -> None:
    with pytest.raises(InputError, match=r"without the memory for videos.*facebook/sam2\.1-hiera-tiny.*'associate'"):
        build_parts(["tracker"], "nano", parts={"tracker": "sam2_video"})
    with pytest.raises(MissingWeights, match=r"zsavs download facebook/sam2\.1-hiera-small"):
        build_parts(["tracker"], "nano", parts={"tracker": "sam2_video:facebook/sam2.1-hiera-small"})
    with pytest.raises(MissingWeights, match="zsavs download yonigozlan/EdgeTAM-hf"):
        build_parts(["tracker"], "nano", parts={"tracker": "edgetam_video"})
