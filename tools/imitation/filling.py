"""Weights out of their names, so that they are the same in every release and on every machine."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fill", "numbers"]

_SALT = "zsavs imitation 1"


def numbers(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Normal numbers for a weight: matrices enlarge what goes through them, and scales lie near 1.

    What attention brings from other places most of all, so that an answer shows what it was asked.

    Args:
        name: of the weight, in the state dictionary.
        shape: its shape.
    """
    seed = int.from_bytes(hashlib.sha256(f"{_SALT} {name}".encode()).digest()[:16], "little")
    drawn = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)
    if len(shape) > 1:
        table = "embed" in name and len(shape) == 2
        mixes = any(part in name for part in ("attention.output", "attention.self.value", "out_proj", "attn.proj"))
        drawn *= 0.5 if table else (3 if mixes else 2) * float(np.prod(shape[1:])) ** -0.5
    elif name.endswith("weight"):
        drawn = 1 + 0.2 * drawn
    else:
        drawn *= 0.1
    return drawn.astype(np.float16).astype(np.float32)  # half of each number is zeros, which pack well


def fill(model: Any) -> Any:
    """Give every parameter of a model its numbers; a single one is a temperature, as it is before training.

    Returns:
        The model, to be used and not trained.
    """
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim:
                parameter.copy_(torch.from_numpy(numbers(name, tuple(parameter.shape))))
            else:
                parameter.fill_(math.log(1 / 0.07))
    return model.eval()
