"""Native checkpoints as files: made again from what the authors' packages said of them (tests/golden/native)."""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path
from typing import Any

import torch

from tools.native.weights import weights_of

__all__ = ["GOLDEN", "golden", "published_weights", "small_weights"]

GOLDEN = Path(__file__).parents[1] / "golden" / "native"


@functools.cache
def golden(name: str) -> dict[str, Any]:
    """What the package said of its small model."""
    content: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return content


def small_weights(name: str) -> dict[str, torch.Tensor]:
    """The weights of that model, a new dictionary."""
    return weights_of(golden(name)["weights"])


def published_weights(name: str) -> dict[str, torch.Tensor]:
    """Zeros under the names and in the shapes of a published file; they take no memory until they are written to."""
    shapes = json.loads(gzip.decompress((GOLDEN / f"{name}.json.gz").read_bytes()))
    return {key: torch.zeros(shape, dtype=getattr(torch, kind)) for key, (kind, shape) in shapes.items()}
