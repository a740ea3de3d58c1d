"""A small data set of toy scenes for tests of evaluations, and plans to run on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import soundfile
from PIL import Image

from zsavs.evaluation import Plan
from zsavs.testing import toy

#: What sounds in each scene; red and blue are in view.
SOURCES = ("red", "blue", "green", "red", "purple", "blue", "red", "green", "blue", "red", "yellow", "blue")


def write_evaluation_set(root: Path) -> Path:
    """Write twelve toy scenes with red and blue in view, as the data set "folder"; in four the source is off screen."""
    for part in ("img", "wav", "gt_seg"):
        (root / part).mkdir()
    for number, source in enumerate(SOURCES):
        sample, target = toy.scene(("red", "blue"), (source,), size_hw=(48, 64), seed=number)
        Image.fromarray(sample.image).save(root / "img" / f"{number:02d}.png")
        soundfile.write(root / "wav" / f"{number:02d}.wav", sample.audio.waveform.T, sample.audio.sample_rate_hz)
        Image.fromarray(target).save(root / "gt_seg" / f"{number:02d}.png")
    return root


def plan(**changes: Any) -> Plan:
    """A plan of two strategies in batches of three, with some settings changed."""
    settings: dict[str, Any] = {
        "strategies": ("cross_modal", "fused"),
        "preset": "toy",
        "batch_size": 3,
        "suites": ("avsbench",),
    }
    return Plan(**{**settings, **changes})


def rows(report: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of a report by strategy and kind of audio."""
    return {(row["strategy"], row["audio"]): row for row in report["rows"]}
