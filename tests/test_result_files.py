"""The files of a result: written complete or not at all, and refused where they are wrong."""

from __future__ import annotations

import errno
import io
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_results import HEIGHT, WIDTH, result, same, umask

from zsavs.errors import ContractError, OutputError, ResultFileError
from zsavs.result import AVSResult


def test_the_four_files_are_there_and_right(tmp_path: Path, rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    one = result(frame=image)
    files = one.save(tmp_path / "a" / "b", "dog.x")
    assert files == {
        "overlay": tmp_path / "a" / "b" / "dog.x_overlay.png",
        "mask": tmp_path / "a" / "b" / "dog.x_mask.png",
        "score_map": tmp_path / "a" / "b" / "dog.x_score.png",
        "json": tmp_path / "a" / "b" / "dog.x.json",
    }
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == sorted(f.name for f in files.values())
    with Image.open(files["mask"]) as mask:
        assert mask.mode == "L"
        assert np.array_equal(np.asarray(mask), one.mask * np.uint8(255))
    with Image.open(files["score_map"]) as levels:
        values = np.asarray(levels)
        assert values.dtype == np.uint16
        assert np.array_equal(values, np.rint(one.score_map * 65535).astype(np.uint16))
        assert np.array_equal(values > 32767, one.mask), "the threshold can be found again in the 16-bit image"
    with Image.open(files["overlay"]) as overlay:
        assert overlay.size == (WIDTH, HEIGHT)
        assert overlay.format == "PNG"
    assert same(one, AVSResult.load(files["json"]))
    assert same(one, AVSResult.load(str(files["json"])))
    assert files["json"].stat().st_mode & 0o777 == 0o666 & ~umask(), "others may read it, as any file"


def test_a_loaded_result_can_be_saved_again(tmp_path: Path) -> None:
    first = result().save(tmp_path / "one", "r")["json"]
    second = AVSResult.load(first).save(tmp_path / "two", "r")["json"]
    assert first.read_bytes() == second.read_bytes()


def test_saving_again_replaces(tmp_path: Path) -> None:
    result().save(tmp_path, "r")
    nothing = AVSResult.nothing((2, 3))
    nothing.save(tmp_path, "r")
    assert len(list(tmp_path.iterdir())) == 4
    assert same(AVSResult.load(tmp_path / "r.json"), nothing)


@pytest.mark.parametrize("stem", ["", ".", "a/b", "/a", "a/", "../a", "a\0b"])
def test_a_stem_is_the_start_of_a_name_and_no_path(tmp_path: Path, stem: str) -> None:
    folder = tmp_path / "out"
    with pytest.raises(OutputError):
        result().save(folder, stem)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    for folder in (tmp_path / "out", tmp_path / "out" / "deeper"):
        with pytest.raises(OutputError, match="cannot be written"):
            result().save(folder, "r")
    assert (tmp_path / "out").read_text() == "mine"


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, dir: Path, **__: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(dir))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(OutputError, match=r"Permission denied.*check the folder's permissions"):
        result().save(tmp_path, "r")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that nobody may write into")
def test_a_folder_that_nobody_can_make() -> None:
    with pytest.raises(OutputError, match=r"^/proc/zsavs/r_overlay\.png: cannot be written"):
        result().save("/proc/zsavs", "r")


@pytest.mark.parametrize("meta", [{"path": Path("a")}, {"array": np.zeros(3)}, {("a", "b"): 1}])
def test_meta_that_json_does_not_hold_is_refused_before_anything_is_written(tmp_path: Path, meta: Any) -> None:
    with pytest.raises(ContractError, match="plain JSON values only"):
        result(meta=meta).save(tmp_path, "r")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_a_folder_already(tmp_path: Path) -> None:
    (tmp_path / "r.json").mkdir()
    with pytest.raises(OutputError, match=r"r\.json: cannot be written"):
        result().save(tmp_path, "r")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_name_too_long_for_the_disk(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        result().save(tmp_path, "x" * 400)
    assert list(tmp_path.iterdir()) == []


class FullDisk(io.BytesIO):
    """Takes a few bytes and then has no space left."""

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > 40:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    real = os.fdopen

    def fdopen(descriptor: int, *_: Any) -> Any:
        real(descriptor, "wb").close()
        return FullDisk()

    monkeypatch.setattr(os, "fdopen", fdopen)
    yield
    monkeypatch.setattr(os, "fdopen", real)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_what_was_there_and_no_scraps(tmp_path: Path) -> None:
    (tmp_path / "r_overlay.png").write_bytes(b"older")
    with pytest.raises(OutputError, match=r"r_overlay\.png: cannot be written .*No space left on device.*free space"):
        result().save(tmp_path, "r")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"r_overlay.png": b"older"}


def damaged(**changes: Any) -> str:
    return json.dumps(json.loads(result().to_json()) | changes)


def without(key: str) -> str:
    data = json.loads(result().to_json())
    del data[key]
    return json.dumps(data)


OBJECT = json.loads(result().to_json())["objects"][0]

MAP = json.loads(result().to_json())["score_map"]


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{",
        '{"format": 1}',
        '{"format": "1"}',
        *(without(key) for key in ("format", "size_hw", "objects", "heard", "timings_s", "meta", "score_map")),
        damaged(size_hw=[5, 8]),
        damaged(size_hw=[5]),
        damaged(size_hw="57"),
        damaged(size_hw=[-5, -7]),
        damaged(size_hw=[10**30, 1], objects=[]),
        damaged(objects={"phrase": "dog"}),
        damaged(objects=[OBJECT]),
        damaged(objects=[OBJECT | {"mask": {"size": [5, 7], "counts": [3, 10**30]}}] * 2),
        damaged(objects=[OBJECT | {"mask": {"size": [5, 7], "counts": [36]}}] * 2),
        damaged(objects=[OBJECT | {"mask": {"size": [5, 7], "counts": [40, -5]}}] * 2),
        damaged(objects=[OBJECT | {"mask": {"size": [7, 5], "counts": [35]}}, OBJECT]),
        damaged(objects=[OBJECT | {"score": 7}] * 2),
        damaged(objects=[OBJECT | {"score": "high"}] * 2),
        damaged(objects=[OBJECT | {"box_xyxy": [1, 2, 3]}] * 2),
        damaged(heard=[{"phrase": "", "weight": 0.5}]),
        damaged(heard=[{"phrase": "dog", "weight": 5}]),
        damaged(timings_s=[1]),
        damaged(meta=7),
        damaged(score_map={"dtype": "uint16", "zlib": "not base64!"}),
        damaged(score_map={"dtype": "uint16", "zlib": "AAAA"}),
        damaged(score_map=MAP | {"dtype": "uint16"}),
        damaged(score_map="red"),
        '{"format": ' + "[" * 100_000,
    ],
    ids=lambda text: text[:25],
)
def test_text_that_is_no_result_is_refused(text: str) -> None:
    with pytest.raises(ResultFileError, match="the JSON text: ") as error:
        AVSResult.load(text)
    assert "\n" not in str(error.value)


def test_any_truncation_is_refused() -> None:
    text = result().to_json()
    for end in range(1, len(text), 7):
        with pytest.raises(ResultFileError):
            AVSResult.load(text[:end])


def test_a_newer_format_says_update() -> None:
    with pytest.raises(ResultFileError, match=r"written in format 2, this version reads format 1; update zsavs"):
        AVSResult.load(damaged(format=2))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.json").write_bytes(b"{\xe4}")
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "half.json").write_text(result().to_json()[:500])
    (tmp_path / "mask.png").write_bytes(b"\x89PNG\r\n\x1a\n\0")
    for name in ("latin.json", "empty.json", "list.json", "half.json", "mask.png", "missing.json", ".", "a\0b"):
        with pytest.raises(ResultFileError, match=r"cannot be read|not a zsavs result") as error:
            AVSResult.load(tmp_path / name)
        assert str(tmp_path) in str(error.value)
        assert "\n" not in str(error.value)
