"""YOLO, CVAT and Label Studio, read back by small readers of the documented forms, written for this test alone.

Label Studio's own decoder reads its masks too, where ``label_studio_sdk`` is installed.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from exported import answer, masks_with_everything, video
from matplotlib.path import Path as Outline
from numpy.typing import NDArray
from PIL import Image

import zsavs
from zsavs.formats.items import items_of
from zsavs.formats.label_studio import packed
from zsavs.formats.yolo import polygon
from zsavs.result import AVSResult


def odd_masks() -> list[NDArray[np.bool_]]:
    """Those of every shape, full and single ones, lines, and noise, which has the most holes and corners."""
    noise = np.random.default_rng(3)
    one = np.zeros((5, 7), np.bool_)
    one[2, 3] = True
    masks = [*masks_with_everything(), np.ones((5, 7), np.bool_), one, np.ones((1, 1), np.bool_), one.any(0)[None]]
    return masks + [noise.random((int(h), int(w))) < 0.5 for h, w in noise.integers(1, 24, (40, 2))]


# ------------------------------------------------------------------------------------ YOLO
def filled(points: NDArray[np.float64], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels whose centres lie within, by matplotlib's even-odd rule."""
    ys, xs = np.mgrid[: size_hw[0], : size_hw[1]]
    centres = np.stack([xs.ravel(), ys.ravel()], axis=1) + 0.5
    inside: NDArray[np.bool_] = Outline(points).contains_points(centres).reshape(size_hw)
    return inside


@pytest.mark.parametrize("number", range(len(odd_masks())))
def test_a_polygon_holds_the_centres_of_the_masks_pixels(number: int) -> None:
    mask = odd_masks()[number]
    assert np.array_equal(filled(polygon(mask), mask.shape), mask)


def test_a_straight_edge_has_no_points_between_its_ends() -> None:
    """Eight and the first again: the corners of pixels are cut, halfway along their edges."""
    assert len(polygon(np.ones((50, 70), np.bool_))) == 9


def test_yolo(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = [tmp_path / "a" / "dog.png", tmp_path / "b" / "dog.png"]
    for level, file in enumerate(files):
        file.parent.mkdir()
        Image.new("RGB", (31, 23), (level, 0, 0)).save(file)
    results = [*(answer(str(file)) for file in files), AVSResult.nothing((4, 6)), answer(str(tmp_path / "gone.jpg"))]
    with caplog.at_level(logging.WARNING):
        path, *_ = zsavs.export(results, "yolo", tmp_path / "out", categories=["a <b> & c", "cat", "dog", "собака 犬"])
    assert "2 images are lacking beside their labels" in caplog.text
    names = yaml.safe_load(path.read_text(encoding="utf-8"))["names"]
    assert names == {0: "a <b> & c", 1: "cat", 2: "dog", 3: "собака 犬"}
    labels = tmp_path / "out" / "labels" / "train"
    assert sorted(file.name for file in labels.iterdir()) == ["000002.txt", "dog-2.txt", "dog.txt", "gone.txt"]
    assert (labels / "000002.txt").read_text() == "", "an image without objects is an example too"
    for file, name in zip(files, ("dog", "dog-2"), strict=True):
        assert (tmp_path / "out" / "images" / "train" / f"{name}.png").read_bytes() == file.read_bytes()
        rows = [line.split() for line in (labels / f"{name}.txt").read_text().splitlines()]
        assert [names[int(row[0])] for row in rows] == list(results[0].phrases)
        for row, mask in zip(rows, results[0].masks, strict=True):
            corners = np.array(row[1:], float).reshape(-1, 2)
            assert ((corners >= 0) & (corners <= 1)).all()
            assert np.array_equal(filled(corners * (31, 23), mask.shape), mask)


# ------------------------------------------------------------------------------------ CVAT
def cvat_mask(row: ElementTree.Element, size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Runs through the box, row by row, beginning with the background."""
    left, top, width, height = (int(row.attrib[name]) for name in ("left", "top", "width", "height"))
    counts = [int(count) for count in row.attrib["rle"].split(", ")]
    flat = [place % 2 == 1 for place, count in enumerate(counts) for _ in range(count)]
    mask = np.zeros(size_hw, np.bool_)
    mask[top : top + height, left : left + width] = np.array(flat).reshape(height, width)
    return mask


def test_cvat(tmp_path: Path) -> None:
    results = [answer("/data/a/dog.jpg"), answer("/data/b/dog.jpg", phrases=("cat",)), AVSResult.nothing((4, 6))]
    (path,) = zsavs.export([*results, video("/data/two.mp4")], "cvat", tmp_path)
    root = ElementTree.parse(path).getroot()
    assert root.findtext("version") == "1.1"
    assert [row.findtext("name") for row in root.iter("label")] == ["a <b> & c", "cat", "dog", "собака 犬"]
    images = root.findall("image")
    assert [int(row.attrib["id"]) for row in images] == list(range(9))
    assert images[0].attrib == {"id": "0", "name": "a/dog.jpg", "width": "31", "height": "23"}
    for row, result in zip(images, [*results, *video("two.mp4")], strict=True):
        assert len(row) == len(result)
        for one, mask, phrase in zip(reversed(row), result.masks, result.phrases, strict=True):
            assert one.attrib["label"] == phrase
            assert np.array_equal(cvat_mask(one, result.score_map.shape), mask)
        assert [int(one.attrib["z_order"]) for one in row] == list(range(len(result))), "the surest in front"


ODD = ("bell\x07", "\udcff dog", '😀 "\\: - #', " yes")


def test_labels_may_be_odd(tmp_path: Path) -> None:
    """What XML has no way to write is _ there."""
    result = answer(phrases=ODD)
    (path,) = zsavs.export(result, "cvat", tmp_path)
    wanted = ["bell_", "_ dog", *ODD[2:]]
    assert [row.attrib["label"] for row in reversed(list(ElementTree.parse(path).iter("mask")))] == wanted
    path, config = zsavs.export(result, "label_studio", tmp_path)
    (prediction,) = json.loads(path.read_text())[0]["predictions"]
    assert [region["value"]["brushlabels"] for region in prediction["result"]] == [[label] for label in wanted]
    assert {row.attrib["value"] for row in ElementTree.parse(config).iter("Label")} == set(wanted)
    path, *_ = zsavs.export(result, "yolo", tmp_path)
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["names"] == dict(enumerate(sorted(ODD)))
    path, *_ = zsavs.export(AVSResult.nothing((2, 3)), "yolo", tmp_path)
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["names"] == {}
    for form in ("coco", "png", "davis"):
        path, *_ = zsavs.export(result, form, tmp_path)
        assert json.loads(path.read_text())


# ---------------------------------------------------------------------------- Label Studio
def label_studio_mask(code: list[int], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """The bits as rle-pack describes them, one after the other."""
    bits = "".join(f"{byte:08b}" for byte in code)
    place = 0

    def read(count: int) -> int:
        nonlocal place
        place += count
        return int(bits[place - count : place], 2)

    total, word = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < total:
        repeated = read(1)
        count = read(sizes[read(2)]) + 1
        values += [read(word)] * count if repeated else [read(word) for _ in range(count)]
    image = np.array(values, np.uint8).reshape(*size_hw, 4)
    assert (image == image[..., :1]).all()
    assert set(np.unique(image)) <= {0, 255}
    return np.asarray(image[..., 3] > 0)


def test_label_studio(tmp_path: Path) -> None:
    results = [answer("/data/a/dög 1.jpg"), answer("/data/b/dog.jpg", phrases=("cat",)), AVSResult.nothing((4, 6))]
    path, config = zsavs.export(results, "label_studio", tmp_path)
    view = ElementTree.parse(config).getroot()
    assert [row.attrib["value"] for row in view.iter("Label")] == ["a <b> & c", "cat", "dog", "собака 犬"]
    tasks = json.loads(path.read_text())
    assert tasks[0]["data"]["image"] == "/data/local-files/?d=a/d%C3%B6g%201.jpg"
    for task, result in zip(tasks, results, strict=True):
        (prediction,) = task["predictions"]
        regions: list[dict[str, Any]] = prediction["result"]
        assert len({region["id"] for region in regions}) == len(regions) == len(result)
        for region, mask, phrase, score in zip(regions, result.masks, result.phrases, result.scores, strict=True):
            assert region["value"]["brushlabels"] == [phrase]
            assert region["score"] == float(score)
            assert (region["original_height"], region["original_width"]) == mask.shape
            assert np.array_equal(label_studio_mask(region["value"]["rle"], mask.shape), mask)
            for end, name in (("to_name", "Image"), ("from_name", "BrushLabels")):
                assert view.find(name).attrib["name"] == region[end]  # type: ignore[union-attr]


def test_label_studio_has_runs_of_every_length() -> None:
    """Of four values a pixel: up to the sizes of 3, 4, 8 and 16 bits, and beyond the longest."""
    mask = np.zeros((180, 200), np.bool_)
    for start, length in ((5, 1), (9, 2), (14, 4), (30, 63), (200, 70), (16_000, 16_383), (0, 1)):
        mask.ravel()[start : start + length] = True
    (item,) = items_of(
        AVSResult(mask[None], np.array([[0, 0, 1, 1]], "f4"), ("x",), np.ones(1, "f4"), mask.astype("f4"))
    )
    code = packed(item.instances[0])  # type: ignore[union-attr]
    assert np.array_equal(label_studio_mask(code, mask.shape), mask)


def test_label_studios_own_decoder_reads_its_masks() -> None:
    brush = pytest.importorskip("label_studio_sdk.converter.brush", reason="label_studio_sdk is not installed")
    (item,) = items_of(answer())
    for one, mask in zip(item.instances, answer().masks, strict=True):  # type: ignore[union-attr]
        decoded = np.reshape(brush.decode_rle(packed(one)), (*mask.shape, 4))
        assert np.array_equal(decoded[..., 3] > 0, mask)
