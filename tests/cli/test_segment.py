"""``zsavs segment``: what it prints and what it writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

import zsavs
from zsavs.build import pipelines
from zsavs.cli.main import main
from zsavs.testing import toy


def test_segment_says_when_each_source_sounds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample, _ = toy.scene(("red", "green", "blue"), ())
    wave = np.concatenate([toy.tone(colour).waveform[0] for colour in ("red", "blue")])
    Image.fromarray(sample.image).save(tmp_path / "scene.png")
    soundfile.write(tmp_path / "scene.wav", wave, 16_000)
    given = ["segment", str(tmp_path / "scene.png"), str(tmp_path / "scene.wav"), "--out", str(tmp_path / "out")]
    given += ["--preset", "toy", "--strategy", "audio_to_text", "--decomposition", "windows", "--stereo"]
    assert main(given) == 0
    said = capsys.readouterr().out
    assert re.search(r"heard: red 0\.9\d at 0\.0-2\.\d s, blue 0\.9\d at [12]\.\d-4\.0 s\n", said), said
    assert main([*given, "--json"]) == 0
    heard = {row["phrase"]: row["times_s"] for row in json.loads(capsys.readouterr().out)["heard"]}
    assert np.ravel(heard["red"]) == pytest.approx([0, 2], abs=0.5)
    assert np.ravel(heard["blue"]) == pytest.approx([2, 4], abs=0.5)
    saved = zsavs.AVSResult.load(tmp_path / "out" / "scene.json")
    assert (saved.meta["decomposition"], saved.meta["stereo"]) == ("windows", True)
    assert main([*given[:-3], "--decomposition", "nothing"]) == 2
    assert "windows" in capsys.readouterr().err


def test_segment_writes_the_images_and_says_what_sounds(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["segment", *pair, "--preset", "toy", "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "found: blue thing" in said.out
    assert "red" not in said.out
    assert {path.name for path in out.iterdir()} == {
        f"scene{end}" for end in ("_card.png", "_overlay.png", "_mask.png", "_score.png", ".json")
    }
    saved = zsavs.AVSResult.load(out / "scene.json")
    assert saved.phrases == ("blue thing",)
    assert np.array_equal(np.asarray(Image.open(out / "scene_mask.png")) > 0, saved.mask)


def test_segment_json_is_for_machines(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["segment", *pair, "--preset", "toy", "--out", str(tmp_path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [row["phrase"] for row in answer["objects"]] == ["blue thing"]
    assert answer["objects"][0]["pixels"] > 100
    assert Path(answer["files"]["card"]).exists()


def test_the_older_spellings_work(pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image, audio_file = pair
    for word in ("--methods", "--method", "--strategy"):
        words = [
            word,
            "fused",
            "--img_path",
            image,
            "--wav_path",
            audio_file,
            "--preset",
            "toy",
            "--out",
            str(tmp_path),
        ]
        assert main(["segment", *words]) == 0
        assert capsys.readouterr().out.startswith("fused (toy)")


def test_a_vocabulary_file_is_used(pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = tmp_path / "words.txt"
    words.write_text("# colours\nred\nsomething blue\n")
    arguments = ["segment", *pair, "--preset", "toy", "--strategy", "audio_to_text", "--vocabulary", str(words)]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    assert "something blue" in capsys.readouterr().out


def test_a_home_is_found_where_the_shell_has_left_it_alone(
    pair: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert main(["segment", *pair, "--preset", "toy", "--out=~/answers"]) == 0
    assert (tmp_path / "home" / "answers" / "scene.json").is_file()
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize(
    ("option", "value", "code", "words"),
    [
        ("--strategy", "crossmodal", 2, "did you mean 'cross_modal'"),
        ("--preset", "bas", 2, "did you mean 'base'"),
        ("--preset", "base", 1, "zsavs download"),
        ("--vocabulary", "nowhere.txt", 1, "nowhere.txt"),
        ("--device", "gpu", 2, "device"),
        ("--dtype", "int4", 2, "dtype"),
    ],
)
def test_wrong_options_are_one_line(
    pair: tuple[str, str],
    tmp_path: Path,
    option: str,
    value: str,
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = {"--preset": "toy", "--out": str(tmp_path), option: value}
    assert main(["segment", *pair, *(word for item in options.items() for word in item)]) == code
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert "Traceback" not in said


def test_without_a_preset_no_small_world_answers_and_the_smallest_is_offered_first(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["segment", *pair, "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert 0 < said.index("zsavs download pocket (14.5 MB)") < said.index("zsavs download base")
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_preset_of_a_small_world_says_what_it_does_not_know(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipelines._say_limits.cache_clear()
    assert main(["segment", *pair, "--preset", "nano", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert "photographs" in said
    assert "zsavs download base" in said


def test_an_output_folder_that_is_a_file(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", *pair, "--preset", "toy", "--out", pair[0]]) == 1
    said = capsys.readouterr().err
    assert "cannot be written" in said
    assert said.count("\n") == 1
