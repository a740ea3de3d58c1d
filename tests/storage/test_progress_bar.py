"""A progress bar: for a terminal here, for a notebook there, or whatever the caller gives."""

from __future__ import annotations

import pytest

import zsavs
from zsavs.storage.progress_bar import telling
from zsavs.testing import example_samples


def test_nobody_is_told_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    for nobody in (None, False):
        with telling(nobody, "frames") as tell:
            assert tell is None
    assert capsys.readouterr() == ("", "")


def test_a_function_is_told_itself() -> None:
    told: list[tuple[int, int | None]] = []
    with telling(lambda *steps: told.append(steps), "frames") as tell:
        assert tell is not None
        tell(3, 7)
    assert told == [(3, 7)]


def test_a_bar_says_how_many_are_done_of_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    with telling(True, "frames") as tell:
        assert tell is not None
        tell(2, None)
        tell(3, 4)
        tell(4, 4)
    said = capsys.readouterr()
    assert said.out == ""
    assert "frames: 100%" in said.err
    assert "4/4" in said.err


def test_compare_tells_of_every_strategy_and_sample(capsys: pytest.CaptureFixture[str]) -> None:
    samples = list(example_samples())[:3]
    told: list[tuple[int, int | None]] = []
    run = {"preset": "toy", "device": "cpu", "batch_size": 2}
    zsavs.compare(samples, ["fused", "audio_to_text"], progress=lambda *steps: told.append(steps), **run)
    assert told == [(2, 6), (4, 6), (5, 6), (6, 6)]
    zsavs.compare(iter(samples), ["fused"], progress=True, **run)
    assert "comparing: 3" in capsys.readouterr().err
