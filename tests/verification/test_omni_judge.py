"""A calibrated yes or no for each region."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zsavs.calibration.content_free import asked_windows, content_free
from zsavs.errors import InputError
from zsavs.protocols import Judged
from zsavs.testing import toy
from zsavs.types import AudioClip, Proposals, Query
from zsavs.verification.omni_judge import OmniJudge

QUERY = Query(("red thing", "blue thing"), np.ones(2, np.float32))


class Leaning:
    """Says what the toy model says, after a lean to yes or no, and keeps what it was asked."""

    def __init__(self, lean: float) -> None:
        self.lean, self.asked, self.toy = lean, [], toy.ToyOmni()

    def judge(self, images: list, clips: list, phrases: list) -> Judged:
        self.asked += zip(images, clips, phrases, strict=True)
        return Judged(self.toy.judge(images, clips, phrases).log_odds + np.float32(self.lean), 7 * len(clips))


def found(height: int, width: int) -> Proposals:
    boxes = np.array([[0, 0, width / 2, height], [width / 2, 0, width, height]], np.float32)
    return Proposals(boxes, np.array([0.9, 0.8], np.float32), np.array([0, 1]))


@pytest.mark.parametrize("lean", [-20.0, 0.0, 20.0])
def test_a_lean_to_yes_or_no_changes_nothing(lean: float) -> None:
    sample, _ = toy.scene(("red", "blue"), ("blue",))
    (judged,) = OmniJudge(Leaning(lean)).verify([sample], [QUERY], [found(*sample.size_hw)])
    assert judged.selected.tolist() == [False, True]
    assert judged.evidence.tolist() == pytest.approx([-1.0, 7.0])
    assert judged.notes == {"judged": {"questions": 6, "tokens": 42}}
    assert judged.rows([1]).notes == judged.notes


def test_silence_and_noise_find_nothing_however_the_model_leans() -> None:
    sample, _ = toy.scene(("red", "blue"), ("blue",))
    for clip in content_free(sample.audio):
        (judged,) = OmniJudge(Leaning(50.0)).verify([replace(sample, audio=clip)], [QUERY], [found(*sample.size_hw)])
        assert not judged.selected.any()


def test_the_phrase_and_the_crop_of_each_region_are_asked_about() -> None:
    sample, _ = toy.scene(("red", "blue"), ("blue",))
    model = Leaning(0.0)
    OmniJudge(model, margin=0.0).verify([sample], [QUERY], [found(*sample.size_hw)])
    assert [phrase for _, _, phrase in model.asked] == ["red thing"] * 3 + ["blue thing"] * 3
    left = sample.image[:, : sample.size_hw[1] // 2]
    assert np.array_equal(model.asked[0][0], left)
    assert model.asked[0][1].duration_s == sample.audio.duration_s
    assert not model.asked[1][1].waveform.any()


def test_of_a_long_recording_the_windows_of_the_source_are_asked_about() -> None:
    sample, _ = toy.scene(("red", "blue"), ("blue",))
    waves = [toy.tone(colour, seconds=20).waveform for colour in ("red", "blue")]
    clip = AudioClip(np.concatenate(waves, axis=1), 16_000)
    long = replace(sample, audio=clip)
    assert [start for start, _ in asked_windows(clip)] == [0.0, 10.0, 20.0, 30.0]
    model = Leaning(0.0)
    times = replace(QUERY, times=(((0.0, 10.0),), ((20.0, 40.0),)))
    (judged,) = OmniJudge(model).verify([long], [times], [found(*sample.size_hw)])
    assert judged.selected.all()
    assert [phrase for _, _, phrase in model.asked] == ["red thing"] * 3 + ["blue thing"] * 4
    model = Leaning(0.0)
    OmniJudge(model, most_windows=2).verify([long], [QUERY], [found(*sample.size_hw)])
    assert len(model.asked) == 2 * (2 + 2)


@pytest.mark.parametrize("settings", [{"margin": -0.1}, {"most_windows": 0}, {"min_odds": float("nan")}])
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(InputError, match="OmniJudge: margin must be"):
        OmniJudge(toy.ToyOmni(), **settings)  # type: ignore[arg-type]


def test_no_region_is_no_question() -> None:
    sample, _ = toy.scene(("red",), ("red",))
    model = Leaning(0.0)
    assert not len(OmniJudge(model).verify([sample], [QUERY], [Proposals.nothing()])[0])
    assert not model.asked
