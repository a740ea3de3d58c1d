"""The command line as a whole: exit codes, one line for each error, nothing changed in the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from warm_process import EVALUATION, WarmProcess, run_script

from zsavs.cli.main import main
from zsavs.testing import toy

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "COMMAND"),
        (["segment"], 2, "give an image and an audio file"),
        (["segment", "a.jpg", "b.wav", "--nonsense"], 2, "No such option: --nonsense"),
        (["compare", "a.jpg", "b.wav", "c.jpg"], 2, "c.jpg: an image without an audio file"),
        (["segment", "a.jpg", "b.wav", "c.jpg", "d.wav"], 2, "unexpected extra argument(s) (c.jpg d.wav)"),
        (["segment", "a.jpg", "b.wav", "--img_path", "c.jpg"], 2, "and not both"),
        (["segment", "--img_path", "a.jpg", "b.wav"], 2, "and not both"),
        (["segment", "a.jpg", "b.wav", "--label-set", ""], 2, "--label-set: must not be empty"),
        (["segment", "a.jpg", "b.wav", "--preset", " "], 2, "--preset: must not be empty"),
        (["eval", "--dataset", "orchestra", "--out", ""], 2, "--out: must not be empty"),
        (["calibrate", "--audio", "x", "--images", ""], 2, "--images: must not be empty"),
        (["nonsense"], 2, "No such command 'nonsense'"),
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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["segment", "a.jpg", "b.wav", "--strateg", "fused"],
            "--strateg; did you mean --start or --strategy or --tracker?",
        ),
        (["segmnt"], "Did you mean 'segment'?"),
        (["segment", "a.jpg", "b.wav", "--out"], "'--out' requires an argument"),
        (["eval", "--json=1"], "'--json' does not take a value"),
        (["eval", "--root", "--json"], "--root: needs a value, and got the option --json"),
        (["eval", "--root", "x", "--limit", "many"], "--limit: must be a whole number, and 'many' is none"),
        (["eval", "--root", "x", "--smooth", "much"], "--smooth: must be a number, and 'much' is none"),
        (["eval", "--root", "x", "--shard", "3/2"], "--shard: must be I/N"),
        (["merge", "--out", "x"], "Missing argument 'RUN...'"),
        (["merge", "x"], "Missing option '--out'"),
        (["download"], "Missing argument 'PRESET|REPOSITORY'"),
    ],
)
def test_wrong_words_are_told_in_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No box and no break at the terminal's width, so that the sentence can be searched for."""
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("zsavs: error: ")
    assert words in said.err
    assert said.err.count("\n") == 1


def test_without_a_command_the_help_is_printed_and_it_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    said = capsys.readouterr()
    assert "Usage: zsavs" in said.out
    assert said.err == ""


@pytest.mark.parametrize("words", [["--version"], ["-v", "--version"]])
def test_the_version(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert capsys.readouterr().out == "zsavs 0.1.0\n"


def test_more_is_said_wherever_v_stands(
    pair: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(toy.ToyGrounder, "ground", lambda *_: 1 / 0)
    words = ["segment", *pair, "--preset", "toy", "--out", str(tmp_path)]
    for given, more in ((words, False), (["-v", *words], True), ([*words, "-v"], True), ([*words, "-vv"], True)):
        assert main(given) == 1
        assert ("Traceback" in capsys.readouterr().err) == more


def test_nothing_of_the_process_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sys.excepthook, signal.getsignal(signal.SIGINT), dict(os.environ)
    assert main(["list", "--json"]) == 0
    assert main(["segment", "--help"]) == 0
    assert main(["nonsense"]) == 2
    assert (sys.excepthook, signal.getsignal(signal.SIGINT), dict(os.environ)) == before


# ------------------------------------------------------------------------------ as a process
def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_ctrl_c_is_130_and_one_line(folder: Path) -> None:
    code = """
# A shell's background job, as tests may be run, ignores SIGINT and hands that on.
signal.signal(signal.SIGINT, signal.default_int_handler)
from zsavs.testing import toy
def ground(*_):
    print("working", flush=True)
    time.sleep(60)
toy.ToyGrounder.ground = ground
sys.exit(main(["eval", "--root", sys.argv[1], "--preset", "toy"]))
"""
    with WarmProcess(code, folder, imports=EVALUATION, seconds=50) as process:
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        said = process.stderr
    assert "interrupted" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("doorway", ["inference_demo.py", "eval.py"])
def test_doorways_are_the_commands(doorway: str, pair: tuple[str, str], folder: Path, tmp_path: Path) -> None:
    image, audio_file = pair
    words = {
        "inference_demo.py": ["--img_path", image, "--wav_path", audio_file, "--out", str(tmp_path / "out")],
        "eval.py": ["--test_data_path", str(folder)],
    }[doorway]
    arguments = ["--methods", "cross_modal", "--preset", "toy", *words]
    done = run_script(ROOT / doorway, *arguments)
    assert done.returncode == 0, done.stderr
    assert "cross_modal" in done.stdout


def test_the_version_is_known_without_the_libraries_that_read_arguments() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "zsavs", "--version"],
        env=_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"typer", "rich", "argparse", "numpy", "torch"}


def test_what_is_registered_for_the_end_is_done_and_the_exit_code_is_kept(tmp_path: Path) -> None:
    """The process ends without taking its objects apart; threads, files and registered functions are waited for."""
    late, kept = tmp_path / "late", tmp_path / "kept"
    code = f"""
import atexit, sys, tempfile, threading, time
from pathlib import Path
folder = tempfile.TemporaryDirectory()
Path({str(kept)!r}).write_text(folder.name)
atexit.register(lambda: print("registered"))
threading.Thread(target=lambda: (time.sleep(0.3), Path({str(late)!r}).write_text("written"))).start()
sys.argv = ["zsavs", *sys.argv[1:]]
from zsavs.cli.main import entry
entry()
"""
    for words, expected in ((["--version"], 0), (["list", "no-such-kind"], 2)):
        late.unlink(missing_ok=True)
        run = [sys.executable, "-c", code, *words]
        done = subprocess.run(run, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
        assert done.returncode == expected, done.stderr
        assert done.stdout.endswith("registered\n")
        assert late.read_text() == "written"
        assert not Path(kept.read_text()).exists(), "a temporary folder is removed at the end"
