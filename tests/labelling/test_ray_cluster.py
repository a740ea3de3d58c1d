"""Jobs on a Ray cluster of two workers, whose workers and whose caller are killed: minutes, as processes load torch."""

from __future__ import annotations

import collections
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from label_inputs import files_of, write_pairs
from noting_strategy import asked
from ray_cluster import Cluster, start_cluster, wait_for

pytestmark = pytest.mark.full
pytest.importorskip("ray")

BATCH = 4


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with start_cluster(tmp_path_factory.mktemp("notes")) as started:
        yield started


@pytest.fixture
def notes(cluster: Cluster) -> Path:
    """The folder of notes, empty."""
    for path in cluster.notes.iterdir():
        path.unlink()
    return cluster.notes


def twice(notes: Path) -> int:
    """How often an item was asked about that had been before."""
    names = [name for _, name in asked(notes)]
    return len(names) - len({*names})


def test_a_worker_that_is_killed_is_replaced_and_the_answers_are_those_of_one_process(
    cluster: Cluster, notes: Path, tmp_path: Path
) -> None:
    source = write_pairs(tmp_path / "in", 60)
    (source / "017.wav").write_bytes(b"no audio")
    assert cluster.label(source, tmp_path / "local", "local") == "computed 60 failed 1"
    (notes / "asked").unlink()
    (notes / "slow").write_text("0.5")
    job = cluster.start(source, tmp_path / "ray")
    workers = wait_for(lambda: len(found := {process for process, _ in asked(notes)}) == 2 and found)
    killed = min(workers)
    os.kill(killed, signal.SIGKILL)
    said, complaints = job.communicate(timeout=300)
    assert job.returncode == 0, complaints[-3000:]
    assert "Traceback" not in complaints
    assert said.splitlines()[-1] == "computed 60 failed 1"
    assert files_of(tmp_path / "ray") == files_of(tmp_path / "local")
    assert len({process for process, _ in asked(notes)} - workers) >= 1  # another one in its place
    assert 0 < twice(notes) <= BATCH
    report = json.loads((tmp_path / "ray" / "report.json").read_text())
    assert report["peak_memory_mb"] > 50


def test_an_item_that_kills_every_worker_costs_itself_alone(cluster: Cluster, notes: Path, tmp_path: Path) -> None:
    source = write_pairs(tmp_path / "in", 12)
    (notes / "deadly").write_text("005")
    assert cluster.label(source, tmp_path / "out") == "computed 12 failed 1"
    (failure,) = [json.loads(line) for line in (tmp_path / "out" / "failures.jsonl").read_text().splitlines()]
    assert failure["id"] == "005"
    assert "has died 3 times" in failure["error"]
    answers = (tmp_path / "out" / "answers-00000-of-00001.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in answers] == [f"{n:03d}" for n in range(12) if n != 5]


def test_ctrl_c_keeps_what_is_finished_and_the_other_engine_goes_on(
    cluster: Cluster, notes: Path, tmp_path: Path
) -> None:
    source = write_pairs(tmp_path / "in", 40)
    (notes / "slow").write_text("0.5")
    job = cluster.start(source, tmp_path / "out")
    assert job.stdout is not None
    assert [int(job.stdout.readline()) for _ in range(4)] == [0, 4, 8, 12]
    job.send_signal(signal.SIGINT)
    said, complaints = job.communicate(timeout=120)
    assert job.returncode != 0
    assert "KeyboardInterrupt" in complaints
    done = max([12, *map(int, said.split())])
    (notes / "slow").unlink()
    assert cluster.label(source, tmp_path / "out", "local") == f"computed {40 - done} failed 0"
    cluster.label(source, tmp_path / "whole", "local")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_killed_ten_times_at_random_moments_it_ends_with_the_same_bytes(
    cluster: Cluster, notes: Path, tmp_path: Path
) -> None:
    count, kills, rng = 300, 10, random.Random(3)
    source = write_pairs(tmp_path / "in", count)
    (source / "100.png").write_bytes(b"no image")
    assert cluster.label(source, tmp_path / "whole", "local") == f"computed {count} failed 1"
    (notes / "asked").unlink()
    (notes / "slow").write_text("0.1")
    killed = 0
    while killed < kills:
        job = cluster.start(source, tmp_path / "out")
        assert job.stdout is not None
        for _ in range(rng.randint(1, 1 + 2 * count // BATCH // kills)):
            job.stdout.readline()
        time.sleep(rng.uniform(0, 0.3))
        job.kill()
        if job.wait() == 0:
            break
        killed += 1
    assert killed >= kills // 2, "it was killed too late to say anything"
    cluster.label(source, tmp_path / "out")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")
    assert collections.Counter(name for _, name in asked(notes)).keys() == {f"{n:03d}" for n in range(count)} - {"100"}
    # Of two actors, each has one batch in work and some that are done and not yet written.
    assert twice(notes) <= 8 * BATCH * killed
