"""U2-Net and DeepLab: the mask of a box by saliency and by its class, and the one where the other has nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image
from real_files import REAL, on_real_files, with_real_weights

from zsavs.errors import InputError, WeightsError
from zsavs.media.image_file import load_image
from zsavs.media.regions import touched_pixels
from zsavs.metrics.functional import jaccard
from zsavs.models.deeplab import CLASSES, DeepLabSegmenter
from zsavs.models.u2net import U2NetSegmenter
from zsavs.protocols import Segmenter
from zsavs.testing import toy
from zsavs.testing.tiny.encoders import tiny_card
from zsavs.types import AVSample, Proposals

RED, BLUE = (230, 20, 20), (20, 20, 230)


def scene(
    *things: tuple[tuple[int, int, int, int], tuple[int, int, int]], size_hw: tuple[int, int] = (120, 200)
) -> AVSample:
    """A grey image with coloured boxes."""
    image = np.full((*size_hw, 3), 128, np.uint8)
    for (x0, y0, x1, y1), colour in things:
        image[y0:y1, x0:x1] = colour
    return AVSample(image, toy.tone("red"))


def mask(sample: AVSample, colour: tuple[int, int, int]) -> np.ndarray:
    return (sample.image == np.array(colour, np.uint8)).all(axis=2)


def regions(*boxes: tuple[float, float, float, float], labels: tuple[str, ...] = ()) -> Proposals:
    count = len(boxes)
    return Proposals(
        np.array(boxes, np.float32).reshape(-1, 4), np.ones(count, np.float32), np.zeros(count, np.int64), labels=labels
    )


# --------------------------------------------------------------------------------- U2-Net
def red_is_salient(calls: list[Any] | None = None) -> U2NetSegmenter:
    def network(pixels: np.ndarray) -> np.ndarray:
        if calls is not None:
            calls.append(pixels)
        assert pixels.shape == (1, 3, 320, 320)
        return (pixels[:, :1] - pixels[:, 2:]).astype(np.float32)

    return U2NetSegmenter(network, card=tiny_card("u2net", 0))


def test_the_mask_is_what_is_salient_within_the_box() -> None:
    sample = scene(((40, 30, 90, 80), RED), ((150, 30, 190, 80), RED))
    (logits,) = red_is_salient().segment([sample], [regions((30, 20, 100, 90), (145, 25, 195, 85))])
    assert logits.shape == (2, 120, 200)
    first, second = mask(sample, RED), mask(sample, RED)
    first[:, 120:], second[:, :120] = False, False
    assert jaccard(logits[0] > 0, first) > 0.9
    assert jaccard(logits[1] > 0, second) > 0.9
    x0, y0, x1, y1 = touched_pixels(sample.image, (30, 20, 100, 90))
    outside = np.ones((120, 200), bool)
    outside[y0:y1, x0:x1] = False
    assert (logits[0][outside] < -9).all()


@pytest.mark.parametrize("box", [(-5, -5, 30, 20), (190, 110, 260, 300), (0, 0, 200, 120), (40.2, 30.1, 40.4, 30.3)])
def test_a_box_at_the_border_or_of_a_pixel_is_segmented(box: tuple[float, float, float, float]) -> None:
    sample = scene(((0, 0, 200, 60), RED))
    (logits,) = red_is_salient().segment([sample], [regions(box)])
    assert np.isfinite(logits).all()


def test_a_box_is_segmented_once_whoever_asks() -> None:
    calls: list[Any] = []
    made, sample = red_is_salient(calls), scene(((40, 30, 90, 80), RED))
    first = made.segment([sample], [regions((30, 20, 100, 90), (30, 20, 100, 90))])
    second = made.segment([sample], [regions((30, 20, 100, 90))])
    assert len(calls) == 1
    assert np.array_equal(first[0][0], second[0][0])
    assert made.segment([sample], [Proposals.nothing()])[0].shape == (0, 120, 200)


def test_an_even_image_has_no_object_and_no_nan() -> None:
    for grey in (0, 128):
        sample = AVSample(np.full((50, 60, 3), grey, np.uint8), toy.tone("red"))
        (logits,) = red_is_salient().segment([sample], [regions((5, 5, 50, 40))])
        assert np.isfinite(logits).all()
        assert not (logits > 0).any()


def test_nan_of_the_network_is_refused() -> None:
    broken = U2NetSegmenter(lambda _: np.full((1, 1, 320, 320), np.nan, np.float32), card=tiny_card("u2net", 0))
    with pytest.raises(WeightsError, match="U2-Net returned NaN"):
        broken.segment([scene()], [regions((5, 5, 50, 40))])
    with pytest.raises(InputError, match="margin"):
        U2NetSegmenter(lambda x: x, card=tiny_card("u2net", 0), margin=2)


# -------------------------------------------------------------------------------- DeepLab
def dogs_are_red(calls: list[Any] | None = None, **settings: Any) -> DeepLabSegmenter:
    """A network for which red is a dog, blue a cat, and all else background."""

    def network(pixels: np.ndarray) -> np.ndarray:
        if calls is not None:
            calls.append(pixels)
        assert pixels.shape == (1, 513, 513, 3)
        assert pixels.dtype == np.uint8
        values = pixels.astype(int)
        ids = np.zeros((1, 513, 513), np.int64)
        ids[values[..., 0] - values[..., 2] > 100] = CLASSES.index("dog")
        ids[values[..., 2] - values[..., 0] > 100] = CLASSES.index("cat")
        return ids

    return DeepLabSegmenter(network, card=tiny_card("deeplab", 0), **settings)


def test_the_mask_is_the_regions_class_within_its_box() -> None:
    sample = scene(((40, 30, 90, 80), RED), ((90, 30, 120, 80), BLUE))
    box = (35.0, 25.0, 125.0, 85.0)
    dog, cat = dogs_are_red().segment([sample], [regions(box, box, labels=("dog", "cat"))])[0]
    assert jaccard(dog > 0, mask(sample, RED)) > 0.9
    assert jaccard(cat > 0, mask(sample, BLUE)) > 0.9


def test_without_labels_it_is_the_class_that_fills_most_of_the_box() -> None:
    sample = scene(((40, 30, 90, 80), RED), ((90, 30, 120, 80), BLUE))
    (logits,) = dogs_are_red().segment([sample], [regions((35, 25, 125, 85), (85, 25, 125, 85))])
    assert jaccard(logits[0] > 0, mask(sample, RED)) > 0.9
    assert jaccard(logits[1] > 0, mask(sample, BLUE)) > 0.9


def test_regions_of_one_class_share_one_look() -> None:
    calls: list[Any] = []
    sample = scene(((10, 10, 40, 40), RED), ((60, 10, 90, 40), RED), ((150, 60, 190, 100), BLUE))
    found = regions((5, 5, 45, 45), (55, 5, 95, 45), (145, 55, 195, 105), labels=("dog", "dog", "cat"))
    made = dogs_are_red(calls)
    made.segment([sample], [found]), made.segment([sample], [found])
    assert len(calls) == 2


def test_what_it_does_not_have_or_find_is_the_others() -> None:
    asked: list[Proposals] = []

    class Other:
        def segment(self, samples: list[AVSample], proposals: list[Proposals]) -> list[np.ndarray]:
            asked.extend(proposals)
            return [np.full((len(p), *s.size_hw), 7.0, np.float32) for s, p in zip(samples, proposals, strict=True)]

    assert isinstance(Other(), Segmenter)
    sample = scene(((40, 30, 90, 80), RED))
    found = regions((35, 25, 95, 85), (35, 25, 95, 85), (100, 5, 190, 100), labels=("dog", "clock", "dog"))
    (logits,) = dogs_are_red(segmenter=Other()).segment([sample], [found])
    assert asked[0].labels == ("clock", "dog")
    assert [bool((row == 7).all()) for row in logits] == [False, True, True]
    (alone,) = dogs_are_red().segment([sample], [found])
    assert [bool((row > 0).any()) for row in alone] == [True, False, False]


def test_only_the_surest_regions_of_a_source_are_the_others() -> None:
    asked: list[Proposals] = []

    class Other:
        def segment(self, samples: list[AVSample], proposals: list[Proposals]) -> list[np.ndarray]:
            asked.extend(proposals)
            return [np.full((len(p), *s.size_hw), 7.0, np.float32) for s, p in zip(samples, proposals, strict=True)]

    boxes = np.array([[0, 0, 50, 50], [50, 0, 99, 50], [0, 50, 50, 99], [50, 50, 99, 99]], np.float32)
    scores, sources = np.array([0.9, 0.8, 0.5, 0.4], np.float32), np.array([0, 0, 0, 1])
    found = Proposals(boxes, scores, sources, labels=("clock",) * 4)
    (logits,) = dogs_are_red(segmenter=Other()).segment([scene()], [found])
    assert asked[0].scores.tolist() == pytest.approx([0.9, 0.8, 0.4])
    assert [bool((row > 0).any()) for row in logits] == [True, True, False, True]


@pytest.mark.parametrize("min_fill", [0.2, 0.3])
def test_a_class_is_found_if_it_fills_enough_of_the_box(min_fill: float) -> None:
    sample = scene(((50, 30, 75, 80), RED))  # a quarter of the box
    (logits,) = dogs_are_red(min_fill=min_fill).segment([sample], [regions((50, 30, 150, 80), labels=("dog",))])
    assert bool((logits > 0).any()) == (min_fill < 0.25)


@pytest.mark.parametrize("settings", [{"min_fill": 1.1}, {"margin": -1}, {"min_share": 2}])
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(settings))):
        dogs_are_red(**settings)


# ------------------------------------------------------------------------------------ real
@on_real_files
@pytest.mark.parametrize("made", [DeepLabSegmenter, U2NetSegmenter])
def test_the_real_ones_segment_a_dog(made: Any) -> None:
    folder = REAL / "pairs"
    best = 0.0
    for path in sorted((folder / "img").glob("*_positive_dog.jpg"))[:4]:
        image = load_image(path)
        wanted = np.asarray(Image.open(folder / "gt_seg" / f"{path.stem}.png").convert("L")) >= 128
        lines, columns = np.flatnonzero(wanted.any(axis=1)), np.flatnonzero(wanted.any(axis=0))
        box = (columns[0], lines[0], columns[-1] + 1, lines[-1] + 1)
        with with_real_weights():
            (logits,) = made.load().segment([AVSample(image, toy.tone("red"))], [regions(box, labels=("dog",))])
        best = max(best, jaccard(logits[0] > 0, wanted))
    assert best > 0.8


@on_real_files
def test_the_real_network_of_u2net_is_asked_as_the_bare_runtime() -> None:
    import onnxruntime

    sample = scene(((40, 30, 90, 80), RED))
    crop = sample.image[16:94, 23:107]  # the box with a tenth of its sides around it
    square = np.asarray(Image.fromarray(crop).resize((320, 320), Image.Resampling.BILINEAR), np.float32)
    pixels = (square / square.max() - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    bare = onnxruntime.InferenceSession(str(REAL / "weights" / "u2netp.onnx"))
    (saliency, *_) = bare.run(None, {bare.get_inputs()[0].name: pixels.transpose(2, 0, 1)[None].astype(np.float32)})
    share = (saliency[0, 0] - saliency.min()) / (saliency.max() - saliency.min())
    with with_real_weights():
        (logits,) = U2NetSegmenter.load().segment([sample], [regions((30, 23, 100, 88))])
    inside = Image.fromarray((share > 0.5).astype(np.uint8)).resize((84, 78), Image.Resampling.NEAREST)
    found = logits[0][16:94, 23:107] > 0
    assert (found[8:-8, 8:-8] == (np.asarray(inside) > 0)[8:-8, 8:-8]).mean() > 0.97
