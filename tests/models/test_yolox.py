"""YOLOX: a closed list asked by name, plural, synonym and kind; boxes where the network puts them."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from PIL import Image
from real_files import REAL, on_real_files, with_real_weights

from zsavs.errors import InputError, WeightsError
from zsavs.media.image_file import load_image
from zsavs.models.yolox import YoloxCaptioner, YoloxEncoder, YoloxGrounder
from zsavs.protocols import Captioner, Grounder, ImageTextEncoder
from zsavs.testing import toy
from zsavs.testing.tiny.encoders import tiny_card
from zsavs.testing.tiny.files import tiny_yolox
from zsavs.types import AVSample, Query

CARD = tiny_card("yolox", 0)


def query(*phrases: str) -> Query:
    return Query(phrases, np.full(len(phrases), 0.9, np.float32))


def sample(height: int = 208, width: int = 416) -> AVSample:
    return AVSample(np.zeros((height, width, 3), np.uint8), toy.tone("red"))


def seeing(*things: tuple[str, float, tuple[float, float, float, float]]) -> Any:
    """A network that sees things: a class, its score, and its box in pixels of the square of 416."""
    classes = tiny_yolox().classes

    def network(pixels: np.ndarray) -> np.ndarray:
        assert pixels.shape == (1, 3, 416, 416)
        assert pixels.dtype == np.float32
        cells = np.full((1, 3549, 85), 0.0, np.float32)
        cells[..., 2:4] = -5
        for row, (name, score, (x0, y0, x1, y1)) in enumerate(things):
            # In the row'th cell of the first grid, of 52 by 52 cells of 8 pixels.
            centre = np.array([x0 + x1, y0 + y1]) / 2
            cells[0, row, :2] = centre / 8 - [row % 52, row // 52]
            cells[0, row, 2:4] = np.log(np.array([x1 - x0, y1 - y0]) / 8)
            cells[0, row, 4] = 1.0
            cells[0, row, 4 + classes.index(name)] = score
        return cells

    return network


def grounder(*things: Any, **settings: Any) -> YoloxGrounder:
    return YoloxGrounder(seeing(*things), card=CARD, **settings)


DOG = ("dog", 0.8, (40.0, 60.0, 140.0, 160.0))
CAT = ("cat", 0.6, (200.0, 20.0, 280.0, 120.0))
PERSON = ("person", 0.9, (300.0, 10.0, 400.0, 200.0))


# ---------------------------------------------------------------------------------- boxes
def test_boxes_come_back_to_the_pixels_of_the_image() -> None:
    (found,) = grounder(DOG, CAT).ground([sample()], [query("dog", "cat")])
    assert found.boxes_xyxy == pytest.approx(np.array([DOG[2], CAT[2]]), abs=0.01)
    assert found.scores == pytest.approx([0.8, 0.6])
    assert found.sources.tolist() == [0, 1]
    assert found.labels == ("dog", "cat")


@pytest.mark.parametrize(("size_hw", "scale"), [((416, 832), 2.0), ((832, 416), 2.0), ((104, 104), 0.25)])
def test_an_image_of_any_size_is_scaled_to_fit_at_the_top_left(size_hw: tuple[int, int], scale: float) -> None:
    box = (8.0, 16.0, 88.0, 96.0)
    (found,) = grounder(("dog", 0.8, box)).ground([sample(*size_hw)], [query("dog")])
    wanted = np.clip(np.array(box) * scale, 0, [size_hw[1], size_hw[0]] * 2)
    assert found.boxes_xyxy[0] == pytest.approx(wanted, abs=0.05)


def test_the_network_is_given_blue_green_red_on_grey() -> None:
    given: list[np.ndarray] = []

    def network(pixels: np.ndarray) -> np.ndarray:
        given.append(pixels)
        return np.zeros((1, 3549, 85), np.float32)

    image = np.zeros((208, 416, 3), np.uint8)
    image[..., 0] = 200
    YoloxGrounder(network, card=CARD).ground([AVSample(image, toy.tone("red"))], [query("dog")])
    (pixels,) = given[0]
    assert pixels[:, 100, 100].tolist() == [0, 0, 200]
    assert pixels[:, 300, 100].tolist() == [114, 114, 114]


def test_a_weak_box_and_the_worse_of_two_on_one_thing_are_left_out() -> None:
    again = ("dog", 0.5, (44.0, 60.0, 144.0, 160.0))
    weak = ("dog", 0.2, (300.0, 60.0, 380.0, 160.0))
    (found,) = grounder(DOG, again, weak).ground([sample()], [query("dog")])
    assert found.scores == pytest.approx([0.8])
    (found,) = grounder(DOG, again, weak, threshold=0.1, nms_iou=0.95).ground([sample()], [query("dog")])
    assert found.scores == pytest.approx([0.8, 0.5, 0.2])
    (found,) = grounder(DOG, again, weak, threshold=0.1, max_boxes=1).ground([sample()], [query("dog")])
    assert found.scores == pytest.approx([0.8])


# -------------------------------------------------------------------------------- phrases
@pytest.mark.parametrize(
    ("phrase", "names"),
    [
        ("dog", ["dog"]),
        ("Dogs", ["dog"]),
        ("puppy", ["dog"]),
        ("barking dog", ["dog"]),
        ("people", ["person"]),
        ("baby", ["person"]),
        ("crow", ["bird"]),
        ("race car", ["car"]),
        ("alarm clock", ["clock"]),
        ("computer keyboard", ["keyboard"]),
        ("electronic keyboard", []),
        ("mouse", []),
        ("violin", []),
        ("", []),
    ],
)
def test_a_phrase_finds_its_class(phrase: str, names: list[str]) -> None:
    made = grounder()
    assert [made.classes[i] for i in made.class_ids(phrase)] == names


def test_a_general_phrase_asks_for_its_kinds() -> None:
    made = grounder(DOG, CAT, PERSON)
    (found,) = made.ground([sample()], [query("animal", "person")])
    assert found.labels == ("person", "dog", "cat")
    assert found.sources.tolist() == [1, 0, 0]
    assert {"car", "bus", "train", "motorcycle", "truck"} <= {made.classes[i] for i in made.class_ids("vehicle")}


def test_what_cannot_be_asked_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    made = grounder(DOG)
    with caplog.at_level(logging.WARNING):
        (found,) = made.ground([sample()], [query("violin", "dog")])
        made.ground([sample()], [query("violin")])
    assert found.sources.tolist() == [1]
    assert caplog.text.count("violin") == 1


def test_an_image_is_looked_at_once_whatever_is_asked_of_whom() -> None:
    calls = []
    inner = seeing(DOG, CAT)

    def network(pixels: np.ndarray) -> np.ndarray:
        calls.append(pixels)
        return np.asarray(inner(pixels))

    one = sample()
    made = YoloxGrounder(network, card=CARD)
    made.ground([one], [query("dog")]), made.ground([one], [query("cat")])
    YoloxEncoder(network, card=CARD).encode_image([one.image])
    YoloxCaptioner(network, card=CARD).caption([one.image])
    assert len(calls) == 1


def test_an_image_that_nothing_is_asked_of_is_not_looked_at() -> None:
    calls = []

    def network(pixels: np.ndarray) -> np.ndarray:
        calls.append(pixels)
        return np.asarray(seeing(DOG)(pixels))

    asked = [query(), query("violin"), query("dog")]
    found = YoloxGrounder(network, card=CARD).ground([sample(), sample(), sample()], asked)
    assert [len(each) for each in found] == [0, 0, 1]
    assert len(calls) == 1


@pytest.mark.parametrize("settings", [{"threshold": 1.5}, {"nms_iou": -0.1}, {"max_boxes": 0}])
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(settings))):
        grounder(**settings)


def test_nan_is_refused() -> None:
    made = YoloxGrounder(lambda _: np.full((1, 3549, 85), np.nan, np.float32), card=CARD)
    with pytest.raises(WeightsError, match="NaN"):
        made.ground([sample()], [query("dog")])


# -------------------------------------------------------------------- encoder and captioner
def test_an_image_is_like_the_phrases_of_what_is_seen() -> None:
    encoder = YoloxEncoder(seeing(DOG), card=CARD)
    assert isinstance(encoder, ImageTextEncoder)
    assert isinstance(grounder(), Grounder)
    dog, photo, cat, nonsense = (
        encoder.encode_text(["dog", "a photo of a dog.", "cat", "qwxyz"]) @ (encoder.encode_image([sample().image])[0])
    )
    assert dog == pytest.approx(photo)
    assert dog > 0.9 > 0.4 > nonsense > cat == 0


def test_the_caption_names_what_is_seen_the_surest_first() -> None:
    captioner = YoloxCaptioner(seeing(CAT, DOG, ("car", 0.2, (0.0, 0.0, 50.0, 50.0))), card=CARD)
    assert isinstance(captioner, Captioner)
    assert captioner.caption([sample().image]) == ["a dog, a cat"]
    assert YoloxCaptioner(seeing(), card=CARD).caption([sample().image]) == [""]


# ------------------------------------------------------------------------------------ real
@on_real_files
def test_the_real_one_gives_what_the_bare_runtime_gives() -> None:
    import onnxruntime

    path = next((REAL / "pairs" / "img").glob("*_positive_dog.jpg"))
    image = load_image(path)
    height, width = image.shape[:2]
    scale = min(416 / height, 416 / width)
    canvas = np.full((416, 416, 3), 114, np.uint8)
    small = Image.fromarray(image).resize((round(width * scale), round(height * scale)), Image.Resampling.BILINEAR)
    canvas[: small.height, : small.width] = np.asarray(small)
    bare = onnxruntime.InferenceSession(str(REAL / "weights" / "yolox_nano.onnx"))
    cells = bare.run(None, {"images": canvas[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32)})[0][0]
    with with_real_weights():
        ((boxes, scores),) = YoloxGrounder.load().candidates([image])
    assert scores == pytest.approx(cells[:, 4:5] * cells[:, 5:], abs=1e-4)
    # The first grid: 52 by 52 cells, 8 pixels apart.
    rows = np.arange(52 * 52)
    assert (boxes[rows, 0] + boxes[rows, 2]) / 2 == pytest.approx(
        (cells[rows, 0] + rows % 52) * 8 * width / small.width, abs=0.5
    )
    assert boxes[rows, 3] - boxes[rows, 1] == pytest.approx(
        np.exp(cells[rows, 3]) * 8 * height / small.height, rel=1e-3
    )
