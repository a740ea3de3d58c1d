"""The images: what may change in a frame, where labels go, what a sound looks like, and what is on the card."""

from __future__ import annotations

import itertools
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from zsavs.draw import card, mask_layer, overlay, palette
from zsavs.draw import text as text_module
from zsavs.draw.audio import audio_strip, envelope, spectrogram, time_ticks
from zsavs.draw.colours import GREY, INK, PAPER, QUIET, ink_on, spectrogram_ramp
from zsavs.draw.labels import Label, place_labels
from zsavs.draw.masks import extent
from zsavs.draw.text import set_line
from zsavs.errors import AudioError, ContractError, ImageError
from zsavs.types import AudioClip

HOSTILE = {
    "empty": "",
    "blank": " \u00a0\u3000",
    "control": "\n\t\x00\x1b[31m",
    "emoji": "dog 🐶👩‍👩‍👧",
    "right to left": "שלום עולם",
    "bidi override": "\u202edog\u202c",
    "no font": "鳥のさえずり ไทย",
    "surrogate": "dog \ud800",
    "stacked marks": "z" + "\u0301" * 200,
    "200 characters": "barking " * 25,
    "one long word": "x" * 100_000,
}


def ellipse(height: int, width: int, cx: float, cy: float, rx: float, ry: float) -> NDArray[np.bool_]:
    y, x = np.mgrid[:height, :width]
    return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1


def scene(height: int, width: int, count: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    spots = [
        ellipse(height, width, *rng.uniform(0, 1, 2) * (width, height), *rng.uniform(0.05, 0.2, 2) * (width, height))
        for _ in range(count)
    ]
    return image, np.array(spots, np.bool_).reshape(count, height, width)


def clip(seconds: float = 1.0, rate: int = 16_000, hz: float = 440.0, level: float = 0.5) -> AudioClip:
    t = np.arange(max(1, round(seconds * rate))) / rate
    return AudioClip((level * np.sin(2 * np.pi * hz * t)).astype(np.float32)[None], rate)


def silence(seconds: float = 1.0, rate: int = 16_000) -> AudioClip:
    return AudioClip(np.zeros((1, max(1, round(seconds * rate))), np.float32), rate)


def placed(masks: NDArray[np.bool_], phrases: list[str], scores: list[float]) -> list[Label]:
    return place_labels(masks, [extent(mask) for mask in masks], phrases, scores, palette(len(masks)))


def pixels_of(image: Image.Image, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(image) == colour).all(axis=-1).sum())


# Colours -------------------------------------------------------------------------------------------------------------


def test_the_palette_keeps_its_order_and_cannot_be_spoilt() -> None:
    assert palette(0) == []
    for n in (1, 5, 8, 9, 30):
        assert palette(n) == palette(40)[:n]
    palette(3).clear()
    palette(12).clear()
    assert len(palette(3)) == 3
    assert len(palette(12)) == 12
    with pytest.raises(ContractError, match="at least 0"):
        palette(-1)


def test_forty_colours_are_forty_and_none_is_grey() -> None:
    colours = palette(40)
    assert len(set(colours)) == 40
    assert all(max(colour) - min(colour) > 40 for colour in colours)


@pytest.mark.parametrize("kind", ["normal", "protanopia", "deuteranopia"])
def test_the_first_eight_colours_differ_for_colour_blind_readers(kind: str) -> None:
    # A simulation other than the one that chose them: Vienot, Brettel and Mollon 1999, on linear RGB.
    seen = {
        "normal": np.eye(3),
        "protanopia": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
        "deuteranopia": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
    }[kind]
    linear = (np.array(palette(8)) / 255) ** 2.2
    shown = 255 * np.clip(linear @ np.asarray(seen).T, 0, 1) ** (1 / 2.2)
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(shown, 2)) > 40


def test_text_stands_out_from_every_chip() -> None:
    def luminance(colour: tuple[int, int, int]) -> float:
        return float(((np.array(colour) / 255) ** 2.2) @ (0.2126, 0.7152, 0.0722))

    for colour in [*palette(40), PAPER, INK]:
        low, high = sorted([luminance(colour), luminance(ink_on(colour))])
        assert (high + 0.05) / (low + 0.05) > 4


def test_the_spectrogram_ramp_only_gets_darker() -> None:
    brightness = spectrogram_ramp().astype(float) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(brightness) <= 0.5).all()
    assert brightness[0] > 240
    assert brightness[-1] < 30


# The overlay ---------------------------------------------------------------------------------------------------------


def test_nothing_found_leaves_the_image_as_it_is() -> None:
    image, masks = scene(60, 90, 0)
    drawn = overlay(image, masks, [], [], None)
    assert drawn.mode == "RGB"
    assert drawn.size == (90, 60)
    np.testing.assert_array_equal(np.asarray(drawn), image)


def test_only_the_mask_its_contour_and_its_label_change() -> None:
    image, _ = scene(240, 320, 0)
    before = image.copy()
    mask = ellipse(240, 320, 150, 130, 60, 50)
    drawn = np.asarray(overlay(image, mask[None], ["dog"], [0.87]))
    label = placed(mask[None], ["dog"], [0.87])[0]

    may_change = ellipse(240, 320, 150, 130, 64, 54)
    x0, y0, x1, y1 = label.box
    may_change[y0:y1, x0:x1] = True
    np.testing.assert_array_equal(drawn[~may_change], image[~may_change])
    assert (drawn[mask] != image[mask]).any(axis=-1).mean() > 0.99
    assert (drawn[y0:y1, x0:x1] != image[y0:y1, x0:x1]).any()
    np.testing.assert_array_equal(image, before)


def test_the_contour_has_the_colour_of_the_mask_and_a_width_that_grows_with_the_image() -> None:
    widths = []
    for size in (200, 1600):
        image = np.full((size, size, 3), 128, np.uint8)
        mask = np.zeros((1, size, size), np.bool_)
        mask[0, size // 4 : -size // 4, size // 4 : -size // 4] = True
        row = np.asarray(overlay(image, mask, [""], []))[size // 2, : size // 2]
        widths.append(int((np.abs(row.astype(int) - palette(1)[0]).max(axis=-1) < 45).sum()))
        assert abs(int(np.abs(row.astype(int) - palette(1)[0]).max(axis=-1).argmin()) - size // 4) <= widths[-1]
    assert 1 <= widths[0] <= 3
    assert 4 <= widths[1] <= 8


def test_a_mask_one_pixel_wide_still_gets_its_colour() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    masks = np.zeros((1, 100, 100), np.bool_)
    masks[0, 50, 20:80] = True
    drawn = np.asarray(overlay(image, masks, [""], [])).astype(int)
    assert np.abs(drawn[50, 30:70] - palette(1)[0]).max() < 60


def test_overlapping_masks_blend_to_the_mean_of_their_colours_whatever_their_order() -> None:
    image = np.full((200, 200, 3), 100, np.uint8)
    masks = np.zeros((2, 200, 200), np.bool_)
    masks[0, 20:180, 20:140] = True
    masks[1, 20:180, 60:180] = True
    drawn = np.asarray(overlay(image, masks, ["", ""], [])).astype(float)
    first, second, both = drawn[100, 40], drawn[100, 160], drawn[100, 100]
    np.testing.assert_allclose(both, (first + second) / 2, atol=1)
    assert np.abs(first - second).max() > 40


def test_the_layer_over_the_image_is_the_overlay() -> None:
    image, masks = scene(200, 300, 4)
    args = (masks, ["a", "b", "c", "d"], [0.1, 0.2, 0.3, 0.4])
    layer = mask_layer(*args)
    assert (layer.mode, layer.size) == ("RGBA", (300, 200))
    assert np.asarray(layer)[..., 3].min() == 0
    base = Image.fromarray(image).convert("RGBA")
    base.alpha_composite(layer)
    difference = np.asarray(base)[..., :3].astype(int) - np.asarray(overlay(image, *args))
    assert np.abs(difference).max() <= 3


def test_a_box_is_drawn_only_where_the_mask_is_empty() -> None:
    image = np.full((100, 100, 3), 100, np.uint8)
    masks = np.zeros((2, 100, 100), np.bool_)
    masks[0, 10:40, 10:40] = True
    boxes = np.array([[5, 5, 90, 45], [20, 60, 140, 90]], np.float32)
    drawn = np.asarray(overlay(image, masks, ["", ""], [], boxes))
    np.testing.assert_array_equal(drawn[60, 50], palette(2)[1])  # its top edge
    np.testing.assert_array_equal(drawn[75, 60], (100, 100, 100))  # nothing inside
    np.testing.assert_array_equal(drawn[5, 70], (100, 100, 100))  # nothing for the box of a mask with pixels


def test_the_same_input_gives_the_same_bytes() -> None:
    image, masks = scene(150, 200, 5)
    args = (masks, ["a", "dog", "ß", "犬", "e"], [0.5, 0.5, 0.2, 0.9, 0.1])
    assert overlay(image, *args).tobytes() == overlay(image.copy(), *args).tobytes()
    first = card(image, *args, None, clip(), [("dog", 0.5)], "title").tobytes()
    text_module.set_line.cache_clear()
    text_module._font.cache_clear()
    assert card(image, *args, None, clip(), [("dog", 0.5)], "title").tobytes() == first


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"image": np.zeros((8, 9, 3), np.float32)}, ImageError, "uint8"),
        ({"image": np.zeros((8, 9), np.uint8)}, ImageError, "height, width, 3"),
        ({"image": np.zeros((0, 9, 3), np.uint8)}, ImageError, "no pixels"),
        ({"image": [[0]]}, ImageError, "list"),
        ({"masks": np.zeros((1, 8, 9), np.uint8)}, ContractError, "bool"),
        ({"masks": np.zeros((8, 9), np.bool_)}, ContractError, "N, H, W"),
        ({"masks": np.zeros((1, 9, 8), np.bool_)}, ContractError, "height and width of the image"),
        ({"phrases": "d"}, ContractError, "phrases"),
        ({"phrases": ["a", "b"]}, ContractError, "phrases"),
        ({"phrases": [None]}, ContractError, "phrases"),
        ({"scores": [0.1, 0.2]}, ContractError, "scores"),
        ({"scores": [float("nan")]}, ContractError, "scores"),
        ({"scores": ["high"]}, ContractError, "scores"),
        ({"boxes": np.zeros((2, 4))}, ContractError, "boxes_xyxy"),
        ({"clip": np.zeros((1, 16))}, AudioError, "AudioClip"),
        ({"heard": [("dog", float("inf"))]}, ContractError, "heard"),
        ({"heard": [("dog", "loud")]}, ContractError, "heard"),
        ({"heard": ["dog"]}, ContractError, "heard"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(change: dict[str, Any], error: type, says: str) -> None:
    good: dict[str, Any] = {
        "image": np.zeros((8, 9, 3), np.uint8),
        "masks": np.zeros((1, 8, 9), np.bool_),
        "phrases": ["dog"],
        "scores": [0.5],
        "boxes": None,
    }
    with pytest.raises(error, match=says) as caught:
        card(**{**good, "clip": clip(), "heard": [], **change})
    assert "\n" not in str(caught.value)
    if change.keys() <= good.keys():
        with pytest.raises(error, match=says):
            overlay(*{**good, **change}.values())


# Labels --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(855, 640), (360, 640), (64, 64), (200, 1200)])
@pytest.mark.parametrize("count", [1, 3, 8, 60])
def test_labels_stay_inside_and_never_cover_each_other(height: int, width: int, count: int) -> None:
    for seed in range(3):
        _, masks = scene(height, width, count, seed)
        phrases = [("dog", "a siren far away", "x" * 80)[i % 3] for i in range(count)]
        labels = placed(masks, phrases, np.linspace(0, 1, count).tolist())
        assert len(labels) >= min(count, 3 if height > 64 else 1)
        for label in labels:
            x0, y0, x1, y1 = label.box
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height
        for a, b in itertools.combinations([label.box for label in labels], 2):
            assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
        assert sum(label.chip[..., 3].size for label in labels) <= 0.35 * height * width


def test_labels_sit_at_their_masks_and_the_surest_is_placed_first() -> None:
    masks = np.stack([ellipse(400, 600, x, 200, 60, 80) for x in (100, 300, 500)])
    labels = placed(masks, ["a", "b", "c"], [0.2, 0.9, 0.5])
    assert [label.index for label in labels] == [1, 2, 0]
    for label in labels:
        x0, y0, x1, y1 = label.box
        assert abs((x0 + x1) / 2 - (100, 300, 500)[label.index]) < 5
        assert 100 < y1 <= 120  # just above the mask, which starts in row 120
        assert y0 > 70


def test_a_label_avoids_another_mask() -> None:
    masks = np.zeros((2, 400, 400), np.bool_)
    masks[0, 150:250, 150:250] = True
    masks[1, 40:149, 100:300] = True  # right above the first one
    label = next(label for label in placed(masks, ["dog", "cat"], [0.9, 0.1]) if label.index == 0)
    assert label.box[1] >= 250  # so it goes below


def test_type_grows_with_the_image_and_tiny_images_have_none() -> None:
    heights = []
    for size in (64, 640, 3000):
        mask = np.zeros((1, size, size), np.bool_)
        mask[0, size // 3 : size // 2, size // 3 : size // 2] = True
        heights.append(placed(mask, ["dog"], [0.87])[0].chip.shape[0])
    assert 12 <= heights[0] < heights[1] < heights[2]
    assert 3.5 < heights[2] / heights[1] < 6
    for shape in ((1, 1), (1, 5000), (5000, 1), (20, 20)):
        assert placed(np.ones((1, *shape), np.bool_), ["dog"], [0.87]) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (2, 3)])
def test_odd_shapes_are_drawn(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 90, np.uint8)
    masks = np.ones((2, *shape), np.bool_)
    masks[1, shape[0] // 2 :] = False
    drawn = overlay(image, masks, ["dog", "cat"], [0.9, 0.8], np.array([[0, 0, 1, 1], [9, 9, 9, 9]]))
    assert drawn.size == (shape[1], shape[0])
    assert (np.asarray(drawn) != image).any()
    assert 1000 <= card(image, masks, ["dog", "cat"], [], None, clip(0.01), [("dog", 1.0)]).width <= 1400


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_labels_are_drawn(name: str) -> None:
    label = HOSTILE[name]
    image, _ = scene(200, 300, 0)
    masks = ellipse(200, 300, 150, 120, 50, 40)[None]
    for scores in ([], [0.5]):
        assert overlay(image, masks, [label], scores).size == (300, 200)
    page = np.asarray(card(image, masks, [label], [0.5], None, clip(), [(label, 0.5)], title=label))
    for edge in (page[:30], page[-40:], page[:, :40], page[:, -40:]):  # nothing runs into the margins
        assert (edge == PAPER).all()


def test_a_long_phrase_is_cut_and_keeps_its_score_and_no_word_leaves_no_chip() -> None:
    masks = ellipse(400, 600, 300, 200, 90, 90)[None]
    (long,) = placed(masks, ["barking " * 25], [0.87])
    assert 0.3 * 600 < long.chip.shape[1] < 0.55 * 600
    assert placed(masks, [""], []) == []
    assert placed(masks, ["\n\u200b"], []) == []
    (score_only,) = placed(masks, [""], [0.87])
    (short,) = placed(masks, ["dog"], [0.87])
    assert score_only.chip.shape[1] < short.chip.shape[1]


# Text ----------------------------------------------------------------------------------------------------------------


def test_a_line_is_cut_to_the_longest_start_that_fits() -> None:
    whole = set_line("the quick brown fox", 20)
    assert set_line("the quick brown fox", 20, whole.width) == whole
    cut = set_line("the quick brown fox", 20, whole.width - 1)
    assert cut.text.endswith("…")
    assert "the quick brown f".startswith(cut.text[:-1])
    for room in range(0, whole.width, 7):
        assert set_line("the quick brown fox", 20, room).width <= room
    assert set_line("the quick brown fox", 20, 3).text == ""


def test_without_system_typefaces_the_rest_is_spelled_or_questioned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "_names", lambda: ("",))
    set_line.cache_clear()
    try:
        assert set_line("café ½", 20).text == "cafe 1"
        assert set_line("犬犬 dog 🐶", 20).text == "? dog ?"
        assert set_line("dog-0.87_Hz", 20).text == "dog-0.87_Hz"
    finally:
        set_line.cache_clear()


def test_a_line_draws_at_its_baseline_within_its_width() -> None:
    page = Image.new("RGB", (200, 80), PAPER)
    line = set_line("HHH", 30)
    line.draw(page, 50, 60, INK)
    rows, columns = np.nonzero((np.asarray(page) < 128).all(axis=-1))
    assert (rows.min(), rows.max()) == (60 - 20, 60 - 1)
    assert 50 <= columns.min() <= 55
    assert 50 + line.width - 6 <= columns.max() < 50 + line.width


# Sound ---------------------------------------------------------------------------------------------------------------


def test_the_envelope_misses_no_click_and_follows_short_sounds() -> None:
    wave = np.zeros((2, 1_000_000), np.float32)
    wave[:, 700_001] = -0.8
    low, high = envelope(AudioClip(wave, 48_000), 500)
    assert low.argmin() == 350
    assert low.min() == pytest.approx(-0.8)
    assert high.max() == 0
    assert np.count_nonzero(low) == 1
    low, high = envelope(AudioClip(np.array([[0.0, 1.0]], np.float32), 10), 100)
    assert (low <= high).all()
    assert (low[0], high[-1]) == (0, 1)
    np.testing.assert_allclose(low[30:70], np.arange(30, 70) / 50 - 0.5, atol=0.03)


@pytest.mark.parametrize("hz", [300.0, 1000.0, 6000.0])
def test_a_tone_lies_in_the_row_of_its_frequency(hz: float) -> None:
    level = spectrogram(clip(1.0, 32_000, hz), 100, 160)
    assert level.shape == (160, 100)
    mel = 2595 * np.log10(1 + np.array([hz, 16_000]) / 700)
    expected = 160 * (1 - mel[0] / mel[1])
    assert abs(level[:, 50].argmax() + 0.5 - expected) <= 2
    assert level.max() == 1
    assert np.median(level) < 0.2


def test_a_burst_lies_in_the_column_of_its_time() -> None:
    wave = np.zeros((1, 160_000), np.float32)
    wave[0, 40_000:41_600] = np.random.default_rng(0).normal(0, 0.1, 1600)
    level = spectrogram(AudioClip(wave, 16_000), 400, 60).mean(axis=0)
    assert set(np.flatnonzero(level > 0.3)) <= set(range(98, 107))
    assert level[101] > 0.5


def test_silence_is_pale_and_a_whisper_is_not_shown_as_a_shout() -> None:
    assert spectrogram(silence(), 50, 40).max() == 0
    assert spectrogram(clip(level=1e-4), 50, 40).max() < 0.7
    assert spectrogram(clip(level=0.5), 50, 40).max() == 1
    quiet = np.asarray(audio_strip(clip(level=1e-4), 300, 200, 16))[:50]
    loud = np.asarray(audio_strip(clip(level=0.5), 300, 200, 16))[:50]
    assert (quiet < 200).any(axis=-1).sum() < 0.2 * (loud < 200).any(axis=-1).sum()


@pytest.mark.parametrize("duration", [2e-5, 0.01, 0.999, 1.0, 2.61, 5.0, 59.0, 600.0, 1e7])
def test_ticks_are_round_few_and_inside(duration: float) -> None:
    ticks = time_ticks(duration, 8)
    assert 2 <= len(ticks) <= 9
    assert ticks[0] == (0, "0")
    assert ticks[-1][0] <= duration * (1 + 1e-9)
    for seconds, label in ticks:
        assert float(label) == pytest.approx(seconds)
    assert len({label for _, label in ticks}) == len(ticks)


@pytest.mark.parametrize(
    "sound",
    [
        silence(),
        silence(1 / 16_000),
        clip(0.01),
        clip(0.01, 44_100),
        AudioClip(np.ones((1, 5), np.float32), 1),
        AudioClip(np.full((1, 9), 50.0, np.float32), 8_000_000),
        AudioClip(np.random.default_rng(0).normal(0, 1, (256, 300)).astype(np.float32), 8000),
    ],
    ids=str,
)
def test_odd_sounds_are_drawn(sound: AudioClip) -> None:
    image = audio_strip(sound, 500, 220, 16)
    assert (image.mode, image.size) == ("RGB", (500, 220))
    assert pixels_of(image, QUIET) > 10  # the ticks of the axis


def test_ten_minutes_take_bounded_time_and_memory() -> None:
    rng = np.random.default_rng(0)
    wave = np.tile(rng.normal(0, 0.1, (2, 441_000)).astype(np.float32), 60)
    long = AudioClip(wave, 44_100)
    start = time.perf_counter()
    tracemalloc.start()
    try:
        audio_strip(long, 1200, 270, 17)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - start < 10
    assert peak < wave.nbytes / 4, f"{peak / 1e6:.0f} MB for a recording of {wave.nbytes / 1e6:.0f} MB"


# The card ------------------------------------------------------------------------------------------------------------


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
    assert len(np.unique(frame.reshape(-1, 3), axis=0)) == len(np.unique(small.reshape(-1, 3), axis=0))


def test_a_speck_is_still_seen_on_the_card() -> None:
    image = np.full((2000, 3000, 3), 128, np.uint8)
    masks = np.zeros((1, 2000, 3000), np.bool_)
    masks[0, 1000, 1500] = True
    page = np.asarray(card(image, masks, [""], [], None, silence(), []))[48 : 48 + 720]
    assert (page[:, 60:1000] != 128).any()


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
