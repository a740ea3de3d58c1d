"""The card: frame, audio and what was heard on one page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from drawings import clip, pixels_of, scene, silence

from zsavs.draw import card, palette
from zsavs.draw import text as text_module
from zsavs.draw.colours import GREY
from zsavs.errors import ContractError


@pytest.mark.parametrize(("height", "width"), [(360, 640), (855, 640), (480, 640), (64, 64), (500, 640), (1200, 4000)])
def test_a_card_is_as_wide_as_a_slide_whatever_the_frame(height: int, width: int) -> None:
    image, masks = scene(height, width, 2)
    page = card(image, masks, ["dog", "cat"], [0.9, 0.5], None, clip(), [("dog", 0.9)], "title")
    assert page.mode == "RGB"
    assert 1000 <= page.width <= 1400
    assert 400 <= page.height <= 1300


def test_the_frame_on_a_card_is_the_image() -> None:
    image, _ = scene(720, 1280, 0)
    page = card(image, np.zeros((0, 720, 1280), np.bool_), [], [], None, silence(), [])
    np.testing.assert_array_equal(np.asarray(page)[48 : 48 + 720, 48 : 48 + 1280], image)
    small, _ = scene(8, 8, 0)  # enlarged a hundredfold: squares, no new colours
    page = card(small, np.zeros((0, 8, 8), np.bool_), [], [], None, silence(), [])
    frame = np.asarray(page)[48 : 48 + 760, 48 : 48 + 760]
    np.testing.assert_array_equal(frame[47::95, 47::95], small)
    colours = [np.unique(square @ np.array([256**2, 256, 1])) for square in (frame, small)]
    np.testing.assert_array_equal(*colours)


def test_a_speck_is_still_seen_on_the_card() -> None:
    image = np.full((2000, 3000, 3), 128, np.uint8)
    masks = np.zeros((1, 2000, 3000), np.bool_)
    masks[0, 1000, 1500] = True
    page = np.asarray(card(image, masks, [""], [], None, silence(), []))[48 : 48 + 720]
    assert (page[:, 60:1000] != 128).any()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every line of text that is set on a card."""
    lines: list[str] = []
    original = text_module.Line.draw

    def draw(self: text_module.Line, *args: Any) -> None:
        lines.append(self.text)
        original(self, *args)

    monkeypatch.setattr(text_module.Line, "draw", draw)
    return lines


def test_the_card_says_so_when_nothing_in_view_sounds(written: list[str]) -> None:
    image, none = scene(90, 160, 0)
    card(image, none, [], [], None, silence(), [])
    assert "nothing in view is sounding" in written
    written.clear()
    card(image, none, [], [], None, silence(), [("siren", 0.4)])
    assert {"nothing in view is sounding", "siren", "0.40"} <= set(written)
    written.clear()
    card(image, np.ones((1, 90, 160), np.bool_), ["dog"], [0.5], None, clip(), [("dog", 0.4)])
    assert "nothing in view is sounding" not in written
    written.clear()
    card(image, np.ones((1, 90, 160), np.bool_), ["dog"], [0.5], None, clip(), [])
    assert "no sound was named" in written


def test_bars_have_the_colours_of_the_masks_and_grey_without_one() -> None:
    image = np.zeros((720, 1280, 3), np.uint8)
    masks = np.zeros((3, 720, 1280), np.bool_)  # nothing of it in the frame: every coloured pixel is a bar's
    first, second, third = palette(3)

    def bars(*heard: tuple[str, float]) -> list[int]:
        page = card(image, masks, ["dog", "Dog", "car"], [0.9, 0.8, 0.7], None, silence(), heard)
        return [pixels_of(page, colour) for colour in (first, second, third, GREY)]

    assert bars()[:3] == [0, 0, 0]
    dog = bars((" DOG ", 0.5))
    assert dog[0] > 500  # both masks of that name, half the bar each
    assert 0.6 < dog[0] / dog[1] < 1.7
    assert dog[2:] == [0, 0]
    full, half = bars(("car", 1.0))[2], bars(("car", 0.5))[2]
    assert full > 0
    assert half / full == pytest.approx(0.5, abs=0.02)
    assert bars(("siren", 0.5))[3] > 1000
    assert bars(("car", 7.0))[2] == full  # no bar is longer than its track


def test_times_are_bars_under_the_waveform_in_the_colours_of_the_masks(written: list[str]) -> None:
    image = np.zeros((720, 1280, 3), np.uint8)
    masks = np.zeros((2, 720, 1280), np.bool_)
    first, second = palette(2)
    heard = [("car", 0.2), ("dog", 0.9), ("siren", 0.1)]

    def drawn(times: Any, **changes: Any) -> Any:
        return card(image, masks, ["dog", "car"], [0.9, 0.8], None, silence(20), heard, times=times, **changes)

    plain, timed = drawn(None), drawn([[(5, 15)], [(0, 20)], []])
    assert plain.size == drawn([(), (), ()]).size
    assert timed.height > plain.height
    more = {colour: pixels_of(timed, colour) - pixels_of(plain, colour) for colour in (first, second, GREY)}
    assert more[first] > 1.5 * more[second] > 1000  # the dog sounds for twice as long
    assert more[GREY] == 0, "of the siren it is not known when"
    array = np.asarray(timed)
    rows, columns = np.nonzero((array == second).all(axis=-1))
    lowest = rows.max()
    bar = columns[rows == lowest - 8]
    strip = round(0.64 * 1280)
    assert abs(bar.min() - 48 - strip / 4) <= 3
    assert abs(bar.max() - 48 - 3 * strip / 4) <= 3
    written.clear()
    drawn([[(5, 15)], [(0, 20)], []])
    assert [word for word in written if word in ("dog", "car", "siren")] == ["dog", "car", "dog", "car", "siren"]


def test_a_tall_card_has_room_for_times(written: list[str]) -> None:
    image, masks = scene(855, 640, 1)
    heard = [(f"sound {i}", 1 - i / 10) for i in range(9)]
    page = card(image, masks, ["sound 0"], [0.9], None, clip(), heard, times=[[(0, 0.5)]] * 9)
    assert "and 4 more" in written
    assert page.height <= 1300


@pytest.mark.parametrize("times", [[[(0, 1)]], [[(0, 1)], 3], [[(1, 0)], []], [[(0, float("nan"))], []], [["a"], []]])
def test_times_that_are_none_are_refused(times: Any) -> None:
    image, none = scene(90, 160, 0)
    with pytest.raises(ContractError, match="times: expected"):
        card(image, none, [], [], None, silence(), [("dog", 0.9), ("cat", 0.1)], times=times)


def test_heard_is_listed_heaviest_first_and_the_rest_is_counted(written: list[str]) -> None:
    image, none = scene(90, 160, 0)
    card(image, none, [], [], None, silence(), [(f"sound {i:02d}", i / 40) for i in range(40)])
    listed = [line for line in written if line.startswith("sound ")]
    assert listed[:3] == ["sound 39", "sound 38", "sound 37"]
    assert f"and {40 - len(listed)} more" in written


def test_the_title_is_written_and_costs_no_room_when_empty(written: list[str]) -> None:
    image, none = scene(90, 160, 0)
    tall = card(image, none, [], [], None, silence(), [], title="a dog barks")
    assert "a dog barks" in written
    assert tall.height > card(image, none, [], [], None, silence(), []).height
