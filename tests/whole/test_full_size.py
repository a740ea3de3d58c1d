"""Every preset's architectures at full size, with random weights, on real images and sounds (make test-full)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLES = Path(os.environ.get("ZSAVS_SAMPLES", ROOT.parent / "shared" / "samples"))

#: Those whose architectures benchmarks/full_size.py has the sizes of.
FULL_SIZE = ("base", "large")


@pytest.mark.full
@pytest.mark.parametrize("preset", FULL_SIZE)
def test_full_size_preset_runs_on_a_real_pair(preset: str, record_property: Callable[[str, object], None]) -> None:
    image, recording = SAMPLES / "dog_image.jpg", SAMPLES / "dog_audio.wav"
    if not image.exists():
        pytest.skip(f"NOT RUN: needs a real pair, {image} and {recording}; set ZSAVS_SAMPLES to their folder")
    # A process of its own: the peak memory is that of this preset.
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "full_size.py"), preset, str(image), str(recording)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    record_property("report", done.stdout.strip())
    assert report["million_parameters"]["grounder"] == {"base": 115.4, "large": 232.3}[preset], "on a CPU"
    assert set(report["strategies"]) >= {"audio_to_text", "cross_modal", "fused"}
    for name, strategy in report["strategies"].items():
        assert strategy["heard"] > 0, f"{name}: no stage after the query had work to do"
        assert strategy["stages_s"]["segment"] > 0.01, f"{name}: nothing was segmented"
