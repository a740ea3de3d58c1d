"""PNG files, read back by Pillow."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from exported import answer, video
from numpy.typing import NDArray
from PIL import Image

import zsavs
from zsavs.errors import OutputError
from zsavs.result import AVSResult


def seen(result: AVSResult, numbers: list[int]) -> NDArray[np.uint8]:
    """Each pixel's object, where the surest covers the others, by the definition."""
    index = np.zeros(result.score_map.shape, np.uint8)
    for y, x in np.ndindex(index.shape):
        over = [(score, number) for score, number, mask in zip(result.scores, numbers, result.masks) if mask[y, x]]  # noqa: B905
        index[y, x] = max(over)[1] if over else 0
    return index


def test_one_file_for_each_object(tmp_path: Path) -> None:
    results = [answer("/a/dog.jpg"), answer("/b/Dog.png", phrases=("cat",)), AVSResult.nothing((4, 6))]
    listing, *files = zsavs.export(results, "png", tmp_path)
    assert len(files) == len(set(files)) == 5
    rows = json.loads(listing.read_text())
    assert [row["image"] for row in rows] == ["a/dog.jpg", "b/Dog.png", "000002.jpg"]
    assert len({str(file.parent).casefold() for file in files}) == 2, (
        "two images called alike have folders of their own"
    )
    for row, result in zip(rows, results, strict=True):
        assert [one["label"] for one in row["objects"]] == list(result.phrases)
        for one, mask in zip(row["objects"], result.masks, strict=True):
            with Image.open(tmp_path / one["file"]) as image:
                assert image.mode == "L"
                assert np.array_equal(np.asarray(image), mask * 255)


def test_an_indexed_file_for_each_image(tmp_path: Path) -> None:
    results = [answer("dog.jpg"), AVSResult.nothing((4, 6))]
    listing, *files = zsavs.export(results, "davis", tmp_path)
    for result, file, row in zip(results, files, json.loads(listing.read_text()), strict=True):
        assert row["file"] == file.relative_to(tmp_path).as_posix()
        assert [one["number"] for one in row["objects"]] == list(range(1, len(result) + 1))
        with Image.open(file) as image:
            assert image.mode == "P"
            assert np.array_equal(np.asarray(image), seen(result, list(range(1, len(result) + 1))))
            assert np.asarray(image.convert("RGB"))[-1, -1].tolist() == [0, 0, 0]
    assert files[0].name == "dog.png"


def test_an_object_of_a_video_keeps_its_number_and_colour(tmp_path: Path) -> None:
    result = video("two.mp4")
    _, *files = zsavs.export(result, "davis", tmp_path)
    assert [file.relative_to(tmp_path).as_posix() for file in files][::5] == [
        "Annotations/two/00000.png",
        "Annotations/two/00005.png",
    ]
    colours: dict[int, set[tuple[int, ...]]] = {}
    for file, frame in zip(files, result, strict=True):
        with Image.open(file) as image:
            index = np.asarray(image)
            assert np.array_equal(index, seen(frame, frame.meta["tracks"]))
            for number, colour in zip(index.ravel(), np.asarray(image.convert("RGB")).reshape(-1, 3), strict=True):
                colours.setdefault(int(number), set()).add(tuple(colour.tolist()))
    assert set(colours) == {0, 2, 3}
    assert all(len(one) == 1 for one in colours.values())


def test_more_objects_than_an_indexed_file_has_numbers(tmp_path: Path) -> None:
    masks = np.zeros((256, 16, 16), np.bool_)
    masks.reshape(256, 256)[np.arange(256), np.arange(256)] = True
    boxes = np.tile(np.array([0, 0, 1, 1], np.float32), (256, 1))
    many = AVSResult(masks, boxes, ("dot",) * 256, np.ones(256, np.float32), np.ones((16, 16), np.float32))
    with pytest.raises(OutputError, match="numbered up to 256, an indexed PNG has 255; use png"):
        zsavs.export(many, "davis", tmp_path)
