"""The YOLO export, read by Ultralytics' own data set and filled by its own function, where it is installed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from label_inputs import write_pairs
from numpy.typing import NDArray

import zsavs
from zsavs.labelling.rows import result_of
from zsavs.labelling.shards import read_shard


def grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask with the pixels around it."""
    padded = np.pad(mask, 1)
    height, width = mask.shape
    near = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    around: NDArray[np.bool_] = np.any(near, axis=0)
    return around


def test_ultralytics_finds_the_images_the_labels_and_the_masks_with_their_outline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "YOLO_OFFLINE", "true")
    monkeypatch.setitem(os.environ, "YOLO_CONFIG_DIR", str(tmp_path))
    monkeypatch.setitem(os.environ, "YOLO_AUTOINSTALL", "false")
    dataset = pytest.importorskip("ultralytics.data.dataset", reason="ultralytics is not installed")
    from ultralytics.data.utils import check_det_dataset, polygon2mask

    zsavs.label(write_pairs(tmp_path / "in", 8), tmp_path / "labels", ["fused"], "toy")
    path, *_ = zsavs.export(tmp_path / "labels", "yolo", tmp_path / "yolo")
    data = check_det_dataset(str(path), autodownload=False)
    assert data["names"] == {0: "blue", 1: "red"}
    read = dataset.YOLODataset(img_path=data["train"], data=data, task="segment", augment=False, imgsz=64)
    found = {Path(label["im_file"]).stem: label for label in read.labels}
    (shard,) = (tmp_path / "labels").glob("answers-*")
    results = {row["id"]: result_of(row) for row in read_shard(shard)}
    assert found.keys() == results.keys()
    assert sum(map(len, results.values())) == 6
    for name, result in results.items():
        assert isinstance(result, zsavs.AVSResult)
        label = found[name]
        assert [data["names"][int(number)] for (number,) in label["cls"]] == list(result.phrases)
        for corners, mask in zip(label["segments"], result.masks, strict=True):
            points = (corners * mask.shape[::-1]).reshape(1, -1)
            filled = polygon2mask(mask.shape, [points[0]]).astype(bool)
            assert (filled | mask).sum() == filled.sum()
            assert (filled & ~grown(mask)).sum() == 0
