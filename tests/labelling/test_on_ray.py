"""The Ray engine without a cluster: what an actor does, what of a cluster it takes, and what is done about losses."""

from __future__ import annotations

import contextlib
import json
import pickle
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from label_inputs import files_of, write_pairs

import zsavs
from zsavs.build import pipelines
from zsavs.errors import InputError, MissingExtra, OutputError
from zsavs.labelling import on_ray
from zsavs.labelling.engine import open_engine
from zsavs.labelling.inputs import read_inputs
from zsavs.labelling.items import Item
from zsavs.labelling.read import read_items

SETTINGS: dict[str, Any] = {
    "strategies": ["fused"],
    "preset": "toy",
    "models": {"device": "cpu", "dtype": "auto", "vocabulary": None, "bank": None}
    | {"decomposition": None, "stereo": False},
    "settings": {},
    "batch_size": 2,
    "fps": None,
}


def cluster(*nodes: dict[str, float], dead: Sequence[dict[str, float]] = ()) -> Any:
    """As much of Ray as tells its nodes."""
    told = [{"Alive": True, "Resources": node} for node in nodes] + [{"Alive": False, "Resources": n} for n in dead]
    return SimpleNamespace(nodes=lambda: told)


class InProcess(on_ray.RayEngine):
    """The engine with an actor in this process, which answers nothing about chunks that hold a deadly item."""

    deadly = ""

    def __init__(self) -> None:
        super().__init__(None, SETTINGS, on_ray._Share("cpu", 1, 0, 1))
        self.worker: Any = None
        self.tried: list[list[str]] = []

    def key(self) -> dict[str, Any]:
        found, _ = on_ray._key(self._settings)
        assert isinstance(found, dict)
        self._key = json.loads(json.dumps(found))
        return found

    def _answers(self, chunks: Sequence[Sequence[Item]]) -> Iterator[Any]:
        worker = self.worker = self.worker or on_ray._Worker(self._settings, self._key)
        for number, chunk in reversed(list(enumerate(chunks))):  # in any order
            self.tried.append([item.id for item in chunk])
            if self.deadly not in self.tried[-1]:
                answer = worker(on_ray._read({"number": [number], "chunk": [on_ray._Chunk(tuple(chunk))]}))
                yield {name: column[0] for name, column in answer.items()}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> InProcess:
    made = InProcess()
    monkeypatch.setattr("zsavs.labelling.job.check_engine", lambda *_: None)
    monkeypatch.setattr("zsavs.labelling.job.open_engine", lambda *_: contextlib.nullcontext(made))
    return made


def label(source: Path, out: Path) -> Any:
    return zsavs.label(source, out, ["fused"], "toy", device="cpu", batch_size=2, previews=1)


# ------------------------------------------------------------------------------------ answers
def test_actors_write_the_bytes_of_the_local_engine(tmp_path: Path, engine: InProcess) -> None:
    source = write_pairs(tmp_path / "in", 5)
    (source / "002.wav").write_bytes(b"no audio")
    report = label(source, tmp_path / "ray")
    assert (report.computed_now, report.failed) == (5, 1)
    assert report.peak_memory_mb > 50
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zsavs.labelling.job.open_engine", open_engine)
        local = label(source, tmp_path / "local")
    assert local.failed == 1
    assert files_of(tmp_path / "ray") == files_of(tmp_path / "local")


def test_a_chunk_that_is_too_large_to_be_sent_is_read_by_the_actor(
    tmp_path: Path, engine: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_pairs(tmp_path / "in", 3)
    rows = {"number": [0], "chunk": [on_ray._Chunk(read_inputs(source).items)]}
    assert [read.sample is None for read in on_ray._read(rows)["chunk"][0].read] == [False] * 3
    monkeypatch.setattr(on_ray, "_MOST_BYTES", 10)
    assert on_ray._read(rows)["chunk"][0].read is None
    report = label(source, tmp_path / "out")
    assert (report.done, report.empty, report.failed) == (2, 1, 0)


def test_arrays_that_were_sent_are_write_protected_again(tmp_path: Path) -> None:
    (read,) = read_items(read_inputs(write_pairs(tmp_path, 1)).items)
    sent = on_ray._protected(pickle.loads(pickle.dumps(read))).sample
    assert sent is not None
    assert not sent.image.flags.writeable
    assert not sent.audio.waveform.flags.writeable


def test_an_item_that_ends_its_process_again_and_again_costs_itself_alone(tmp_path: Path, engine: InProcess) -> None:
    engine.deadly = "002"
    report = label(write_pairs(tmp_path / "in", 6), tmp_path / "out")
    assert (report.done, report.empty, report.failed) == (4, 1, 1)
    assert engine.tried == [["004", "005"], ["002", "003"], ["000", "001"], ["003"], ["002"]]
    (failure,) = [json.loads(line) for line in (tmp_path / "out" / "failures.jsonl").read_text().splitlines()]
    assert (failure["id"], failure["strategy"], failure["image"]) == ("002", "fused", "002.png")
    assert failure["error"].startswith("the process that worked on it has died 3 times")


def test_a_node_with_other_models_is_refused_with_the_difference(tmp_path: Path, engine: InProcess) -> None:
    engine.worker = on_ray._Worker(SETTINGS, {**engine.key(), "zsavs": "0.0.9"})
    with pytest.raises(OutputError, match=r"nodes of the Ray cluster differ \(zsavs: '0\.0\.9' then, '\S+' now\)"):
        label(write_pairs(tmp_path / "in", 2), tmp_path / "out")


def test_what_is_warned_of_where_the_models_are_is_told_where_the_job_is(caplog: pytest.LogCaptureFixture) -> None:
    pipelines._say_limits.cache_clear()  # it is said once in a process
    said = {"ray": on_ray._key({**SETTINGS, "strategies": ["fused"], "preset": "nano"})}
    caplog.clear()

    class Ray:
        exceptions = SimpleNamespace(RayError=RuntimeError)

        def remote(self, **_: Any) -> Any:
            return lambda function: SimpleNamespace(remote=lambda settings: "ray")

        def get(self, name: str) -> Any:
            return said[name]

    engine = on_ray.RayEngine(Ray(), SETTINGS, on_ray._Share("cpu", 1, 0, 1))
    assert engine.key()["preset"] == "nano"
    assert "preset nano knows 16 things that sound" in caplog.text


def test_a_copy_of_the_models_with_another_time_is_the_same() -> None:
    engine = InProcess()
    key = engine.key()
    key["weights"] = {"a": {"model.safetensors": [10, 7]}}
    labeller = SimpleNamespace(key=lambda: {**key, "weights": {"a": {"model.safetensors": [10, 8]}}})
    assert on_ray._difference(labeller, key) == ""
    labeller = SimpleNamespace(key=lambda: {**key, "weights": {"a": {"model.safetensors": [11, 7]}}})
    assert "model.safetensors" in on_ray._difference(labeller, key)


def test_models_that_a_node_has_not_are_an_error_of_the_job(tmp_path: Path) -> None:
    settings = {**SETTINGS, "models": {**SETTINGS["models"], "vocabulary": str(tmp_path / "none.txt")}}
    worker = on_ray._Worker(settings, {})
    told = worker({"number": [0], "chunk": [on_ray._Chunk((), [])]})
    assert told["wrong"][0].startswith("a node of the Ray cluster cannot load the models: ")
    assert "none.txt" in told["wrong"][0]


# ----------------------------------------------------------------------------------- resources
@pytest.mark.parametrize(
    ("nodes", "given", "expected"),
    [
        # (device, workers, worker_cpus) and what comes of it: device, CPUs, GPUs and actors
        ([{"CPU": 2}], ("auto", None, None), ("auto", 2, 0, 1)),
        ([{"CPU": 2}], ("auto", None, 1), ("auto", 1, 0, 2)),
        ([{"CPU": 16}, {"CPU": 6}], ("cpu", None, None), ("cpu", 4, 0, 5)),
        ([{"CPU": 16}, {"CPU": 6}], ("cpu", 3, 8), ("cpu", 8, 0, 3)),
        ([{"CPU": 32, "GPU": 8}], ("auto", None, None), ("cuda", 2, 1, 8)),
        ([{}, {"CPU": 8, "GPU": 2}], ("cuda", 1, None), ("cuda", 2, 1, 1)),
        ([{"CPU": 8, "GPU": 2}], ("cpu", None, None), ("cpu", 4, 0, 2)),
    ],
)
def test_an_actor_for_each_gpu_or_for_so_many_cpus(
    nodes: list[dict[str, float]], given: tuple[str, int | None, int | None], expected: tuple[str, int, int, int]
) -> None:
    share = on_ray._share(cluster(*nodes, dead=[{"CPU": 64, "GPU": 8}]), *given)
    assert (share.device, share.cpus, share.gpus, share.most) == expected
    assert share.actor["num_cpus"] + share.reader["num_cpus"] == share.cpus


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("cuda:1", None, None), "device: Ray chooses the card"),
        (("cuda", None, None), "no node of the Ray cluster has a GPU"),
        (("cpu", None, 8), "worker_cpus: the largest node of the Ray cluster has 4 CPUs, got 8"),
    ],
)
def test_what_no_node_has_is_refused(given: tuple[str, int | None, int | None], said: str) -> None:
    with pytest.raises(InputError, match=said):
        on_ray._share(cluster({"CPU": 4}, {"CPU": 4}), *given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"engine": "spark"}, "engine: there is 'local' and 'ray', got 'spark'"),
        ({"workers": 2}, "workers: the local engine is one process"),
        ({"worker_cpus": 2}, "worker_cpus: the local engine is one process"),
        ({"engine": "ray", "workers": 0}, "workers: expected a whole number from 1, got 0"),
    ],
)
def test_settings_of_engines_are_checked_before_the_work(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        zsavs.label(write_pairs(tmp_path / "in", 1), tmp_path / "out", preset="toy", **given)
    assert not (tmp_path / "out").exists()


def test_without_ray_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'zsavs\[ray\]'"):
        zsavs.label(write_pairs(tmp_path / "in", 1), tmp_path / "out", preset="toy", engine="ray")
