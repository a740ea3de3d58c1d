"""Real models and real pairs, never part of the repository: in the folder that ``ZSAVS_REAL`` names; without it, beside
the checkout.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

import zsavs
from zsavs.storage import weights

__all__ = ["REAL", "Pair", "class_names", "needs_real_files", "on_real_files", "pairs", "with_real_weights"]

REAL = Path(os.environ.get("ZSAVS_REAL") or Path(__file__).parents[3] / "shared" / "real")

#: Marks of a test that runs where the files are, and says so where they are not.
needs_real_files = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (REAL / "weights").is_dir() or not (REAL / "pairs").is_dir(),
        reason=f"REAL MODELS AND PAIRS ARE NOT TESTED: no {REAL}; name their folder in ZSAVS_REAL",
    ),
]


class Pair(NamedTuple):
    """A photograph with audio: its name, whether something in view sounds, that thing's label, and its mask."""

    name: str
    kind: str
    label: str | None
    sample: zsavs.AVSample
    mask: np.ndarray


def pairs(step: int = 1) -> Iterator[Pair]:
    """Every ``step``-th of the real pairs, as the data set ``folder`` lays them out."""
    folder = REAL / "pairs"
    listed: list[dict[str, Any]] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for entry in listed[::step]:
        image, audio, target = (next((folder / part).glob(f"{entry['name']}.*")) for part in ("img", "wav", "gt_seg"))
        mask = np.asarray(Image.open(target).convert("L")) >= 128
        yield Pair(entry["name"], entry["kind"], entry["label"], zsavs.AVSample.from_files(image, audio), mask)


def class_names() -> list[str]:
    """YAMNet's classes, from the list that was published with it."""
    with (REAL / "weights" / "yamnet_class_map.csv").open(encoding="utf-8") as file:
        return [row["display_name"] for row in csv.DictReader(file)]


def on_real_files(test: Callable[..., Any]) -> Callable[..., Any]:
    """A single test with :data:`needs_real_files`."""
    for mark in needs_real_files:
        test = mark(test)
    return test


@contextmanager
def with_real_weights() -> Iterator[None]:
    """Within it, single-file checkpoints are found among the real ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "cache_folder", lambda: REAL / "weights")
        yield
