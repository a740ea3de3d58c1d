"""What goes wrong around a run: full disks, killed and interrupted processes, two at once, no memory on the device."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from adapter_helpers import noise_images
from limits import ROOT, bounded
from PIL import Image

import zsavs
from zsavs.cli.main import main
from zsavs.datasets.folder import Folder
from zsavs.errors import InputError, OutOfMemory, ResultFileError, WeightsError
from zsavs.evaluation.run_folder import RunFolder
from zsavs.evaluation.runner import Plan, evaluate, merge
from zsavs.models.embedding import TextMemory, in_batches, inference, prepared
from zsavs.storage.weights import check_blobs
from zsavs.testing import toy
from zsavs.testing.tiny.segmenters import tiny_sam2
from zsavs.types import Proposals


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


#: The command line in a process of its own, in which a batch takes so many seconds and says so.
SLOW = (
    "import sys, time; from zsavs.testing import toy; from zsavs.cli.main import main\n"
    "ground = toy.ToyGrounder.ground\n"
    "def slow(self, *a):\n    print('batch', flush=True); time.sleep({seconds}); return ground(self, *a)\n"
    "toy.ToyGrounder.ground = slow\n"
    # Ignored where the tests run in the background.
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "sys.exit(main(sys.argv[1:]))\n"
)


def started(arguments: list[str], seconds: float, batches: int = 1) -> subprocess.Popen[str]:
    """Start it and wait until it works on a batch."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW.format(seconds=seconds), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for _ in range(batches):
        process.stdout.readline()
    return process


# -------------------------------------------------------------------------------- interruptions
def test_ctrl_c_ends_with_130_and_keeps_what_was_finished(scenes: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with started(command(scenes, run, "--no-ablations"), 0.3, batches=4) as process:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130
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
    with started(command(scenes, run, "--no-ablations"), 0.5) as process:
        before = time.monotonic()
        assert main(command(scenes, run, "--no-ablations")) == 1
        assert time.monotonic() - before < 60, "refused, not kept waiting"
        assert "another process is running into it" in capsys.readouterr().err
        assert process.wait(timeout=120) == 0
    assert len((run / "batches.jsonl").read_text().splitlines()) == 8


def test_a_killed_worker_costs_its_own_shard_only(scenes: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", [tmp_path / "1", tmp_path / "2"]
    assert main(command(scenes, whole, "--no-ablations")) == 0
    assert main(command(scenes, parts[0], "--no-ablations", "--shard", "1/2")) == 0
    with started(command(scenes, parts[1], "--no-ablations", "--shard", "2/2"), 0.3, batches=2) as process:
        process.kill()
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
        f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({size * 5 // 8}, {size * 5 // 8}))\n"
        f"try:\n    evaluate(Folder(sys.argv[1]), {plan}, sys.argv[2])\n"
        "except OutputError as error:\n    print('refused', error)\n",
        scenes,
        run,
        imports="import sys, torch; from zsavs.datasets.folder import Folder\n"
        "from zsavs.errors import OutputError; from zsavs.evaluation.runner import Plan, evaluate\n",
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


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
@pytest.mark.parametrize("name", ["batches.jsonl", "lock", "settings.json"])
def test_a_folder_or_a_pipe_where_a_file_of_the_run_should_be(
    name: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    RunFolder(tmp_path, {"a": 1}).close()
    (tmp_path / name).unlink()
    make(tmp_path / name)
    done = bounded(
        "try:\n    RunFolder(sys.argv[1], {'a': 1})\n"
        "except (OutputError, ResultFileError) as error:\n    print('refused', error)\n",
        tmp_path,
        imports="import sys; from zsavs.errors import OutputError, ResultFileError\n"
        "from zsavs.evaluation.run_folder import RunFolder\n",
        seconds=30,
    )
    assert done.stdout.startswith(f"refused {tmp_path}"), done.stderr[-500:]
    assert done.stdout.count("\n") == 1


def test_a_run_of_sparse_gigabytes_takes_no_large_memory(tmp_path: Path) -> None:
    """What a broken disk leaves behind: zeros, and no end of a line."""
    RunFolder(tmp_path, {"a": 1}).close()
    os.truncate(tmp_path / "batches.jsonl", 2**32)
    done = bounded(
        "try:\n    RunFolder(sys.argv[1], {'a': 1})\nexcept ResultFileError as error:\n    print('refused', error)\n",
        tmp_path,
        imports="import sys; from zsavs.errors import ResultFileError\n"
        "from zsavs.evaluation.run_folder import RunFolder\n",
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


# ----------------------------------------------------------------------------------- weights
def snapshot(tmp_path: Path, content: bytes, name: str | None = None) -> Path:
    """A checkpoint as the hub's client leaves it: a link to a file that is named by its checksum."""
    blobs, folder = tmp_path / "models--org--name" / "blobs", tmp_path / "models--org--name" / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    folder.mkdir(parents=True)
    blob = blobs / (name or hashlib.sha256(content).hexdigest())
    blob.write_bytes(content)
    (folder / "model.safetensors").symlink_to(blob)
    return folder


def test_a_download_of_other_bytes_than_the_hub_has_is_refused(tmp_path: Path) -> None:
    check_blobs(snapshot(tmp_path / "good", b"weights"))
    check_blobs(snapshot(tmp_path / "small", b"{}", hashlib.sha1(b"{}").hexdigest()))
    bad = snapshot(tmp_path / "bad", b"weightz", hashlib.sha256(b"weights").hexdigest())
    with pytest.raises(WeightsError, match=r"model\.safetensors: .*checksum.* delete .*models--org--name") as caught:
        check_blobs(bad)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------------- memory of the device
class Device:
    """Room for so many items at once; remembers how many it was given."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.given: list[int] = []

    def __call__(self, items: list[int]) -> Iterator[int]:
        self.given.append(len(items))
        with inference("Model"):
            if len(items) > self.room:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return (10 * item for item in items)


def test_a_batch_that_does_not_fit_is_halved_until_it_does() -> None:
    device = Device(room=3)
    assert in_batches(device, range(20), 8) == [10 * item for item in range(20)]
    assert device.given == [8, 4, *[2] * 4, *[2] * 4, *[2] * 2], "the size that fits is kept for what follows"


def test_what_fits_is_not_halved() -> None:
    device = Device(room=8)
    assert in_batches(device, range(20), 8) == [10 * item for item in range(20)]
    assert device.given == [8, 8, 4]


def test_one_item_that_does_not_fit_says_so() -> None:
    with pytest.raises(OutOfMemory, match=r"Model: the device's memory is too small for one item alone; use a smaller"):
        in_batches(Device(room=0), range(20), 8)
    assert issubclass(OutOfMemory, WeightsError)


def test_items_are_drawn_batch_by_batch() -> None:
    drawn: list[int] = []

    def draw() -> Iterator[int]:
        for item in range(9):
            drawn.append(item)
            yield item

    seen: list[int] = []
    in_batches(lambda part: seen.append(len(drawn)) or part, draw(), 3)  # type: ignore[func-returns-value]
    assert seen == [3, 6, 9]


def test_items_are_prepared_in_order_and_the_first_failure_is_told() -> None:
    def prepare(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)  # the first one is ready last
        if item > 6:
            raise ValueError(f"item {item}")
        return 10 * item

    assert prepared(prepare, range(6)) == [0, 10, 20, 30, 40, 50]
    assert prepared(prepare, []) == []
    with pytest.raises(ValueError, match="item 7"):
        prepared(prepare, [0, 7, 8])


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("MPS backend out of memory (MPS allocated: 9 GB)", OutOfMemory),
        ("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried", OutOfMemory),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", OutOfMemory),
        ("mat1 and mat2 shapes cannot be multiplied", RuntimeError),
    ],
)
def test_every_device_has_words_of_its_own(message: str, kind: type[Exception]) -> None:
    with pytest.raises(kind), inference("Model"):
        raise RuntimeError(message)


def test_the_failed_attempt_is_let_go_before_the_next() -> None:
    """Else its tensors would fill the memory that the smaller batch needs."""
    import gc
    import weakref

    class Tensors:
        pass

    gc.collect()
    left: list[weakref.ref[Tensors]] = []

    def compute(part: list[int]) -> list[int]:
        assert not any(ref() for ref in left), "the failed attempt is still in memory"
        tensors = Tensors()
        left.append(weakref.ref(tensors))
        with inference("Model"):
            if len(part) > 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
        return part

    assert in_batches(compute, range(4), 4) == [0, 1, 2, 3]


def test_texts_are_halved_too() -> None:
    def compute(phrases: list[str]) -> Any:
        with inference("Model"):
            if len(phrases) > 5:
                raise torch.OutOfMemoryError("CUDA out of memory")
        return np.array([[float(len(phrase))] for phrase in phrases], np.float32)

    assert TextMemory(compute)(["x" * n for n in range(1, 40)])[:, 0].tolist() == list(range(1, 40))


def test_a_model_short_of_memory_gives_the_answer_of_one_with_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """SAM 2 for real: images and prompts are halved, each for itself."""
    samples = [toy.scene(("red", "blue"), ("blue",), seed=seed)[0] for seed in range(4)]
    boxes = np.array([[x, 2, x + 20, 30] for x in range(9)], np.float32)
    proposals = [Proposals(boxes, np.full(9, 0.5, np.float32), np.zeros(9, np.int64)) for _ in samples]
    enough = tiny_sam2().segment(samples, proposals)
    short = tiny_sam2()
    tried: list[tuple[str, int]] = []

    def scarce(name: str, room: int, count: Callable[..., int]) -> None:
        plain = getattr(short.model, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            tried.append((name, count(*args, **kwargs)))
            if tried[-1][1] > room:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return plain(*args, **kwargs)

        monkeypatch.setattr(short.model, name, call)

    scarce("get_image_embeddings", 1, lambda pixels: len(pixels))
    scarce("forward", 2, lambda **inputs: inputs["input_boxes"].shape[1])
    found = short.segment(samples, proposals)
    for one, other in zip(enough, found, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() < 1e-3
    assert max(count for name, count in tried if name == "forward") == 9
    assert ("get_image_embeddings", 4) in tried


def test_out_of_memory_is_one_line_on_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sample, _ = toy.scene(("red", "blue"), ("blue",))
    Image.fromarray(sample.image).save(tmp_path / "a.png")
    soundfile.write(tmp_path / "a.wav", sample.audio.waveform.T, sample.audio.sample_rate_hz)

    def full(*_: Any) -> Any:
        with inference("SAM 2"):
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2.00 GiB")

    monkeypatch.setattr(toy.ToySegmenter, "segment", full)
    arguments = ["segment", str(tmp_path / "a.png"), str(tmp_path / "a.wav"), "--preset", "toy"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "SAM 2: the device's memory is too small for one item alone" in said
    assert not (tmp_path / "out").exists()


def test_images_do_not_change_with_the_batch_that_fits() -> None:
    """An adapter whose encoder is short of memory embeds as the same with enough."""
    from zsavs.testing.tiny.encoders import tiny_open_clip

    images = noise_images((20, 30), (40, 20), (31, 31), (8, 60), (20, 30))
    enough = tiny_open_clip().encode_image(images)
    short = tiny_open_clip()
    plain, given = short._embed_batch, []

    def scarce(part: list[Any]) -> Any:
        given.append(len(part))
        with inference("CLIP"):
            if len(part) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(part)

    short._embed_batch = scarce  # type: ignore[method-assign]
    assert np.abs(short.encode_image(images) - enough).max() < 1e-5
    assert given[0] == 5
    assert max(given[1:]) == 2
