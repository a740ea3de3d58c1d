"""COCO and YouTube-VIS, read back by pycocotools."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported import answer, video

import zsavs
from zsavs.errors import InputError, MissingExtra
from zsavs.result import AVSResult

api = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed (zsavs[coco])")


def loaded(path: Path) -> Any:
    """The file, as its own consumer reads it."""
    from pycocotools.coco import COCO

    return COCO(str(path))


@pytest.mark.parametrize("compressed", [False, True])
def test_pycocotools_loads_images_and_finds_the_same_masks(
    compressed: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = [
        answer("/data/a/dog.jpg", "/data/bark.wav"),
        answer("/data/b/dog.jpg", phrases=("cat", "dog")),
        AVSResult.nothing((4, 6), meta={"image": "/data/c.png"}),
    ]
    (path,) = zsavs.export(results, "coco", tmp_path, compressed=compressed)
    coco = loaded(path)
    assert json.loads(path.read_text()) == zsavs.to_coco(results, compressed=compressed)
    assert [coco.imgs[n]["file_name"] for n in coco.getImgIds()] == ["a/dog.jpg", "b/dog.jpg", "c.png"]
    assert coco.dataset["info"]["image_folder"] == "/data"
    assert len(coco.anns) == len(coco.dataset["annotations"]) == 6, "ids are unique"
    for number, result in enumerate(results, start=1):
        rows = coco.loadAnns(coco.getAnnIds(imgIds=[number]))
        assert [coco.cats[row["category_id"]]["name"] for row in rows] == list(result.phrases)
        assert [row["score"] for row in rows] == result.scores.tolist()
        for row, mask in zip(rows, result.masks, strict=True):
            assert isinstance(row["segmentation"]["counts"], str if compressed else list)
            assert np.array_equal(coco.annToMask(row).astype(bool), mask)
            assert row["area"] == api.area(coco.annToRLE(row)) == mask.sum()
            assert row["bbox"] == api.toBbox(coco.annToRLE(row)).tolist()


def test_pycocotools_scores_a_file_against_itself_as_perfect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pycocotools.cocoeval import COCOeval

    (path,) = zsavs.export([answer("a.jpg"), answer("b.jpg")], "coco", tmp_path)
    truth = loaded(path)
    evaluation = COCOeval(truth, truth.loadRes(truth.dataset["annotations"]), "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_one_result_is_a_whole_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = answer()
    path = tmp_path / "one.json"
    path.write_text(json.dumps(result.to_coco()))
    coco = loaded(path)
    for row, mask in zip(coco.loadAnns(coco.getAnnIds()), result.masks, strict=True):
        assert np.array_equal(coco.annToMask(row).astype(bool), mask)
    assert result.to_coco() == zsavs.to_coco(result) == zsavs.to_coco([result])


@pytest.mark.parametrize("compressed", [False, True])
def test_a_video_has_an_annotation_for_each_track(compressed: bool) -> None:
    result = video("/clips/two.mp4")
    data = json.loads(json.dumps(result.to_coco(compressed=compressed)))
    (one,) = data["videos"]
    assert (one["length"], one["width"], one["height"]) == (6, 31, 23)
    assert one["file_names"][5] == "two/00005.jpg"
    assert one["times_s"] == result.frames.tolist()
    named = {row["id"]: row["name"] for row in data["categories"]}
    assert len(data["annotations"]) == 2
    for row, track in zip(data["annotations"], result.tracks, strict=True):
        assert named[row["category_id"]] == track.phrase
        assert row["track_id"] == track.id
        assert row["video_id"] == one["id"]
        assert len(row["segmentations"]) == len(row["bboxes"]) == len(row["areas"]) == 6
        for number in range(6):
            mask, code = track.mask(number), row["segmentations"][number]
            if mask is None or not track.sounds_at(result.frames[number]):
                assert code is row["bboxes"][number] is row["areas"][number] is None
                continue
            code = code if compressed else api.frPyObjects(code, *code["size"])
            assert np.array_equal(api.decode(code).astype(bool), mask)
            assert row["areas"][number] == mask.sum()
            assert row["bboxes"][number] == api.toBbox(code).tolist()


def test_the_frames_of_a_video_are_images_of_coco(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = video("/clips/two.mp4")
    (path,) = zsavs.export(result, "coco", tmp_path)
    coco = loaded(path)
    assert len(coco.imgs) == 6
    for number, frame in enumerate(result):
        rows = coco.loadAnns(coco.getAnnIds(imgIds=[number + 1]))
        assert coco.imgs[number + 1]["time_s"] == result.frames[number]
        assert [row["track_id"] for row in rows] == frame.meta["tracks"]
        for row, mask in zip(rows, frame.masks, strict=True):
            assert np.array_equal(coco.annToMask(row).astype(bool), mask)


def test_labels_are_numbered_as_one_likes() -> None:
    wanted = ["whale", "dog", "cat"]
    data = zsavs.to_coco(answer(phrases=("cat", "dog")), categories=wanted)
    assert [row["name"] for row in data["categories"]] == wanted
    assert [row["category_id"] for row in data["annotations"]] == [3, 2]
    with pytest.raises(InputError, match="'cat' occurs in a result and is not among those given"):
        zsavs.to_coco(answer(phrases=("cat", "dog")), categories=["dog"])
    for wrong in ("dog", ["dog", "cat", "dog"]):
        with pytest.raises(InputError, match="expected a list of labels, each once"):
            zsavs.to_coco(answer(phrases=("cat", "dog")), categories=wrong)


def test_relative_paths_stay_and_unknown_images_get_a_name() -> None:
    data = zsavs.to_coco([answer("pictures/a.jpg"), answer(), answer()])
    assert [row["file_name"] for row in data["images"]] == ["pictures/a.jpg", "000001.jpg", "000002.jpg"]
    assert data["info"]["image_folder"] == ""


def test_nothing_is_said_of_licences_and_dates() -> None:
    data = zsavs.to_coco([answer("a.jpg"), video("b.mp4")])
    assert set(data) == {"info", "images", "categories", "annotations"}
    assert not {"license", "date_captured", "licenses"} & {
        key for row in [*data["images"], data["info"]] for key in row
    }


def test_what_is_no_result_is_refused() -> None:
    with pytest.raises(InputError, match=r"found str; of zsavs\.compare give the list of one strategy"):
        zsavs.to_coco({"fused": [answer()]})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected results to export, got int"):
        zsavs.to_coco(3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="this is the result of an image, and YouTube-VIS has videos"):
        zsavs.export(answer("a.jpg"), "youtube_vis", "nowhere")


def test_compressing_needs_pycocotools_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    assert zsavs.to_coco(answer())["annotations"]
    with pytest.raises(MissingExtra, match=r'pip install "zsavs\[coco\]"'):
        zsavs.to_coco(answer(), compressed=True)
