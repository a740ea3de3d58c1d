"""When each source sounds, as bars: where they lie, what they are called, and what is too much or too short."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import pixels_of
from PIL import Image

from zsavs.draw import palette
from zsavs.draw.audio import audio_strip
from zsavs.draw.colours import GREY, INK, PAPER, TRACK, Rgb
from zsavs.draw.times import SourceTimes, bars_height, draw_bars
from zsavs.types import AudioClip

PINK, AZURE = palette(2)


def drawn(sources: list[SourceTimes], duration_s: float, width: int = 600) -> Image.Image:
    image = Image.new("RGB", (width, max(1, bars_height(len(sources), 16))), PAPER)
    draw_bars(image, 0, sources, duration_s, 16)
    return image


def columns(image: Image.Image, colour: Rgb) -> list[int]:
    """The columns that are of a colour in the lower part of the first line, beneath its label."""
    row = np.asarray(image)[18]
    return np.flatnonzero((row == colour).all(axis=-1)).tolist()


@pytest.mark.parametrize("duration_s", [4.0, 20.0, 120.0, 3600.0])
def test_a_bar_lies_where_the_source_sounds(duration_s: float) -> None:
    image = drawn([SourceTimes("dog", [(duration_s / 4, duration_s / 2)], [PINK])], duration_s)
    found = columns(image, PINK)
    assert abs(found[0] - 150) <= 1
    assert abs(found[-1] - 299) <= 1
    assert columns(image, TRACK)


def test_a_second_in_an_hour_is_still_seen_and_nothing_leaves_the_strip() -> None:
    assert len(columns(drawn([SourceTimes("", [(1800, 1801)], [PINK])], 3600), PINK)) >= 2
    at_the_end = columns(drawn([SourceTimes("", [(3599.9, 3600)], [PINK])], 3600), PINK)
    assert at_the_end
    assert at_the_end[-1] >= 597
    assert columns(drawn([SourceTimes("", [(5, 500)], [PINK])], 10), PINK)[-1] >= 598


def test_each_source_has_its_colours_and_grey_without_any() -> None:
    image = drawn([SourceTimes("", [(0, 4)], [PINK, AZURE]), SourceTimes("", [(0, 4)])], 4)
    counts = [pixels_of(image, colour) for colour in (PINK, AZURE, GREY)]
    assert counts[0] == pytest.approx(counts[1], rel=0.15)
    assert counts[2] == pytest.approx(counts[0] + counts[1], rel=0.1)


@pytest.mark.parametrize(
    "spans",
    [[(0, 4)], [(1, 1.1)], [(3.9, 4)], [(k / 10, k / 10 + 0.05) for k in range(40)]],
    ids=["in the bar", "behind it", "before it", "over bars"],
)
def test_the_label_is_written_wherever_the_bars_lie(spans: list[tuple[float, float]]) -> None:
    with_label = drawn([SourceTimes("siren", spans, [AZURE])], 4)
    without = drawn([SourceTimes("", spans, [AZURE])], 4)
    assert pixels_of(with_label, INK) > 20
    assert pixels_of(without, INK) == 0
    assert columns(with_label, AZURE) == columns(without, AZURE), "no bar is hidden by its label"


def test_more_sources_than_there_is_room_for_are_counted() -> None:
    many = [SourceTimes(str(k), [(0, 1)], [PINK]) for k in range(30)]
    assert bars_height(30, 16) == bars_height(6, 16) > bars_height(5, 16) > bars_height(0, 16) == 0
    assert pixels_of(drawn(many, 1), PINK) < 6 * pixels_of(drawn(many[:1], 1), PINK)


def test_the_strip_grows_by_its_bars_and_stays_the_same_around_them() -> None:
    clip = AudioClip(np.random.default_rng(0).normal(0, 0.1, (1, 32_000)).astype(np.float32), 16_000)
    plain = np.asarray(audio_strip(clip, 500, 220, 16))
    timed = np.asarray(audio_strip(clip, 500, 220, 16, [SourceTimes("dog", [(0, 1)], [PINK])]))
    assert len(timed) > len(plain)
    wave, rest = 40, 140
    np.testing.assert_array_equal(timed[:wave], plain[:wave])
    np.testing.assert_array_equal(timed[-rest:], plain[-rest:])
