"""Weights out of their names, for models of the authors' classes; and the same file again, from names and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.imitation.filling import numbers

__all__ = ["Described", "fill", "weights_of"]

#: Of matrices, as these models have more layers than the imitated ones, and nothing may grow beyond what float32 tells.
_GAIN = 0.6
#: What is added to the numbers of a few: with the score that its name gives, SAM 2 sees no object anywhere.
_ADDED = {"sam_mask_decoder.pred_obj_score_head.layers.2.bias": 3.0}
#: What those of others are multiplied by, by how their names begin: else Grounding DINO would be sure of every word,
#: like the places at the edge best, and end boxes within a thousandth of it, where transformers computes otherwise.
_SCALED = {
    "transformer.decoder.norm.": 0.1,
    "transformer.decoder.bbox_embed.": 0.15,
    "transformer.enc_out_bbox_embed.": 0.15,
    "transformer.enc_output.bias": -1,
}

#: What a golden file says of a model's weights: the shapes of those that come of their names; those that are another
#: one under a second name; and kind and shape of those that the package computes itself.
Described = Mapping[str, Mapping[str, Any]]


def _numbers(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """As for other parameters; a variance is positive, and a lone number a temperature."""
    if not shape:
        return np.full((), np.log(1 / 0.07), np.float32)
    scale = next((each for start, each in _SCALED.items() if name.startswith(start)), 1) * (_GAIN if shape[1:] else 1)
    drawn = numbers(name, shape) * np.float32(scale) + np.float32(_ADDED.get(name, 0))
    return np.abs(drawn) + np.float32(0.5) if name.endswith("running_var") else drawn


def fill(model: Any, computed: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """Give all weights and statistics of a model their numbers, and describe them.

    Args:
        model: of the authors' class; it is put into evaluation mode.
        computed: parts of the names of those that the package computes itself, which stay; whole numbers always do.
    """
    import torch

    described: dict[str, dict[str, Any]] = {"filled": {}, "same": {}, "computed": {}}
    seen: dict[int, str] = {}
    with torch.no_grad():
        for name, tensor in model.eval().state_dict().items():
            shape = list(tensor.shape)
            if not tensor.is_floating_point() or any(part in name for part in computed):
                described["computed"][name] = [str(tensor.dtype).removeprefix("torch."), shape]
            elif tensor.data_ptr() in seen:
                described["same"][name] = seen[tensor.data_ptr()]
            else:
                seen[tensor.data_ptr()] = name
                described["filled"][name] = shape
                tensor.copy_(torch.from_numpy(_numbers(name, tuple(shape))))
    return described


def weights_of(described: Described) -> dict[str, Any]:
    """The tensors by name that the description is of; zeros for those that the package computes."""
    import torch

    weights = {
        name: torch.zeros(shape, dtype=getattr(torch, kind)) for name, (kind, shape) in described["computed"].items()
    }
    weights |= {name: torch.from_numpy(_numbers(name, tuple(shape))) for name, shape in described["filled"].items()}
    return weights | {name: weights[other] for name, other in described["same"].items()}
