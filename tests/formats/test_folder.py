"""Folders of results, and the command that exports them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from exported import answer, video

import zsavs
from zsavs.cli.main import main
from zsavs.errors import InputError, OutputError, ResultFileError, UnknownName
from zsavs.formats.items import unique_names


def as_row(result: zsavs.AVSResult, **more: Any) -> str:
    """A line of a shard of answers."""
    return json.dumps({**more, **json.loads(result.to_json())})


def test_a_folder_is_exported_as_the_results_themselves(tmp_path: Path) -> None:
    results = [answer("/a/dog.jpg", "/a/bark.wav"), answer("/b/dog.jpg", phrases=("cat",)), video("/c/walk.mp4")]
    for result, stem in zip(results, ("dog_bark", "dog_bark-2", "walk"), strict=True):
        result.save(tmp_path / "run", stem)
    (tmp_path / "run" / "compare.json").write_text('[{"answers": {}}]')
    for form in ("coco", "png", "davis"):
        (one, *_), (other, *_) = (
            zsavs.export(what, form, tmp_path / form / kind) for what, kind in ((results, "a"), (tmp_path / "run", "b"))
        )
        if form == "coco":
            told, wanted = json.loads(other.read_text()), json.loads(one.read_text())
            assert told["annotations"] == wanted["annotations"]
            assert told["images"] == wanted["images"]
    names = sorted(path.relative_to(tmp_path / "davis/b").as_posix() for path in (tmp_path / "davis/b").rglob("*.png"))
    assert names[:2] == ["Annotations/dog_bark-2.png", "Annotations/dog_bark.png"]


def test_shards_of_answers_are_read_in_order(tmp_path: Path) -> None:
    rows = [as_row(answer(phrases=("cat",)), id=f"clips/{n}", image=f"/data/{n}.jpg") for n in range(5)]
    (tmp_path / "answers-00000.jsonl").write_text("\n".join(rows[:3]) + "\n")
    (tmp_path / "answers-00001.jsonl").write_text("\n".join(rows[3:]) + "\n")
    (path,) = zsavs.export(tmp_path, "coco", tmp_path / "out")
    assert [row["file_name"] for row in json.loads(path.read_text())["images"]] == [f"{n}.jpg" for n in range(5)]
    _, *files = zsavs.export(tmp_path, "png", tmp_path / "png")
    assert [file.relative_to(tmp_path / "png").as_posix() for file in files] == [f"clips_{n}/000.png" for n in range(5)]


def test_the_rows_of_a_labelling_are_results_too(tmp_path: Path) -> None:
    """They say strategy and files themselves, have no number of a layout, and some have failed."""
    whole, clip = json.loads(answer().to_json()), json.loads(video().to_json())
    rows = [
        {"id": "a", "strategy": "fused", "image": "a.jpg", "size_hw": whole["size_hw"], "objects": whole["objects"]},
        {"id": "b", "strategy": "fused", "image": "b.jpg", "status": "failed", "error": "a line\u2028that goes on"},
        {"id": "c", "strategy": "fused", "video": "c.mp4"} | {n: clip[n] for n in ("size_hw", "frames_s", "tracks")},
    ]
    (tmp_path / "answers-00000-of-00001.jsonl").write_text(
        "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    )
    (tmp_path / "report.json").write_text("{}")
    (path,) = zsavs.export(tmp_path, "coco", tmp_path / "out")
    wanted = zsavs.to_coco([answer("a.jpg"), video("c.mp4")])
    assert json.loads(path.read_text())["annotations"] == wanted["annotations"]
    assert json.loads(path.read_text())["images"] == wanted["images"]


def test_a_damaged_shard_of_parquet_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "answers-00000-of-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(ResultFileError, match=r"answers-00000-of-00001.parquet: cannot be read as Parquet"):
        zsavs.export(tmp_path, "coco", tmp_path / "out")


def test_two_answers_to_one_pair_are_two_truths(tmp_path: Path) -> None:
    answer("/a/dog.jpg").save(tmp_path, "dog_fused")
    answer("/a/dog.jpg", phrases=("cat",), strategy="caption").save(tmp_path, "dog_caption")
    with pytest.raises(InputError, match=r"two answers to /a/dog.jpg; of caption and of fused: choose with --strategy"):
        zsavs.export(tmp_path, "coco", tmp_path / "out")
    (path,) = zsavs.export(tmp_path, "coco", tmp_path / "out", strategy="caption")
    assert [row["name"] for row in json.loads(path.read_text())["categories"]] == ["cat"]
    with pytest.raises(InputError, match="no answer of the strategy 'fusd'; there are: caption, fused"):
        zsavs.export(tmp_path, "coco", tmp_path / "out", strategy="fusd")
    answer("/a/dog.jpg").save(tmp_path, "dog_again")
    with pytest.raises(InputError, match=r"dog_again.json and .*dog_fused.json: two answers .* take one of them out"):
        zsavs.export(tmp_path, "coco", tmp_path / "out", strategy="fused")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda row: row.update(format=99), "written in format 99, this version reads format 1"),
        (lambda row: row.update(size_hw=[5, 5]), "not a zsavs result"),
        (lambda row: row["objects"][0]["mask"]["counts"].append(3), "not a zsavs result .*run lengths add up"),
        (lambda row: row["objects"][0].pop("box_xyxy"), "not a zsavs result"),
        (lambda row: row.update(size_hw=[10**9, 10**9]), "not a zsavs result"),
    ],
)
def test_a_damaged_result_is_named(change: Any, says: str, tmp_path: Path) -> None:
    row = json.loads(answer("dog.jpg").to_json())
    change(row)
    (tmp_path / "dog.json").write_text(json.dumps(row))
    with pytest.raises(ResultFileError, match=rf"dog\.json: {says}"):
        zsavs.export(tmp_path, "coco", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_half_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "answers-0.jsonl").write_text(as_row(answer("a.jpg"), id=1) + "\n" + as_row(answer("b.jpg"), id=2)[:90])
    with pytest.raises(ResultFileError, match=r"answers-0\.jsonl, line 2: is no JSON"):
        zsavs.export(tmp_path, "coco", tmp_path / "out")


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        zsavs.export(tmp_path / "none", "coco", tmp_path / "out")
    with pytest.raises(InputError, match="holds no result"):
        zsavs.export(tmp_path, "coco", tmp_path / "out")
    with pytest.raises(UnknownName, match="no format named 'cocoa'; did you mean 'coco'"):
        zsavs.export(answer(), "cocoa", tmp_path)
    with pytest.raises(InputError, match="compressed: is no setting of the format png; it is one of coco, youtube_vis"):
        zsavs.export(answer(), "png", tmp_path, compressed=True)
    with pytest.raises(InputError, match="strategy: is for a folder of results"):
        zsavs.export(answer(), "png", tmp_path, strategy="fused")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        zsavs.export(answer(), "png", tmp_path / "file")


def test_names_are_never_alike() -> None:
    assert unique_names(["dog", "Dog", "dog-2", "a/b", "a_b", "..", "", "dog"]) == [
        "dog",
        "Dog-2",
        "dog-2-2",
        "a_b",
        "a_b-2",
        "_",
        "_-2",
        "dog-3",
    ]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer("/a/dog.jpg").save(tmp_path / "run", "dog")
    words = ["export", str(tmp_path / "run"), "--out", str(tmp_path / "out")]
    assert main([*words, "--to", "coco", "--categories", "dog, собака 犬, a <b> & c, whale"]) == 0
    assert capsys.readouterr().out == f"wrote: {tmp_path / 'out' / 'annotations.json'}\n"
    data = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert [row["name"] for row in data["categories"]] == ["dog", "собака 犬", "a <b> & c", "whale"]
    assert main([*words, "--to", "davis"]) == 0
    assert capsys.readouterr().out == f"wrote: {tmp_path / 'out' / 'objects.json'} and 1 file beside it\n"
    assert main([*words, "--to", "cocoa"]) == 2
    assert "did you mean 'coco'" in capsys.readouterr().err
    assert main([*words, "--to", "youtube_vis"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
