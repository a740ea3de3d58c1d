"""The command line: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

import zsavs
from zsavs.build import pipelines
from zsavs.cli import demo
from zsavs.cli.main import main
from zsavs.testing import toy

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """A toy scene as files: red and blue are visible, blue hums."""
    sample, _ = toy.scene(("red", "blue"), ("blue",))
    image, recording = tmp_path / "scene.png", tmp_path / "scene.wav"
    Image.fromarray(sample.image).save(image)
    soundfile.write(recording, sample.audio.waveform.T, sample.audio.sample_rate_hz)
    return str(image), str(recording)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four toy scenes in img/, wav/ and gt_seg/; in the last one the sound is off-screen."""
    root = tmp_path / "set"
    for part in ("img", "wav", "gt_seg"):
        (root / part).mkdir(parents=True)
    for number, sounding in enumerate(("red", "blue", "red", "green")):
        sample, target = toy.scene(("red", "blue"), (sounding,), seed=number)
        Image.fromarray(sample.image).save(root / "img" / f"{number}.png")
        soundfile.write(root / "wav" / f"{number}.wav", sample.audio.waveform.T, sample.audio.sample_rate_hz)
        Image.fromarray(target).save(root / "gt_seg" / f"{number}.png")
    return root


# ----------------------------------------------------------------------------- segment, compare
def test_segment_says_when_each_source_sounds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample, _ = toy.scene(("red", "green", "blue"), ())
    wave = np.concatenate([toy.tone(colour).waveform[0] for colour in ("red", "blue")])
    Image.fromarray(sample.image).save(tmp_path / "scene.png")
    soundfile.write(tmp_path / "scene.wav", wave, 16_000)
    given = ["segment", str(tmp_path / "scene.png"), str(tmp_path / "scene.wav"), "--out", str(tmp_path / "out")]
    given += ["--preset", "toy", "--strategy", "audio_to_text", "--decomposition", "windows", "--stereo"]
    assert main(given) == 0
    said = capsys.readouterr().out
    assert re.search(r"heard: red 0\.99 at 0\.0-2\.\d s, blue 0\.99 at [12]\.\d-4\.0 s\n", said), said
    assert main([*given, "--json"]) == 0
    heard = {row["phrase"]: row["times_s"] for row in json.loads(capsys.readouterr().out)["heard"]}
    assert np.ravel(heard["red"]) == pytest.approx([0, 2], abs=0.5)
    assert np.ravel(heard["blue"]) == pytest.approx([2, 4], abs=0.5)
    saved = zsavs.AVSResult.load(tmp_path / "out" / "scene.json")
    assert (saved.meta["decomposition"], saved.meta["stereo"]) == ("windows", True)
    assert main([*given[:-3], "--decomposition", "nothing"]) == 2
    assert "windows" in capsys.readouterr().err


def test_eval_takes_recordings_apart(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["eval", "--root", str(folder), "--preset", "toy", "--strategy", "fused", "--out", str(tmp_path / "run")]
    assert main([*run, "--decomposition", "nmf", "--stereo"]) == 0
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert (settings["decomposition"], settings["stereo"]) == ("nmf", True)
    capsys.readouterr()
    assert main(run) == 1, "another plan in the same folder"
    assert "decomposition" in capsys.readouterr().err


def test_a_home_is_found_where_the_shell_has_left_it_alone(
    pair: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert main(["segment", *pair, "--preset", "toy", "--out=~/answers"]) == 0
    assert (tmp_path / "home" / "answers" / "scene.json").is_file()
    assert not (tmp_path / "~").exists()


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


def test_the_doorway_spellings_work(pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image, recording = pair
    for word in ("--methods", "--method", "--strategy"):
        words = [
            word,
            "fused",
            "--img_path",
            image,
            "--wav_path",
            recording,
            "--preset",
            "toy",
            "--out",
            str(tmp_path),
        ]
        assert main(["segment", *words]) == 0
        assert capsys.readouterr().out.startswith("fused (toy)")


def test_compare_runs_every_strategy(pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *pair, "--preset", "toy", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    for name in zsavs.list_components("strategy"):
        assert f"{name} (toy)" in said
        assert (tmp_path / "out" / f"scene_{name}_card.png").exists()
    assert Image.open(tmp_path / "out" / "scene_compare.png").width > 1900


def test_compare_puts_several_pairs_on_one_page_a_row_each(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    sample, _ = toy.scene(("red", "blue"), ("red",))
    soundfile.write(other / "red.wav", sample.audio.waveform.T, sample.audio.sample_rate_hz)
    Image.fromarray(sample.image).save(other / "scene.png")
    pairs = [*pair, str(other / "scene.png"), str(other / "red.wav")]  # two images of one name
    run = ["compare", *pairs, "--preset", "toy", "--strategy", "fused", "--strategy", "cross_modal"]
    run += ["--out", str(tmp_path / "out")]
    assert main(run) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if " + " in line] == [f"{pair[0]} + {pair[1]}", " + ".join(pairs[2:])]
    found = [line.split()[1] for line in said if line.startswith("  found:")]
    assert found == ["blue", "blue", "red", "red"]
    sheet = np.asarray(Image.open(tmp_path / "out" / "compare.png"))
    assert said[-1] == f"side by side: {tmp_path / 'out' / 'compare.png'}"
    assert sheet.shape[1] == 16 + 2 * (640 + 16), "two strategies side by side"
    cards = [Image.open(tmp_path / "out" / f"{stem}_fused_card.png") for stem in ("scene", "scene-2")]
    heights = [round(card.height * 640 / card.width) for card in cards]
    assert sheet.shape[0] == sum(heights) + 3 * 16, "two pairs, one above the other"
    assert main([*run, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["audio"] for row in told] == pairs[1::2]
    assert [row["answers"]["fused"]["objects"][0]["phrase"].split()[0] for row in told] == ["blue", "red"]


def test_a_vocabulary_file_is_used(pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = tmp_path / "words.txt"
    words.write_text("# colours\nred\nsomething blue\n")
    arguments = ["segment", *pair, "--preset", "toy", "--strategy", "audio_to_text", "--vocabulary", str(words)]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    assert "something blue" in capsys.readouterr().out


# ----------------------------------------------------------------------------------------- eval
def test_eval_scores_a_folder(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(["eval", "--test_data_path", str(folder), "--preset", "toy", "--out", str(out)]) == 0
    assert "cross_modal" in capsys.readouterr().out
    report = json.loads((out / "report.json").read_text())
    assert report["dataset"]["done"] == 4
    for name in zsavs.list_components("strategy"):
        means = next(r for r in report["rows"] if (r["strategy"], r["audio"]) == (name, "recorded"))["fixed"]
        assert means["J"] > 0.99
        assert means["empty"] == 0.25  # the off-screen item
        assert means["false_positive_share"] < 0.01


def test_eval_opens_the_data_set_with_the_options_given(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["eval", "--root", str(folder), "--preset", "toy", "--strategy", "fused", "--no-ablations"]
    assert main([*run, "--option", "target_size=32", "--out", str(tmp_path / "run")]) == 0
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert settings["dataset_options"] == {"target_size": 32}
    assert main(["data", "check", "folder", str(folder), "--option", "target_size=none"]) == 0
    capsys.readouterr()
    for option, code, said in (
        ("size=32", 2, "target_size"),
        ("target_size=big", 1, "int"),
        ("target_size", 1, "NAME=VALUE"),
    ):
        assert main([*run, "--option", option]) == code
        assert said in capsys.readouterr().err


def test_eval_keeps_images_in_a_run_folder_only(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["eval", "--root", str(folder), "--preset", "toy", "--strategy", "fused", "--save-visuals"]
    assert main([*run, "2"]) == 2
    assert "--out" in capsys.readouterr().err
    assert main([*run, "-1"]) == 2


def test_eval_records_a_bad_item_and_goes_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "wav" / "1.wav").write_bytes(b"not a recording")
    assert main(["eval", "--root", str(folder), "--preset", "toy", "--methods", "fused", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["dataset"]["done"] == 3
    assert [row["item"] for row in report["dataset"]["failed"]] == ["1"]
    assert "1.wav" in report["dataset"]["failed"][0]["error"]


def test_eval_says_how_many_failed_where_they_are_listed_and_tries_them_again_when_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = (folder / "wav" / "1.wav").read_bytes()
    (folder / "wav" / "1.wav").write_bytes(b"not a recording")
    run = ["eval", "--root", str(folder), "--preset", "toy", "--methods", "fused", "--out", str(tmp_path / "run")]
    assert main([*run, "--json"]) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert "1 of 4 items failed" in last
    assert str(tmp_path / "run" / "report.html") in last
    assert "--retry-failed" in last
    (folder / "wav" / "1.wav").write_bytes(good)
    assert main(run) == 0
    assert "1 of 4 items failed" in capsys.readouterr().err, "what is finished is not begun again"
    assert main([*run, "--retry-failed"]) == 0
    said = capsys.readouterr()
    assert "failed" not in said.err
    assert "4 items;" in said.out


def test_eval_limit_and_batch_size_do_not_change_scores(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reports = []
    for size in ("1", "3"):
        arguments = ["eval", "--root", str(folder), "--preset", "toy", "--limit", "3", "--batch-size", size, "--json"]
        assert main(arguments) == 0
        reports.append(json.loads(capsys.readouterr().out))
    assert reports[0]["dataset"]["done"] == 3
    fixed = [[(row["strategy"], row["audio"], row["fixed"]) for row in report["rows"]] for report in reports]
    assert fixed[0] == fixed[1]


def test_eval_fails_where_nothing_could_be_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (folder / "img").iterdir():
        path.write_bytes(b"")
    assert main(["eval", "--root", str(folder), "--preset", "toy"]) == 1
    assert "no item could be evaluated" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["img", "wav", "gt_seg"])
def test_eval_names_the_folder_that_is_missing(folder: Path, missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / missing).rename(folder / "elsewhere")
    assert main(["eval", "--root", str(folder), "--preset", "toy"]) == 1
    assert str(folder / missing) in capsys.readouterr().err


# -------------------------------------------------------------------------------- other commands
def test_demo_runs_without_a_network_and_says_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "very small trained models" in said
    assert "zsavs download base" in said
    assert len(list(tmp_path.glob("*.png"))) == len(demo.STRATEGIES) * len(demo.shipped_scenes())
    assert (tmp_path / "index.html").is_file()


def test_list_names_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert known["strategy"] == zsavs.list_components("strategy")
    assert main(["list", "preset"]) == 0
    said = capsys.readouterr().out
    assert "laion/clap-htsat-unfused" in said
    assert "Apache-2.0" in said


def test_download_shows_size_and_licence_and_fetches_nothing_on_a_dry_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "base", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "facebook/sam2.1-hiera-tiny" in said
    assert "MB" in said
    assert "Apache-2.0" in said


def test_download_without_a_network_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "base"]) == 1
    said = capsys.readouterr()
    assert "licence" in said.out  # told before anything was tried
    assert said.err.count("\n") == 1
    assert "could not be fetched" in said.err


def test_doctor_finds_this_installation_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for word in ("torch", "transformers", "preset base", "preset toy is present", "weights are looked for in"):
        assert word in said


# -------------------------------------------------------------------------- errors and exit codes
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "COMMAND"),
        (["segment"], 2, "give an image and a recording"),
        (["segment", "a.jpg", "b.wav", "--nonsense"], 2, "unrecognized"),
        (["compare", "a.jpg", "b.wav", "c.jpg"], 2, "c.jpg: an image without a recording"),
        (["segment", "a.jpg", "b.wav", "c.jpg", "d.wav"], 2, "unrecognized"),
        (["segment", "a.jpg", "b.wav", "--img_path", "c.jpg"], 2, "and not both"),
        (["segment", "--img_path", "a.jpg", "b.wav"], 2, "and not both"),
        (["segment", "a.jpg", "b.wav", "--label-set", ""], 2, "--label-set: must not be empty"),
        (["segment", "a.jpg", "b.wav", "--preset", " "], 2, "--preset: must not be empty"),
        (["eval", "--dataset", "orchestra", "--out", ""], 2, "--out: must not be empty"),
        (["calibrate", "--audio", "x", "--images", ""], 2, "--images: must not be empty"),
        (["nonsense"], 2, "invalid choice"),
        (["list", "nonsense"], 2, "kind of component"),
        (["download", "nonsense"], 2, "preset"),
        (["eval", "--root", "x", "--limit", "0"], 2, "at least 1"),
        (["eval", "--dataset", "orchestra", "--save-visuals", "-3"], 2, "at least 1"),
        (["eval", "--dataset", "orchestra", "--save-visuals", "1"], 2, "--out RUN"),
        (["eval", "--dataset", "orchestra", "--retry-failed"], 2, "--out RUN"),
    ],
)
def test_wrong_usage_is_2(arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == code
    said = capsys.readouterr()
    assert words in said.err + said.out


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


def test_without_a_preset_what_ships_is_used_and_said(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipelines._say_limits.cache_clear()
    assert main(["segment", *pair, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert "using preset nano" in said
    assert "photographs" in said
    assert "zsavs download base" in said


def test_an_unexpected_failure_is_one_line_too(
    pair: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(toy.ToyGrounder, "ground", lambda *_: 1 / 0)
    assert main(["segment", *pair, "--preset", "toy", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    assert "report" in said
    assert "Traceback" not in said
    assert main(["-v", "segment", *pair, "--preset", "toy", "--out", str(tmp_path)]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_output_folder_that_is_a_file(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", *pair, "--preset", "toy", "--out", pair[0]]) == 1
    said = capsys.readouterr().err
    assert "cannot be written" in said
    assert said.count("\n") == 1


# ------------------------------------------------------------------------------ as a process
def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_ctrl_c_is_130_and_one_line(folder: Path) -> None:
    code = (
        # A shell's background job, as tests may be run, ignores SIGINT and hands that on.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import sys, time; from zsavs.testing import toy; from zsavs.cli.main import main\n"
        "slow = toy.ToyGrounder.ground\n"
        "def ground(self, *a):\n    print('working', flush=True); time.sleep(60)\n    return slow(self, *a)\n"
        "toy.ToyGrounder.ground = ground\n"
        f"sys.exit(main(['eval', '--root', {str(folder)!r}, '--preset', 'toy']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        said = process.stderr.read()
    assert "interrupted" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("doorway", ["inference_demo.py", "eval.py"])
def test_doorways_are_the_commands(doorway: str, pair: tuple[str, str], folder: Path, tmp_path: Path) -> None:
    image, recording = pair
    words = {
        "inference_demo.py": ["--img_path", image, "--wav_path", recording, "--out", str(tmp_path / "out")],
        "eval.py": ["--test_data_path", str(folder)],
    }[doorway]
    done = subprocess.run(
        [sys.executable, str(ROOT / doorway), "--methods", "cross_modal", "--preset", "toy", *words],
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "cross_modal" in done.stdout


def test_help_takes_under_a_second_and_loads_no_torch() -> None:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "zsavs", "--help"],
            env=_environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        times.append(time.perf_counter() - start)
    assert "segment" in done.stdout
    assert not any(line.split("|")[-1].strip() == "torch" for line in done.stderr.splitlines())
    assert min(times) < 1.0


# ------------------------------------------------------------------- shards, merging, data check
def test_shards_are_run_and_merged(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["eval", "--root", str(folder), "--preset", "toy", "--methods", "fused", "--batch-size", "1"]
    for part in ("1/2", "2/2"):
        assert main([*common, "--shard", part, "--out", str(tmp_path / part[0])]) == 0
    assert main(["merge", str(tmp_path / "1"), str(tmp_path / "2"), "--out", str(tmp_path / "all")]) == 0
    assert "4 items" in capsys.readouterr().out
    assert (tmp_path / "all" / "report.html").exists()
    assert main(["merge", str(tmp_path / "1"), "--out", str(tmp_path / "half")]) == 1
    assert "missing" in capsys.readouterr().err
    assert main([*common, "--shard", "3/2"]) == 2


def test_data_check_says_what_is_missing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "folder", str(folder)]) == 0
    assert "complete" in capsys.readouterr().out
    (folder / "wav" / "1.wav").unlink()
    assert main(["data", "check", "folder", str(folder)]) == 1
    assert "wav" in capsys.readouterr().out
