"""What a million clips cost: multiplied from numbers that stand in the pages of the benchmarks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from benchmark_scripts import BENCHMARKS, load_benchmark

PAGES = {
    "long_video.py": BENCHMARKS / "long_video.md",
    "real_pairs.py": Path(BENCHMARKS.parent, "docs", "benchmarks", "real_pairs.md"),
    "soak.py": BENCHMARKS / "soak.md",
    "speed.py": BENCHMARKS / "speed.md",
    "full_size.py": BENCHMARKS / "full_size.md",
}


def test_hours_are_seconds_times_clips() -> None:
    scale = load_benchmark("scale")
    card = scale.Stage("", "gpu", 0.36, 8, "")
    core = scale.Stage("", "core", 64 * 0.36 - scale.DECODING.seconds, 1, "")
    assert scale.hours(card, 1) == pytest.approx(100)
    assert scale.hours(card, 10) == pytest.approx(1000)
    assert scale.hours(core, 1) == pytest.approx(100)


def test_what_was_measured_stands_in_the_page_of_its_command() -> None:
    """The numbers are those of the pages: in seconds, in milliseconds, or as pairs per second."""
    scale = load_benchmark("scale")
    for stage in scale.MEASURED:
        page = PAGES[stage.command.split()[0]].read_text(encoding="utf-8")
        numbers = {float(number) for number in re.findall(r"\d+\.\d+", page)}
        forms = (stage.seconds, 1 / stage.seconds, 1000 * stage.seconds)
        assert any(abs(number - form) < 0.02 * form for form in forms for number in numbers), stage
    assert "0.043" in PAGES["long_video.py"].read_text(encoding="utf-8")  # of one second


def test_a_price_is_of_an_hour() -> None:
    scale = load_benchmark("scale")
    said = scale.table([scale.Stage("x", "gpu", 0.36, 8, "y.py")], 1, 2.5)
    assert said.splitlines()[-1] == "| x | 0.36 | one H100 | 100.0 | 8 | `y.py` | 250 |"
