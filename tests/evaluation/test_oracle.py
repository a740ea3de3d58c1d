"""The oracle of the ceiling tells what sounds when, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zsavs.evaluation.oracle import Clock, Oracle
from zsavs.media.activity import active_times, foreground_times
from zsavs.types import AudioClip, AVSample


def test_the_oracle_tells_what_sounds_when() -> None:
    """Blue sounds from 1 s to 2 s of a video of 3 s, and red throughout."""
    oracle = Oracle()
    audio = oracle.tell({"red": ((0.0, 3.0),), "blue": ((1.0, 2.0),)}, 3.0)
    assert audio.duration_s == pytest.approx(3.0)

    def told(begin_s: float, end_s: float) -> dict[str, Any]:
        part = audio.part(round(begin_s * audio.sample_rate_hz), round(end_s * audio.sample_rate_hz))
        (query,) = oracle.query([AVSample(np.zeros((4, 4, 3), np.uint8), part)])
        assert query.evidence is not None
        z = dict(zip(query.evidence.phrases, np.round(query.evidence.z, 2).tolist(), strict=True))
        assert set(query.phrases) == {label for label, value in z.items() if value > 0}
        return z

    assert told(0, 3) == {"red": 10.0, "blue": pytest.approx(3.33, abs=0.01)}, "the share of a long window"
    assert told(0, 1) == {"red": 10.0, "blue": 0.0}
    assert told(0.25, 1.25) == {"red": 10.0, "blue": 0.0}, "the middle of the window comes before"
    assert told(0.75, 1.75) == {"red": 10.0, "blue": 10.0}
    silence = AudioClip(np.zeros((1, 100), np.float32), 16_000)
    assert len(oracle.query([AVSample(np.zeros((4, 4, 3), np.uint8), silence)])[0]) == 0


def test_the_clock_is_one_steady_sound() -> None:
    audio = Clock(8.0).audio
    assert active_times(audio) == foreground_times(audio) == ((0.0, 8.0),)
