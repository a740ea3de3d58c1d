"""What a job writes, what it does again and what not, and what it refuses."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from label_inputs import write_pair, write_pairs, write_video
from PIL import Image

import zsavs
from zsavs.errors import InputError, MissingExtra, OutputError
from zsavs.labelling.rows import result_of
from zsavs.labelling.shards import read_shard
from zsavs.testing import toy

#: Of the toy preset, all on a CPU.
TOY: dict[str, Any] = {"preset": "toy", "batch_size": 2, "previews": 2}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Red, red and blue, a green that is not in view, and silence."""
    return write_pairs(tmp_path / "in", 4)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the samples that a pipeline is asked about."""
    names: list[str] = []
    ground = toy.ToyGrounder.ground

    def noted(self: toy.ToyGrounder, samples: Any, queries: Any) -> Any:
        names.extend(sample.name for sample in samples)
        return ground(self, samples, queries)

    monkeypatch.setattr(toy.ToyGrounder, "ground", noted)
    return names


def rows(out: Path) -> list[dict[str, Any]]:
    return [row for shard in sorted(out.glob("answers-*.jsonl")) for row in read_shard(shard)]


def failures(out: Path) -> list[dict[str, Any]]:
    return list(read_shard(out / "failures.jsonl"))


# ----------------------------------------------------------------------------- what is written
def test_the_rows_are_the_answers_of_the_pipeline_in_the_order_of_the_items(source: Path, tmp_path: Path) -> None:
    report = zsavs.label(source, tmp_path / "out", ["fused", "audio_to_text"], **TOY)
    assert (report.items, report.done, report.empty, report.failed, report.computed_now) == (4, 2, 2, 0, 4)
    written = rows(tmp_path / "out")
    assert [(row["id"], row["strategy"]) for row in written] == [
        (f"00{number}", strategy) for number in range(4) for strategy in ("fused", "audio_to_text")
    ]
    for name in ("fused", "audio_to_text"):
        pipe = zsavs.build_pipeline(name, "toy")
        for row in (row for row in written if row["strategy"] == name):
            own = pipe(zsavs.AVSample.from_files(source / row["image"], source / row["audio"]))
            back = result_of(row)
            assert isinstance(back, zsavs.AVSResult)
            assert back.phrases == own.phrases
            assert back.queries.phrases == own.queries.phrases
            assert np.array_equal(back.masks, own.masks)
            assert np.array_equal(back.scores, own.scores)
            assert np.array_equal(back.boxes_xyxy, own.boxes_xyxy)
            assert row["status"] == ("done" if len(own) else "empty")
            assert row["preset"] == "toy"
            assert row["models"]["segmenter"].startswith("zsavs.testing.toy")
    assert failures(tmp_path / "out") == []
    assert json.loads((tmp_path / "out" / "report.json").read_text())["items_per_s"] > 0
    assert report.peak_memory_mb > 50
    cards = sorted((tmp_path / "out" / "previews").iterdir())
    assert [card.name for card in cards] == [f"{n}_{s}.png" for n in ("000", "003") for s in ("audio_to_text", "fused")]
    assert Image.open(cards[0]).size[0] > 100


def test_a_video_becomes_tracks(tmp_path: Path) -> None:
    write_video(tmp_path / "in" / "red.mp4")
    report = zsavs.label(tmp_path / "in", tmp_path / "out", ["fused"], fps=4, **TOY)
    assert (report.done, report.failed) == (1, 0), failures(tmp_path / "out")
    (row,) = rows(tmp_path / "out")
    assert (row["id"], row["video"], row["fps"], len(row["frames_s"])) == ("red", "red.mp4", 4, 4)
    assert [track["phrase"] for track in row["tracks"]] == ["red"]
    back = result_of(row)
    assert isinstance(back, zsavs.VideoResult)
    own = zsavs.build_pipeline("fused", "toy").video(tmp_path / "in" / "red.mp4", fps=4, batch_size=2)
    assert np.array_equal(back.tracks[0].mask(1), own.tracks[0].mask(1))
    assert back.tracks[0].times == own.tracks[0].times
    assert [card.name for card in (tmp_path / "out" / "previews").iterdir()] == ["red.png"]


def test_only_the_part_of_the_audio_is_heard_and_times_are_those_of_the_file(tmp_path: Path) -> None:
    import soundfile

    write_pair(tmp_path, "1")
    hums = [toy.tone(colour, seconds=5.0) for colour in ("red", "blue")]
    wave = np.concatenate([hum.waveform for hum in hums], axis=1)
    soundfile.write(tmp_path / "1.wav", wave.T, hums[0].sample_rate_hz)
    table = ["id,image,audio,start_s,end_s", "first,1.png,1.wav,,5", "second,1.png,1.wav,5,10", "late,1.png,1.wav,20,"]
    (tmp_path / "list.csv").write_text("\n".join(table))
    report = zsavs.label(tmp_path / "list.csv", tmp_path / "out", ["fused"], **TOY)
    assert (report.done, report.failed) == (2, 1)
    first, second = rows(tmp_path / "out")
    assert [each["phrase"] for each in first["objects"]] == ["red"]
    assert [each["phrase"] for each in second["objects"]] == ["blue"]
    assert second["heard"][0]["times_s"][0][0] == pytest.approx(5, abs=0.3)
    assert second["heard"][0]["times_s"][-1][1] == pytest.approx(10, abs=0.3)
    assert "begins to be heard at 20 s, and is 10.00 s long" in failures(tmp_path / "out")[0]["error"]


def test_shards_hold_so_many_rows_and_no_earlier_one_stays(source: Path, tmp_path: Path) -> None:
    zsavs.label(source, tmp_path / "out", shard_size=1, **TOY)
    assert len(list((tmp_path / "out").glob("answers-*-of-00004.jsonl"))) == 4
    whole = rows(tmp_path / "out")
    zsavs.label(source, tmp_path / "out", shard_size=3, **TOY)
    names = sorted(path.name for path in (tmp_path / "out").glob("answers-*"))
    assert names == ["answers-00000-of-00002.jsonl", "answers-00001-of-00002.jsonl"]
    assert rows(tmp_path / "out") == whole


def test_parquet_holds_the_same_and_is_exported_as_the_same(source: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    write_video(source / "red.mp4")
    zsavs.label(source, tmp_path / "out", **TOY)
    lines = rows(tmp_path / "out")
    (exported,) = zsavs.export(tmp_path / "out", "coco", tmp_path / "coco")
    zsavs.label(source, tmp_path / "out", form="parquet", shard_size=2, **TOY)
    shards = sorted((tmp_path / "out").glob("answers-*"))
    assert [shard.suffix for shard in shards] == [".parquet"] * 3
    assert [row for shard in shards for row in read_shard(shard)] == lines
    (again,) = zsavs.export(tmp_path / "out", "coco", tmp_path / "again")
    assert again.read_bytes() == exported.read_bytes()
    assert len(json.loads(again.read_text())["annotations"]) > 3


def test_an_export_finds_the_images_of_a_labelling_from_any_folder(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    zsavs.label("in", "out", **TOY)
    monkeypatch.chdir("/")
    zsavs.export(tmp_path / "out", "yolo", tmp_path / "yolo")
    assert caplog.text == ""
    for number in range(4):
        copied = tmp_path / "yolo" / "images" / "train" / f"00{number}.png"
        assert copied.read_bytes() == (source / f"00{number}.png").read_bytes()
    (path,) = zsavs.export(tmp_path / "out", "coco", tmp_path / "coco")
    coco = json.loads(path.read_text())
    assert coco["info"]["image_folder"] == str(source.resolve())
    assert [image["file_name"] for image in coco["images"]] == [f"00{number}.png" for number in range(4)]


def test_parquet_without_pyarrow_is_an_error_before_the_work(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pip install 'zsavs\[parquet\]'"):
        zsavs.label(source, tmp_path / "out", form="parquet", **TOY)
    assert not asked
    (source / "answers-00000-of-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingExtra, match="or give JSON Lines"):
        zsavs.export(source, "coco", tmp_path / "coco")
    (source / "list.parquet").touch()
    with pytest.raises(MissingExtra, match="or give the table as CSV"):
        zsavs.label(source / "list.parquet", tmp_path / "out", **TOY)


# ------------------------------------------------------------------------------ what fails
def test_an_item_that_fails_costs_itself_alone_and_says_why(source: Path, tmp_path: Path) -> None:
    (source / "001.wav").write_bytes(b"no audio")
    (source / "alone.png").write_bytes((source / "000.png").read_bytes())
    report = zsavs.label(source, tmp_path / "out", **TOY)
    assert (report.done, report.empty, report.failed, report.refused) == (1, 2, 1, 1)
    assert [row["id"] for row in rows(tmp_path / "out")] == ["000", "002", "003"]
    lost, broken = failures(tmp_path / "out")
    assert lost["refused"] == "alone.png"
    assert (broken["id"], broken["audio"]) == ("001", "001.wav")
    assert "001.wav" in broken["error"]


def test_a_strategy_that_raises_for_one_item_costs_that_item(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    see = toy.ToyGrounder.ground

    def sometimes(self: toy.ToyGrounder, samples: Any, queries: Any) -> Any:
        if any(sample.name == "001" for sample in samples):
            raise ValueError("cannot see this")
        return see(self, samples, queries)

    monkeypatch.setattr(toy.ToyGrounder, "ground", sometimes)
    report = zsavs.label(source, tmp_path / "out", **TOY)
    assert report.failed == 1
    assert [row["id"] for row in rows(tmp_path / "out")] == ["000", "002", "003"]
    assert failures(tmp_path / "out")[0]["error"] == "ValueError: cannot see this"

    monkeypatch.setattr(toy.ToyGrounder, "ground", see)
    again = zsavs.label(source, tmp_path / "out", **TOY)
    assert (again.computed_now, again.failed) == (0, 1)
    again = zsavs.label(source, tmp_path / "out", retry_failed=True, **TOY)
    assert (again.computed_now, again.failed) == (1, 0)
    zsavs.label(source, tmp_path / "whole", **TOY)
    assert rows(tmp_path / "out") == rows(tmp_path / "whole")


# ------------------------------------------------------------------------ what is done again
def test_nothing_is_done_twice(source: Path, tmp_path: Path, asked: list[str]) -> None:
    zsavs.label(source, tmp_path / "out", **TOY)
    before = rows(tmp_path / "out")
    assert sorted(asked) == ["000", "001", "002", "003"]
    report = zsavs.label(source, tmp_path / "out", **TOY)
    assert (report.computed_now, len(asked)) == (0, 4)
    assert rows(tmp_path / "out") == before


def test_a_changed_file_and_a_new_item_are_done_and_no_other(source: Path, tmp_path: Path, asked: list[str]) -> None:
    zsavs.label(source, tmp_path / "out", **TOY)
    asked.clear()
    write_pair(source, "000", ("blue",), seed=9)
    os.utime(source / "000.wav", ns=(1, 1))  # as many bytes as before, and another time
    write_pair(source, "000a", ("red",), seed=5)
    (source / "003.png").unlink()
    report = zsavs.label(source, tmp_path / "out", **TOY)
    assert sorted(asked) == ["000", "000a"]
    assert (report.items, report.computed_now, report.refused) == (4, 2, 1)
    zsavs.label(source, tmp_path / "whole", **TOY)
    assert rows(tmp_path / "out") == rows(tmp_path / "whole")
    assert rows(tmp_path / "out")[0]["objects"][0]["phrase"].startswith("blue")


def test_other_settings_are_refused_with_the_difference_or_compute_all(
    source: Path, tmp_path: Path, asked: list[str]
) -> None:
    zsavs.label(source, tmp_path / "out", ["fused"], **TOY)
    with pytest.raises(OutputError, match=r"\(settings: \{\} then, \{'min_z': 99\} now\)"):
        zsavs.label(source, tmp_path / "out", ["fused"], min_z=99, **TOY)
    with pytest.raises(OutputError, match=r"\(strategies: \['fused'\] then, \['audio_to_text'\] now\)"):
        zsavs.label(source, tmp_path / "out", ["audio_to_text"], **TOY)
    report = zsavs.label(source, tmp_path / "out", ["fused"], min_z=99, refresh=True, **TOY)
    assert (report.computed_now, report.empty) == (4, 4)


def test_a_file_that_changes_while_it_is_read_has_no_answer(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground = toy.ToyGrounder.ground

    def meanwhile(self: toy.ToyGrounder, samples: Any, queries: Any) -> Any:
        os.utime(source / "002.png", ns=(7, 7))
        return ground(self, samples, queries)

    monkeypatch.setattr(toy.ToyGrounder, "ground", meanwhile)
    assert zsavs.label(source, tmp_path / "out", **TOY).failed == 1
    assert "changed while it was labelled" in failures(tmp_path / "out")[0]["error"]
    report = zsavs.label(source, tmp_path / "out", **TOY)
    assert (report.failed, report.computed_now) == (0, 1)


def test_a_damaged_part_is_done_again(source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    zsavs.label(source, tmp_path / "out", **TOY)
    before = rows(tmp_path / "out")
    part = sorted((tmp_path / "out" / "parts").rglob("*.jsonl"))[0]
    part.write_bytes(part.read_bytes()[:-30])
    report = zsavs.label(source, tmp_path / "out", **TOY)
    assert report.computed_now == 1
    assert "damaged" in caplog.text
    assert rows(tmp_path / "out") == before


# -------------------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"engine": "spark"}, "engine: there is 'local' and 'ray', got 'spark'"),
        ({"strategies": "fused"}, "takes a list of strategies"),
        ({"form": "csv"}, "format: expected jsonl or parquet"),
        ({"previews": -1}, "previews"),
        ({"shard_size": 0}, "shard_size"),
        ({"decomposition": object()}, "takes names and plain values"),
    ],
)
def test_what_cannot_be_used_is_said_before_the_work(
    source: Path, tmp_path: Path, change: dict[str, Any], said: str, asked: list[str]
) -> None:
    with pytest.raises(InputError, match=said):
        zsavs.label(source, tmp_path / "out", **{**TOY, **change})
    assert not asked
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_things_is_not_written_to(source: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="and no labelling job"):
        zsavs.label(source, source, **TOY)


def test_two_processes_do_not_write_to_one_folder(source: Path, tmp_path: Path) -> None:
    from zsavs.storage.folder_lock import lock_folder

    with (
        lock_folder(tmp_path / "out"),
        pytest.raises(OutputError, match="another process is running into it"),
    ):
        zsavs.label(source, tmp_path / "out", **TOY)
