"""Native checkpoints as files: made again from what the authors' packages said of them (tests/golden/native)."""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path
from typing import Any

import torch

from tools.native.weights import weights_of

__all__ = ["GOLDEN", "empty_weights", "golden", "golden_weights"]

GOLDEN = Path(__file__).parents[1] / "golden" / "native"


@functools.cache
def golden(name: str) -> dict[str, Any]:
    """What the package said of its model, a small one or one of published size."""
    path = GOLDEN / f"{name}.json"
    text = path.read_bytes() if path.exists() else gzip.decompress((GOLDEN / f"{name}.json.gz").read_bytes())
    content: dict[str, Any] = json.loads(text)
    return content


def golden_weights(name: str) -> dict[str, torch.Tensor]:
    """The weights of that model, a new dictionary."""
    return weights_of(golden(name)["weights"])


def empty_weights(name: str) -> dict[str, torch.Tensor]:
    """Zeros under the same names and in the same shapes; they take no memory until they are written to."""
    described = golden(name)["weights"]
    weights = {key: torch.zeros(shape) for key, shape in described["filled"].items()}
    weights |= {
        key: torch.zeros(shape, dtype=getattr(torch, kind)) for key, (kind, shape) in described["computed"].items()
    }
    return weights | {key: weights[other] for key, other in described["same"].items()}
