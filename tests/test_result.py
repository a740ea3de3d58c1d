"""A result keeps its promises, and what is written to disk is what was found, bit for bit or not at all."""

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
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from zsavs.errors import ContractError, OutputError, ResultFileError
from zsavs.result import AVSResult
from zsavs.storage import rle
from zsavs.storage.files import write_atomically
from zsavs.types import AudioClip, Query

HEIGHT, WIDTH = 5, 7


def result(**changes: Any) -> AVSResult:
    """Two overlapping objects on a small image."""
    masks = np.zeros((2, HEIGHT, WIDTH), np.bool_)
    masks[0, 1:4, 2:6] = True
    masks[1, 3:, 0] = True
    score_map = np.where(masks.any(axis=0), 0.75, 0.125).astype(np.float32)
    fields: dict[str, Any] = {
        "masks": masks,
        "boxes_xyxy": np.array([[2, 1, 6, 4], [0, 3, 1, 5]], np.float32),
        "phrases": ("dog", "собака 犬"),
        "scores": np.array([0.9, 0.1], np.float32),
        "score_map": score_map,
        "queries": Query(("dog", "piano"), np.array([0.9, 0.3], np.float32)),
        "timings": {"query": 0.1, "segment": 1e-9},
        "meta": {"strategy": "fused", "nested": {"list": [1, None, "ä"]}},
    }
    return AVSResult(**(fields | changes))


def same(one: AVSResult, other: AVSResult) -> bool:
    """Bit for bit, which ``array_equal`` is not (it takes -0.0 for 0.0)."""
    arrays = ("masks", "boxes_xyxy", "scores", "score_map")
    return (
        all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in arrays)
        and all(getattr(one, name).shape == getattr(other, name).shape for name in arrays)
        and all(getattr(one, name).dtype == getattr(other, name).dtype for name in arrays)
        and one.phrases == other.phrases
        and one.queries.phrases == other.queries.phrases
        and one.queries.weights.tobytes() == other.queries.weights.tobytes()
        and one.queries.times == other.queries.times
        and one.timings == other.timings
        and one.meta == other.meta
    )


# ---------------------------------------------------------------------------- invariants
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"masks": np.zeros((2, HEIGHT, WIDTH), np.uint8)}, r"masks: expected bool \(2, 5, 7\), got uint8"),
        ({"masks": np.zeros((1, HEIGHT, WIDTH), np.bool_)}, r"masks: expected bool \(2, 5, 7\), got bool \(1, 5, 7\)"),
        ({"masks": np.zeros((2, WIDTH, HEIGHT), np.bool_)}, r"masks: expected bool \(2, 5, 7\)"),
        ({"boxes_xyxy": np.zeros((2, 4))}, r"boxes_xyxy: expected float32 \(2, 4\), got float64"),
        ({"boxes_xyxy": np.zeros((1, 4), np.float32)}, r"boxes_xyxy: expected float32 \(2, 4\)"),
        ({"boxes_xyxy": np.full((2, 4), np.nan, np.float32)}, r"boxes_xyxy: every coordinate must be finite"),
        ({"phrases": ("dog", 3)}, r"phrases: expected texts"),
        ({"scores": np.zeros(3, np.float32)}, r"scores: expected float32 \(2,\)"),
        ({"scores": np.array([0.5, 1.5], np.float32)}, r"scores: values must lie in \[0, 1\]"),
        ({"scores": np.array([0.5, np.nan], np.float32)}, r"scores: values must lie in \[0, 1\]"),
        ({"score_map": np.full((HEIGHT, WIDTH), -0.1, np.float32)}, r"score_map: values must lie in \[0, 1\]"),
        ({"score_map": np.full((HEIGHT, WIDTH), np.nan, np.float32)}, r"score_map: values must lie in \[0, 1\]"),
        ({"score_map": np.zeros((HEIGHT, WIDTH), np.float64)}, "score_map: expected float32"),
        ({"phrases": ("dog",)}, "masks: expected bool"),
        ({"score_map": np.zeros((HEIGHT, WIDTH), np.float32)}, "exactly where one of the masks is set"),
        ({"score_map": np.ones((HEIGHT, WIDTH), np.float32)}, "exactly where one of the masks is set"),
        (
            {"frame": np.zeros((HEIGHT + 1, WIDTH, 3), np.uint8)},
            r"frame: expected an image of \(5, 7\), got .*\(6, 7, 3\)",
        ),
        ({"frame": np.zeros((HEIGHT, WIDTH), np.uint8)}, r"frame: expected"),
    ],
)
def test_a_broken_promise_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ContractError, match=says):
        result(**changes)


def test_a_score_map_is_two_dimensional() -> None:
    with pytest.raises(ContractError, match="score_map"):
        AVSResult(np.zeros((0, 5), np.bool_), np.zeros((0, 4), np.float32), (), np.zeros(0, "f4"), np.zeros(5, "f4"))


def test_half_belongs_to_the_background() -> None:
    """The invariant is a strict inequality; the next float32 above one half is foreground."""
    masks = np.array([[[False, True]]])
    score_map = np.array([[0.5, np.nextafter(np.float32(0.5), np.float32(1))]], np.float32)
    box = np.array([[1, 0, 2, 1]], np.float32)
    answer = AVSResult(masks, box, ("dog",), np.ones(1, np.float32), score_map)
    assert answer.mask.tolist() == [[False, True]]


def test_the_arrays_of_a_result_are_read_only() -> None:
    for name in ("masks", "boxes_xyxy", "scores", "score_map"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(result(), name)[...] = 0


def test_dictionaries_are_the_results_own() -> None:
    timings = {"query": 1.0}
    answer = result(timings=timings)
    timings["query"] = 2.0
    assert answer.timings == {"query": 1.0}


def test_phrases_are_the_results_own() -> None:
    phrases = ["dog", "cat"]
    answer = result(phrases=phrases)
    phrases.append("cow")
    assert answer.phrases == ("dog", "cat")


def test_nothing_is_an_answer() -> None:
    nothing = AVSResult.nothing((HEIGHT, WIDTH), meta={"strategy": "fused"})
    assert len(nothing) == 0
    assert nothing.masks.shape == (0, HEIGHT, WIDTH)
    assert not nothing.mask.any()
    assert nothing.to_coco() == []
    assert same(nothing, AVSResult.load(nothing.to_json()))
    assert repr(nothing) == "AVSResult(0 masks, 5x7)"


def test_repr_says_what_was_found() -> None:
    assert repr(result()) == "AVSResult(2 masks, 5x7: 'dog' 0.90, 'собака 犬' 0.10)"


def test_overlay_refuses_a_image_of_another_size() -> None:
    with pytest.raises(ContractError, match=r"expected an image of \(5, 7\), got \(7, 5\)"):
        result().overlay(np.zeros((WIDTH, HEIGHT, 3), np.uint8))


# ---------------------------------------------------------------------------- round trip
def test_json_restores_everything_but_the_image() -> None:
    one = result(frame=np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    text = one.to_json()
    assert "собака 犬" in text, "a person can read it"
    other = AVSResult.load(text)
    assert same(one, other)
    assert other.frame is None


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_result_survives_the_round_trip(data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=9))
    unit = st.floats(0, 1, width=32) | st.just(-0.0)
    score_map = data.draw(hnp.arrays(np.float32, shape, elements=unit))
    if data.draw(st.booleans()):
        score_map = (np.rint(score_map * np.float32(65535)) / np.float32(65535)).astype(np.float32)
    count = data.draw(st.integers(1, 3)) if (score_map > 0.5).any() else data.draw(st.integers(0, 2))
    masks = np.zeros((count, *shape), np.bool_)
    owner = data.draw(hnp.arrays(np.int64, shape, elements=st.integers(0, max(count - 1, 0))))
    for number in range(count):
        masks[number] = (owner == number) & (score_map > np.float32(0.5))
    weights = data.draw(st.lists(unit, max_size=3))
    one = AVSResult(
        masks,
        data.draw(hnp.arrays(np.float32, (count, 4), elements=st.floats(0, 2**20, width=32))),
        tuple(data.draw(st.lists(st.text(), min_size=count, max_size=count))),
        data.draw(hnp.arrays(np.float32, (count,), elements=unit)),
        score_map,
        Query(tuple(f"thing {n}" for n in range(len(weights))), np.array(weights, np.float32)),
        data.draw(st.dictionaries(st.text(), st.floats(0, 1e9), max_size=3)),
        data.draw(st.dictionaries(st.text(), st.none() | st.integers() | st.text(), max_size=3)),
    )
    assert same(one, AVSResult.load(one.to_json()))


def test_a_map_in_16_bit_steps_is_kept_in_16_bits(rng: np.random.Generator) -> None:
    levels = rng.integers(0, 32_000, (64, 64))
    coarse = AVSResult.nothing((64, 64))
    object.__setattr__(coarse, "score_map", (levels / np.float32(65535)).astype(np.float32))
    packed = json.loads(coarse.to_json())["score_map"]
    assert packed["dtype"] == "uint16"
    assert AVSResult.load(coarse.to_json()).score_map.tobytes() == coarse.score_map.tobytes()


def test_a_name_that_is_not_utf8_survives(tmp_path: Path) -> None:
    """File names are bytes; Python shows the ones that are no text as lone surrogates, which no encoder takes."""
    name = os.fsdecode(b"caf\xe9.jpg")
    one = result(meta={"sample": name})
    one.to_json().encode("utf-8")
    assert AVSResult.load(one.save(tmp_path, "r")["json"]).meta["sample"] == name


# --------------------------------------------------------------------------------- files
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
    assert files["json"].stat().st_mode & 0o777 == 0o666 & ~_umask(), "others may read it, as any file"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_the_umask_is_left_as_it_was(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", lambda file: file.write(b""))
        assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
        assert _umask() == 0o027
    finally:
        os.umask(before)


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


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), RuntimeError("bug"), KeyboardInterrupt()])
def test_whatever_breaks_a_write_leaves_no_scraps(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "file").write_bytes(b"older")

    def write(file: Any) -> None:
        file.write(b"half of the new")
        raise error

    with pytest.raises((OutputError, type(error))):
        write_atomically(tmp_path / "file", write)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"older"}


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"older")

    def write(file: Any) -> None:
        file.write(b"new")
        file.flush()
        assert target.read_bytes() == b"older"

    write_atomically(target, write)
    assert target.read_bytes() == b"new"


# ------------------------------------------------------------------------- wrong files
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


# ---------------------------------------------------------------------- COCO, run lengths
def naive_decode(rle: dict[str, Any]) -> NDArray[np.bool_]:
    """Column by column, starting with background: the definition, one pixel at a time."""
    height, width = rle["size"]
    mask = np.zeros((height, width), np.bool_)
    place, value = 0, False
    for count in rle["counts"]:
        for _ in range(count):
            mask[place % height, place // height] = value
            place += 1
        value = not value
    assert place == height * width
    return mask


@given(mask=hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_run_lengths_are_coco_s(mask: NDArray[np.bool_]) -> None:
    code = rle.encode(mask)
    assert np.array_equal(naive_decode(code), mask)
    assert np.array_equal(rle.decode(code), mask)
    assert rle.decode(code).dtype == np.bool_
    assert all(count > 0 for count in code["counts"][1:]), "no run is empty but the first"
    json.dumps(code)


def test_run_lengths_of_a_known_mask() -> None:
    mask = np.array([[1, 0, 0], [1, 1, 0]], np.bool_)
    assert rle.encode(mask) == {"size": [2, 3], "counts": [0, 2, 1, 1, 2]}


@pytest.mark.parametrize("counts", [[5], [7], [], [0, 5], [8, -2]])
def test_run_lengths_that_do_not_fill_the_mask_are_refused(counts: list[int]) -> None:
    with pytest.raises(ValueError, match=r"run lengths add up to \d, a 2x3 mask has 6 pixels"):
        rle.decode({"size": [2, 3], "counts": counts})


def test_run_lengths_of_another_memory_layout() -> None:
    mask = np.zeros((6, 4), np.bool_)
    mask[1:3, 2:] = True
    assert rle.encode(np.asfortranarray(mask)) == rle.encode(mask) == rle.encode(mask.repeat(2, axis=1)[:, ::2])


def test_coco_annotations() -> None:
    one = result()
    first, second = one.to_coco(image_id=42)
    assert first["bbox"] == [2.0, 1.0, 4.0, 3.0], "x, y, width, height"
    assert first["area"] == 12
    assert second["area"] == 2
    assert (first["id"], second["id"]) == (1, 2)
    assert first["image_id"] == second["image_id"] == 42
    assert one.to_coco()[0]["image_id"] == 0
    assert (first["category_name"], second["category_name"]) == one.phrases
    assert first["score"] == pytest.approx(0.9)
    for annotation, mask in zip((first, second), one.masks, strict=True):
        assert np.array_equal(naive_decode(annotation["segmentation"]), mask)
        assert annotation["area"] == mask.sum()
    json.dumps([first, second])


def test_coco_api_reads_the_masks_if_it_is_here() -> None:
    api = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed (zsavs[coco])")
    one = result()
    for annotation, mask in zip(one.to_coco(), one.masks, strict=True):
        code = api.frPyObjects(annotation["segmentation"], HEIGHT, WIDTH)
        assert np.array_equal(api.decode(code).astype(bool), mask)
        assert api.area(code) == annotation["area"]
        assert api.toBbox(code).tolist() == annotation["bbox"]


# ------------------------------------------------------------------------------------- card
def test_a_card_needs_the_image_and_shows_it() -> None:
    audio = AudioClip(np.zeros((1, 1600), np.float32), 16_000)
    frame = np.full((40, 60, 3), 90, np.uint8)
    result = AVSResult.nothing((40, 60), frame=frame)
    page = result.card(audio, "a title")
    assert page.width > 500
    assert (90, 90, 90) in {color for _, color in page.getcolors(1 << 24)}
    loaded = AVSResult.load(result.to_json())
    with pytest.raises(ContractError, match="image that belongs"):
        loaded.card(audio)
    assert loaded.card(audio, "a title", frame).tobytes() == page.tobytes()


@pytest.mark.parametrize("times", [(((0.1 + 0.2, 1 / 3), (1 / 3, 7.0)), ()), ((), ()), None])
def test_when_each_source_sounds_comes_back_exactly(times: Any) -> None:
    timed = result(queries=Query(("dog", "piano"), np.array([0.9, 0.3], np.float32), times=times))
    assert same(AVSResult.load(timed.to_json()), timed)
    assert ("times_s" in timed.to_json()) == (times is not None)
