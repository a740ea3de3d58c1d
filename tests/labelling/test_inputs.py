"""What of a folder or a manifest is an item, and what is refused and why."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from zsavs.errors import InputError
from zsavs.labelling import read_inputs
from zsavs.labelling.items import Inputs


def files(root: Path, *names: str) -> Path:
    """Empty files: nothing but the manifest is opened."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def named(inputs: Inputs) -> dict[str, dict[str, Any]]:
    return {item.id: item.named for item in inputs.items}


def refused(inputs: Inputs) -> dict[str, str]:
    return {each.where: each.why for each in inputs.refused}


# --------------------------------------------------------------------------------- folder
def test_an_image_goes_with_the_audio_of_its_name_and_a_video_is_alone(tmp_path: Path) -> None:
    found = read_inputs(files(tmp_path, "b.JPG", "b.wav", "a/1.png", "a/1.flac", "c.mp4", "notes.txt", ".b.png"))
    assert named(found) == {
        "a/1": {"image": "a/1.png", "audio": "a/1.flac"},
        "b": {"image": "b.JPG", "audio": "b.wav"},
        "c": {"video": "c.mp4"},
    }
    assert [item.id for item in found.items] == ["a/1", "b", "c"]
    assert not found.refused
    assert found.counted() == "2 images with their audio and 1 video"


def test_images_and_audio_in_a_folder_each_go_together_by_what_is_below(tmp_path: Path) -> None:
    found = read_inputs(files(tmp_path, "img/x/1.png", "wav/x/1.wav", "img/2.png", "wav/2.wav"))
    assert named(found) == {
        "2": {"image": "img/2.png", "audio": "wav/2.wav"},
        "x/1": {"image": "img/x/1.png", "audio": "wav/x/1.wav"},
    }


def test_what_could_go_with_two_others_is_refused_and_not_guessed(tmp_path: Path) -> None:
    found = read_inputs(files(tmp_path, "img/1.png", "wav/1.wav", "more/1.wav", "ok.png", "ok.wav"))
    assert list(named(found)) == ["ok"]
    assert set(refused(found)) == {"img/1.png", "wav/1.wav", "more/1.wav"}
    assert "no audio file 1.* in the same folder" in refused(found)["img/1.png"]
    assert "no image 1.* in the same folder" in refused(found)["more/1.wav"]


def test_equal_names_in_two_folders_are_two_items(tmp_path: Path) -> None:
    found = read_inputs(files(tmp_path, "a/1.png", "a/1.wav", "b/1.png", "b/1.wav", "c/1.mp4", "c/1.png", "c/1.wav"))
    assert list(named(found)) == ["a/1", "b/1", "c/1.mp4", "c/1.png"]


def test_of_two_images_of_one_name_the_first_kind_is_taken_and_the_other_named(tmp_path: Path) -> None:
    found = read_inputs(files(tmp_path, "1.png", "1.jpg", "1.webp", "1.mp3", "1.wav"))
    assert named(found) == {"1": {"image": "1.jpg", "audio": "1.wav"}}
    assert set(refused(found)) == {"1.png", "1.webp", "1.mp3"}


def test_the_folder_of_the_answers_is_not_searched(tmp_path: Path) -> None:
    files(tmp_path, "1.png", "1.wav", "labels/previews/1.png")
    assert not read_inputs(tmp_path, tmp_path / "labels").refused
    assert set(refused(read_inputs(tmp_path))) == {"labels/previews/1.png"}


@pytest.mark.parametrize(("name", "said"), [("", "nothing to label"), ("none", "there is no such"), ("x.txt", "manif")])
def test_what_holds_nothing_to_label_is_an_error(tmp_path: Path, name: str, said: str) -> None:
    files(tmp_path, "x.txt")
    with pytest.raises(InputError, match=said):
        read_inputs(tmp_path / name)


# ------------------------------------------------------------------------------- manifest
def test_a_csv_names_files_from_its_own_folder(tmp_path: Path) -> None:
    files(tmp_path, "in/dog, old.png", "in/bark.wav", "in/c.mp4")
    table = tmp_path / "in" / "list.csv"
    table.write_text(
        "\ufeffid,image,audio,video,start_s,end_s,note\n"
        'a,"dog, old.png",bark.wav,,,,"two\nlines"\n'
        "b,,,c.mp4,1.5,3,\n"
        "c,,bark.wav,c.mp4,,,\n",
        encoding="utf-8",
    )
    found = read_inputs(table)
    assert named(found) == {
        "a": {"image": "dog, old.png", "audio": "bark.wav"},
        "b": {"video": "c.mp4", "start_s": 1.5, "end_s": 3.0},
        "c": {"audio": "bark.wav", "video": "c.mp4"},
    }
    assert found.items[0].path("image").is_file()
    assert found.items[0].end_s == math.inf


def test_every_refused_row_is_told_with_its_line(tmp_path: Path) -> None:
    files(tmp_path, "1.png", "1.wav", "1.mp4")
    rows = [
        ("a,1.png,1.wav,,,", ""),
        ("a,1.png,1.wav,,,", "the id 'a' is that of line 2"),
        (",1.png,1.wav,,,", "no id"),
        ("b,1.png,,,,", "needs a video, or an image and an audio file"),
        ("c,1.png,1.wav,1.mp4,,", "an image and a video"),
        ("d,2.png,1.wav,,,", "2.png: there is no such file"),
        ("e,,,1.mp4,3,2", "start_s 3 and end_s 2 are no part"),
        ("f,,,1.mp4,soon,", "start_s soon"),
        ("g,,,1.mp4,0", "fewer fields"),
        ("h,,,1.mp4,0,1,2,3", "more or fewer fields"),
    ]
    table = tmp_path / "list.csv"
    table.write_text("\n".join(["id,image,audio,video,start_s,end_s", *(row for row, _ in rows)]))
    found = refused(read_inputs(table))
    assert list(found) == [f"list.csv, line {number}" for number in range(3, 12)]
    for (_, wanted), said in zip(rows[1:], found.values(), strict=True):
        assert wanted in said


def test_json_lines_are_read_and_broken_ones_told(tmp_path: Path) -> None:
    files(tmp_path, "1.png", "1.wav")
    row = {"id": 7, "image": "1.png", "audio": "1.wav", "start_s": 0.5, "end_s": None}
    (tmp_path / "list.jsonl").write_text(f"{json.dumps(row)}\n\n{{broken\n[1]\n")
    found = read_inputs(tmp_path / "list.jsonl")
    assert named(found) == {"7": {"image": "1.png", "audio": "1.wav", "start_s": 0.5}}
    assert list(refused(found)) == ["list.jsonl, line 3", "list.jsonl, line 4"]


@pytest.mark.parametrize(
    ("header", "said"),
    [("id,image", "expected columns id, image, audio"), ("name,video", "expected"), ("id,video,start", "'start_s'")],
)
def test_a_table_with_other_columns_is_an_error(tmp_path: Path, header: str, said: str) -> None:
    (tmp_path / "list.csv").write_text(f"{header}\n")
    with pytest.raises(InputError, match=said):
        read_inputs(tmp_path / "list.csv")


def test_parquet_is_read_where_pyarrow_is(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    files(tmp_path, "1.mp4")
    table = arrow.Table.from_pylist([{"id": "a", "video": "1.mp4", "end_s": 2.0}, {"id": None, "video": "1.mp4"}])
    pyarrow.parquet.write_table(table, tmp_path / "list.parquet")
    found = read_inputs(tmp_path / "list.parquet")
    assert named(found) == {"a": {"video": "1.mp4", "end_s": 2.0}}
    assert list(refused(found)) == ["list.parquet, row 2"]
