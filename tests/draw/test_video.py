"""The frames of an annotated video: the image on top, the timeline of its sound beneath."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from drawings import clip, ellipse
from numpy.typing import NDArray

from zsavs.draw import overlay, palette
from zsavs.draw.video import Lane, VideoCanvas
from zsavs.errors import ContractError
from zsavs.media.audio_clip import AudioClip

SIZE = (360, 640)
PINK, AZURE = palette(2)
LANES = [
    Lane("dog 1", ((1.0, 2.0), (5.0, 6.0)), PINK, ((0.0, 8.0),)),
    Lane("dog 2", ((3.0, 4.0),), AZURE),
    Lane("rain", ((3.5, 6.5),)),
]


def canvas(size_hw: tuple[int, int] = SIZE, span_s: tuple[float, float] = (0.0, 8.0), **rest: Any) -> VideoCanvas:
    given = {"clip": clip(8.0), "lanes": LANES, **rest}
    return VideoCanvas(size_hw, given["clip"], given["lanes"], span_s)


def image(size_hw: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    return np.full((*size_hw, 3), 120, np.uint8)


def frame(drawn: VideoCanvas, time_s: float, size_hw: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    return drawn.draw(image(size_hw), time_s, np.zeros((0, *size_hw), np.bool_), [], [], [])


def columns_of(part: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.int64]:
    """The columns in which there is a colour."""
    return np.flatnonzero((part == colour).all(axis=2).any(axis=0))


def playhead(drawn: NDArray[np.uint8]) -> float:
    """The column of the playhead, which is white over much of the strip."""
    strip = drawn[SIZE[0] :]
    return float(np.flatnonzero((strip == 255).all(axis=2).mean(axis=0) > 0.5).mean())


def test_the_image_is_on_top_with_the_overlay_in_the_colours_that_were_given() -> None:
    masks = np.array([ellipse(*SIZE, 200, 200, 60, 50), ellipse(*SIZE, 450, 150, 40, 60)])
    found = (masks, ["dog 1", "dog 2"], [0.9, 0.8])
    drawn = canvas().draw(image(), 1.5, *found, [AZURE, PINK])
    np.testing.assert_array_equal(drawn[: SIZE[0]], overlay(image(), *found, None, [AZURE, PINK]))
    tint = drawn[200, 200].astype(int) - 120
    assert np.sign(tint).tolist() == np.sign(np.array(AZURE) - 120).tolist()


def test_what_does_not_sound_is_outlined_alone() -> None:
    mask = ellipse(*SIZE, 200, 200, 60, 50)[None]
    drawn = canvas().draw(image(), 1.5, mask, ["dog 1"], [0.9], [PINK], silent=[True])
    np.testing.assert_array_equal(drawn[200, 200], 120)
    assert (drawn[200, 130:150] != 120).any()


def test_the_playhead_goes_from_one_end_of_the_axis_to_the_other() -> None:
    drawn = canvas()
    places = [playhead(frame(drawn, time_s)) for time_s in (0.0, 2.0, 4.0, 8.0)]
    assert np.diff(places)[:2] == pytest.approx([places[2] - places[1]] * 2, abs=1)
    assert places[3] - places[0] == pytest.approx(4 * (places[1] - places[0]), abs=3)
    assert places[3] > 620


def test_a_bar_lies_where_its_source_sounds() -> None:
    drawn = canvas()
    at_start, strip = playhead(frame(drawn, 0.0)), frame(drawn, 7.5)[SIZE[0] :]
    per_s = (playhead(frame(drawn, 8.0)) - at_start) / 8
    blue = columns_of(strip, AZURE)
    assert blue.min() == pytest.approx(at_start + 3 * per_s, abs=3)
    assert blue.max() == pytest.approx(at_start + 4 * per_s, abs=3)
    pink = columns_of(strip, PINK)
    assert at_start + 2.1 * per_s not in pink
    assert {round(at_start + second * per_s) for second in (1.5, 5.5)} <= set(pink.tolist())


def test_a_name_is_lit_while_its_source_sounds() -> None:
    drawn = canvas()
    lit = [columns_of(frame(drawn, time_s)[SIZE[0] :, :30], PINK).size > 0 for time_s in (0.5, 1.5, 2.5, 5.5)]
    assert lit == [False, True, False, True]


def words(drawn: VideoCanvas, time_s: float, marked: list[str], silent: list[bool] | None = None) -> NDArray[np.uint8]:
    """The line of the strip that says what sounds."""
    masks = np.repeat(ellipse(*SIZE, 200, 200, 60, 50)[None], len(marked), axis=0)
    done = drawn.draw(image(), time_s, masks, marked, [0.9] * len(marked), [PINK] * len(marked), silent or [])
    return done[SIZE[0] : SIZE[0] + 20]


def test_the_strip_says_in_words_what_sounds(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    from zsavs.draw import video

    whole = video.set_line
    monkeypatch.setattr(video, "set_line", lambda text, *rest: said.append(text) or whole(text, *rest))
    drawn = canvas()
    said.clear()
    words(drawn, 0.2, [])
    assert "nothing in view is sounding" in said
    words(drawn, 1.5, ["dog 1"])
    assert "sounding: dog 1" in said
    words(drawn, 0.3, ["dog 1"], [True])
    assert said.count("nothing in view is sounding") == 1, "drawn once"
    words(drawn, 3.7, [])
    assert "heard, not in view: dog 2, rain" in said


def test_a_long_clip_has_a_window_that_moves() -> None:
    lanes = [Lane("dog", tuple((second, second + 1.0) for second in np.arange(0.5, 3600, 10.0).tolist()), PINK)]
    drawn = canvas(span_s=(0.0, 3600.0), clip=None, lanes=lanes)
    heads = [playhead(frame(drawn, time_s)) for time_s in (0.0, 10.0, 1000.0, 1003.0, 2500.0, 3600.0)]
    assert heads[0] < heads[1] < heads[2]
    assert heads[2] == pytest.approx(heads[3], abs=1) == pytest.approx(heads[4], abs=1)
    assert heads[5] > 620
    for time_s in (77.0, 1000.9, 3399.2):  # around a whole minute and within one: the bar is under the playhead's time
        strip = frame(drawn, time_s)[SIZE[0] :]
        per_s = (heads[5] - heads[0]) / 60
        pink = columns_of(strip[:, round(heads[0]) :], PINK) + round(heads[0])
        begins = pink[np.flatnonzero(np.diff(pink, prepend=-9) > 3 * per_s)]
        expected = [heads[2] + (second - time_s) * per_s for second in np.arange(0.5, 3600, 10.0)]
        assert len(begins) >= 5
        for begin in begins[1:]:
            assert np.abs(np.array(expected) - begin).min() < 4


def test_the_timeline_is_drawn_once_and_a_frame_is_quick() -> None:
    drawn = canvas()
    none = np.zeros((0, *SIZE), np.bool_)
    frame(drawn, 0.0)

    def seconds() -> float:
        start = time.perf_counter()
        for step in range(10):
            drawn.draw(image(), step / 2, none, [], [], [])
        return (time.perf_counter() - start) / 10

    assert min(seconds() for _ in range(5)) < 0.015
    assert drawn._tile.cache_info().misses == 1


@pytest.mark.parametrize("size_hw", [(360, 640), (91, 121), (33, 47), (301, 403), (640, 360), (8, 900)])
def test_sizes_are_even_and_small_images_are_enlarged(size_hw: tuple[int, int]) -> None:
    drawn = canvas(size_hw)
    done = frame(drawn, 1.0, size_hw)
    assert done.shape == (*drawn.size_hw, 3)
    assert done.shape[0] % 2 == done.shape[1] % 2 == 0
    assert done.shape[1] >= 320
    assert (done[0, 0] == 120).all()


def test_many_lanes_and_long_names_find_room() -> None:
    lanes = [Lane(f"source {number} " * 9, ((number, number + 1.0),), PINK) for number in range(40)]
    few, many = canvas(lanes=lanes[:6]), canvas(lanes=lanes)
    assert many.size_hw == few.size_hw
    assert (frame(many, 3.0) != frame(few, 3.0)).any()
    assert many.size_hw[0] < 2 * SIZE[0]


def test_no_sound_a_short_sound_and_no_lanes_are_drawn_too() -> None:
    for short in (None, clip(0.5), AudioClip(np.zeros((1, 1), np.float32), 8000)):
        frame(canvas(clip=short, lanes=[]), 4.0)
    frame(canvas(span_s=(7.9, 12.0)), 11.0)


def test_the_same_frame_gives_the_same_bytes() -> None:
    assert frame(canvas(), 2.0).tobytes() == frame(canvas(), 2.0).tobytes()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ContractError, match="span_s"):
        canvas(span_s=(2.0, 2.0))
    with pytest.raises(ContractError, match=r"\(360, 640\)"):
        frame(canvas(), 1.0, (100, 100))
    masks = np.zeros((1, *SIZE), np.bool_)
    with pytest.raises(ContractError, match="colours"):
        canvas().draw(image(), 1.0, masks, ["a"], [0.5], [PINK, AZURE])
    with pytest.raises(ContractError, match="outlined"):
        canvas().draw(image(), 1.0, masks, ["a"], [0.5], [PINK], silent=[True, False])
