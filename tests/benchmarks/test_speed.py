"""What the benchmarks of speed and of long runs count, and what they call flat."""

from __future__ import annotations

import dataclasses
import json
import os
import runpy
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from benchmark_scripts import BENCHMARKS, load_benchmark


def test_forwards_are_timed_once_and_can_be_repeated() -> None:
    import torch

    counted: list[str] = []

    class Inner(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            counted.append("inner")
            time.sleep(0.02)
            return x

    class Outer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Inner()

        def encode_image(self, x: Any) -> Any:
            counted.append("outer")
            return self.inner(x)

    module = load_benchmark("forwards")
    outer = Outer()
    holder = type("Holder", (), {})()
    holder.model = outer
    assert module.models_of(holder) == [outer]
    with module.Forwards([outer, outer.inner]) as forwards:
        start = time.perf_counter()
        outer.encode_image(torch.zeros(1))
        time.sleep(0.05)
        whole = time.perf_counter() - start
    assert len(forwards.calls) == 1, "a call within a call is part of it"
    assert 0.02 <= forwards.spent.wall <= whole - 0.05
    assert counted == ["outer", "inner"]
    forwards.again()
    assert counted == ["outer", "inner"] * 2
    assert "encode_image" not in vars(outer), "the model is as it was"
    outer.encode_image(torch.zeros(1))
    assert len(forwards.calls) == 1


def readings(module: ModuleType, **changed: list[float]) -> list[Any]:
    flat = {"memory_mb": [900.0] + [1000.0] * 9, "files": [9] * 10, "cpu_ms": [500.0] + [100.0, 140.0, 100.0] * 3}
    columns: dict[str, Any] = {**flat, **changed}
    return [
        module.Reading(
            100 * (n + 1), columns["memory_mb"][n], columns["files"][n], columns["cpu_ms"][n] * 3, columns["cpu_ms"][n]
        )
        for n in range(10)
    ]


def test_flat_is_flat_and_growth_is_told() -> None:
    soak = load_benchmark("soak")
    assert soak.verdict(readings(soak)) == []
    for what, changed in {
        "memory_mb": [900.0 + 40 * n for n in range(10)],
        "files": list(range(9, 19)),
        "cpu_ms": [100.0 + 10 * n for n in range(10)],
    }.items():
        (line,) = soak.verdict(readings(soak, **{what: changed}))
        assert line.startswith(f"{what} grew from ")
    assert "too few" in soak.verdict(readings(soak)[:3])[0]


def test_speed_of_tiny_models_is_measured_against_its_baselines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "speed.json"
    command = ["speed.py", "--models", "tiny", "--device", "cpu", "--strategy", "audio_to_text"]
    sizes = ["--items", "2", "--batch-size", "2", "--repeats", "2", "--out", str(out)]
    monkeypatch.syspath_prepend(BENCHMARKS)  # where its neighbours are
    for name in ("HF_HUB_OFFLINE", "ZSAVS_CACHE"):  # that one of them sets
        monkeypatch.setenv(name, os.environ[name])
    monkeypatch.setattr(sys, "argv", [*command, *sizes])
    runpy.run_path(str(BENCHMARKS / "speed.py"), run_name="__main__")
    assert "| `audio_to_text` |" in capsys.readouterr().out
    (report,) = json.loads(out.read_text(encoding="utf-8"))
    (row,) = report["rows"]
    assert row["iou_of_masks"] > 0.99
    assert row["masks"] > 0, "nothing was segmented, so that the IoU says nothing"
    assert 0 < row["in_models_share_batch"] < 1
    assert row["one_batch"]["bare_cpu_s"] < row["one_batch"]["cpu_s"]
    assert report["plain_pairs_per_s"] > 0
    assert set(row["targets"]) == {"iou_of_masks"}, "the others are meant for full size, or for a GPU"


def test_models_are_found_wherever_a_stage_holds_them() -> None:
    import zsavs
    from zsavs.testing.tiny.detectors import tiny_grounding_dino
    from zsavs.testing.tiny.encoders import tiny_clap, tiny_open_clip
    from zsavs.testing.tiny.segmenters import tiny_sam2

    forwards = load_benchmark("forwards")
    parts: dict[str, Any] = {
        "audio_text": tiny_clap(),
        "image_text": tiny_open_clip(),
        "grounder": tiny_grounding_dino(),
        "segmenter": tiny_sam2(),
    }
    pipe = zsavs.build_pipeline("audio_to_text", "base", **parts)

    class Around:
        """A verifier of this file, as the benchmark has one."""

        def __init__(self, verifier: Any) -> None:
            self.verifier = verifier

        def verify(self, *given: Any) -> Any:
            return self.verifier.verify(*given)

    wanted = {id(part.model) for part in parts.values()}
    assert {id(model) for model in forwards.models_of(pipe)} == wanted
    around = dataclasses.replace(pipe, verifier=Around(pipe.verifier), tracker=None)  # which has the same encoder
    assert {id(model) for model in forwards.models_of(around)} < wanted
    assert {id(model) for model in forwards.models_of(around, also=(Around,))} == wanted
