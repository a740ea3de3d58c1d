"""What goes wrong around a run: full disks, killed and interrupted processes, two at once, a closed terminal."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from limits import ROOT, bounded
from PIL import Image
from warm_process import EVALUATION, WarmProcess

import zsavs
from zsavs.cli.main import main
from zsavs.datasets.folder import Folder
from zsavs.errors import InputError, ResultFileError
from zsavs.evaluation import Plan, evaluate, merge
from zsavs.evaluation.resumable_run import ResumableRun
from zsavs.testing import toy


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight toy scenes."""
    root = tmp_path_factory.mktemp("scenes")
    for part in ("img", "wav", "gt_seg"):
        (root / part).mkdir()
    for number in range(8):
        sample, target = toy.scene(("red", "blue"), ("blue",), size_hw=(32, 48), seed=number)
        Image.fromarray(sample.image).save(root / "img" / f"{number}.png")
        soundfile.write(root / "wav" / f"{number}.wav", sample.audio.waveform.T, sample.audio.sample_rate_hz)
        Image.fromarray(target).save(root / "gt_seg" / f"{number}.png")
    return root


def command(scenes: Path, out: Path, *more: str) -> list[str]:
    return [
        *("eval", "--root", str(scenes), "--strategy", "fused", "--preset", "toy", "--batch-size", "1"),
        *("--out", str(out), *more),
    ]


#: The command line in a process of its own, which says when it works on a batch, and from the one of this number on
#: does not go on before a file is there.
SLOW = """
from zsavs.testing import toy
go, first, *arguments = sys.argv[1:]
ground, batches = toy.ToyGrounder.ground, iter(range(1, 100))
def slow(self, *given):
    print("batch", flush=True)
    if next(batches) >= int(first):
        while not Path(go).exists():
            time.sleep(0.01)
    return ground(self, *given)
toy.ToyGrounder.ground = slow
# Ignored where the tests run in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main(arguments))
"""


def started(arguments: list[str], go: Path, batch: int = 1) -> WarmProcess:
    """Start it and wait until it works on the batch of this number, where it stays until ``go`` is there."""
    process = WarmProcess(SLOW, go, batch, *arguments, imports=EVALUATION)
    for _ in range(batch):
        assert process.stdout.readline() == "batch\n", process.stderr
    return process


# -------------------------------------------------------------------------------- interruptions
def test_ctrl_c_ends_with_130_and_keeps_what_was_finished(scenes: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with started(command(scenes, run, "--no-ablations"), tmp_path / "go", batch=4) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        said = process.stderr
    assert said.splitlines()[-1] == "zsavs: interrupted: interrupted; what was finished is kept"
    assert "Traceback" not in said
    kept = len((run / "batches.jsonl").read_text().splitlines())
    assert 1 <= kept < 8
    assert main(command(scenes, run, "--no-ablations")) == 0
    assert len((run / "batches.jsonl").read_text().splitlines()) == 8


def test_a_second_process_is_refused_and_the_first_goes_on(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    with started(command(scenes, run, "--no-ablations"), tmp_path / "go") as process:
        before = time.monotonic()
        assert main(command(scenes, run, "--no-ablations")) == 1
        assert time.monotonic() - before < 60, "refused, not kept waiting"
        assert "another process is running into it" in capsys.readouterr().err
        (tmp_path / "go").touch()
        assert process.wait() == 0
    assert len((run / "batches.jsonl").read_text().splitlines()) == 8


def test_a_killed_worker_costs_its_own_shard_only(scenes: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", [tmp_path / "1", tmp_path / "2"]
    assert main(command(scenes, whole, "--no-ablations")) == 0
    assert main(command(scenes, parts[0], "--no-ablations", "--shard", "1/2")) == 0
    with started(command(scenes, parts[1], "--no-ablations", "--shard", "2/2"), tmp_path / "go", batch=2) as process:
        process.send_signal(signal.SIGKILL)
    with pytest.raises(InputError, match=r"batches are missing"):
        merge(parts, tmp_path / "early")
    assert main(command(scenes, parts[1], "--no-ablations", "--shard", "2/2")) == 0
    merge(parts, tmp_path / "merged")
    assert (tmp_path / "merged" / "metrics.json").read_bytes() == (whole / "metrics.json").read_bytes()


# ------------------------------------------------------------------------------------ full disks
def test_a_full_disk_in_the_middle_of_a_run(scenes: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: a line of the run is cut in the middle by the system."""
    whole, run = tmp_path / "whole", tmp_path / "run"
    plan = "Plan(strategies=('fused',), preset='toy', batch_size=1, audio=('recorded',))"
    evaluate(Folder(scenes), eval(plan, {"Plan": Plan}), whole)
    size = (whole / "batches.jsonl").stat().st_size
    lines = (whole / "batches.jsonl").read_text().splitlines()
    done = bounded(
        "import resource; from zsavs.datasets.folder import Folder\n"
        "from zsavs.errors import OutputError; from zsavs.evaluation import Plan, evaluate\n"
        # From when the settings are written on, which are larger than so few batches.
        "def fill(count):\n"
        f"    resource.setrlimit(resource.RLIMIT_FSIZE, ({size * 5 // 8}, {size * 5 // 8}))\n"
        f"try:\n    evaluate(Folder(sys.argv[1]), {plan}, sys.argv[2], on_items=fill)\n"
        "except OutputError as error:\n    print('refused', error)\n",
        scenes,
        run,
        imports=EVALUATION,
        mebibytes=4096,
    )
    assert done.stdout.startswith(f"refused {run}: cannot be written"), done.stderr[-500:]
    assert "free some space and run the same command again" in done.stdout
    kept = (run / "batches.jsonl").read_bytes()
    assert kept.endswith(b"\n")
    assert 1 <= kept.count(b"\n") < len(lines)
    evaluate(Folder(scenes), eval(plan, {"Plan": Plan}), run)
    assert (run / "metrics.json").read_bytes() == (whole / "metrics.json").read_bytes()


def test_a_full_disk_while_the_report_is_written_loses_no_batch(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(
            "zsavs.evaluation.runner.write_report",
            lambda *_: zsavs.storage.files.write_atomically(tmp_path / "x", full),
        )
        assert main(command(scenes, tmp_path / "run", "--no-ablations")) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
    monkeypatch.setattr(toy.ToyAudioText, "encode_audio", lambda *_: pytest.fail("an item was answered again"))
    assert main(command(scenes, tmp_path / "run", "--no-ablations")) == 0


RUN_FOLDER = (
    "import sys; from zsavs.errors import OutputError, ResultFileError\n"
    "from zsavs.evaluation.resumable_run import ResumableRun\n"
)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
@pytest.mark.parametrize("name", ["batches.jsonl", "lock", "settings.json"])
def test_a_folder_or_a_pipe_where_a_file_of_the_run_should_be(
    name: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    ResumableRun(tmp_path, {"a": 1}).close()
    (tmp_path / name).unlink()
    make(tmp_path / name)
    done = bounded(
        "try:\n    ResumableRun(sys.argv[1], {'a': 1})\n"
        "except (OutputError, ResultFileError) as error:\n    print('refused', error)\n",
        tmp_path,
        imports=RUN_FOLDER,
        seconds=30,
    )
    assert done.stdout.startswith(f"refused {tmp_path}"), done.stderr[-500:]
    assert done.stdout.count("\n") == 1


def test_a_run_of_sparse_gigabytes_takes_no_large_memory(tmp_path: Path) -> None:
    """What a broken disk leaves behind: zeros, and no end of a line."""
    ResumableRun(tmp_path, {"a": 1}).close()
    os.truncate(tmp_path / "batches.jsonl", 2**32)
    done = bounded(
        "try:\n    ResumableRun(sys.argv[1], {'a': 1})\n"
        "except ResultFileError as error:\n    print('refused', error)\n",
        tmp_path,
        imports=RUN_FOLDER,
        mebibytes=1024,
    )
    assert "damaged (a line of over 268 MB)" in done.stdout, done.stderr[-500:]
    assert (tmp_path / "batches.jsonl").stat().st_size == 2**32


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("settings.json", "{}"),
        ("settings.json", '{"items": "many", "limit": null, "batch_size": 0}'),
        ("settings.json", "[" * 100_000),
        ("batches.jsonl", '{"batch": 0}\n'),
        ("batches.jsonl", '{"batch": "0", "items": [], "states": {}}\n'),
        ("batches.jsonl", '{"batch": 0, "items": [7], "states": {}}\n'),
        ("batches.jsonl", "[" * 100_000 + "\n"),
    ],
)
def test_a_run_that_was_tampered_with_is_refused(scenes: Path, tmp_path: Path, name: str, text: str) -> None:
    run = tmp_path / "run"
    assert main(command(scenes, run, "--no-ablations", "--limit", "1")) == 0
    (run / name).write_text(text)
    with pytest.raises(ResultFileError, match=str(run)) as caught:
        merge([run], tmp_path / "merged")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda batch: batch | {"batch": 7},
        lambda batch: batch | {"batch": -1},
        lambda batch: batch | {"items": []},
        lambda batch: batch | {"items": [7]},
        lambda batch: batch | {"items": [batch["items"][0] | {"item": "another"}]},
        lambda batch: batch | {"items": [{"item": batch["items"][0]["item"]}]},
        lambda batch: batch | {"items": [{**batch["items"][0], "scores": {}}]},
        lambda batch: batch | {"states": {}},
    ],
    ids=["another number", "below 0", "no items", "no item", "another item", "no scores", "empty scores", "no states"],
)
def test_a_run_goes_on_with_its_own_batches_only(
    scenes: Path, tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    arguments = command(scenes, run, "--no-ablations", "--limit", "1")
    assert main(arguments) == 0
    (line,) = (run / "batches.jsonl").read_text().splitlines()
    (run / "batches.jsonl").write_text(json.dumps(change(json.loads(line))) + "\n")
    report = (run / "report.json").read_bytes()
    capsys.readouterr()
    assert main(arguments) == 1
    assert capsys.readouterr().err.startswith(f"zsavs: error: {run}")
    assert (run / "report.json").read_bytes() == report


def test_a_shard_without_a_batch_says_so(scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(scenes, tmp_path / "run", "--limit", "2", "--shard", "3/3")) == 1
    assert "shard 3/3 has nothing to do: 2 items in batches of 1" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


# --------------------------------------------------------------------------- the terminal
@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["--help"]])
def test_an_answer_that_nobody_reads_any_more_is_no_traceback(arguments: list[str]) -> None:
    """As of ``zsavs list | head -1``: the reader has gone before Python writes what it has kept back."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "zsavs", *arguments],
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_answer_for_which_there_is_no_space(unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "zsavs", "list"],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("zsavs: error: the answer cannot be printed (No space left on device)")
    assert done.stderr.count("\n") == 1
