"""Tensors to a device, and results back to the CPU, without waiting where the device allows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

__all__ = ["copy_to_cpu", "copy_to_device", "token_inputs", "wait_for_copies"]

#: Devices that copy while the processor goes on. Others could be asked to, and do not all keep what they are given.
_ASYNCHRONOUS = ("cuda",)


def copy_to_device(tensor: torch.Tensor, device: torch.device, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A tensor of the CPU on the device, in ``dtype`` if one is given.

    It does not wait until a GPU is free to take it: CUDA has a copy of its own when this returns.
    """
    return tensor.to(device, dtype or tensor.dtype, non_blocking=device.type in _ASYNCHRONOUS)


def token_inputs(tokens: Mapping[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    """Ids and attention mask of tokenized texts, each (K, T), on the device, by the names that text models take."""
    return {name: copy_to_device(tokens[name], device) for name in ("input_ids", "attention_mask")}


def copy_to_cpu(tensor: torch.Tensor) -> NDArray[Any]:
    """A model's tensor as an array, whose numbers may be read only after :func:`wait_for_copies`.

    A GPU is given the next image's work while it still works on this one.
    """
    array: NDArray[Any] = tensor.to("cpu", non_blocking=tensor.device.type in _ASYNCHRONOUS).numpy()
    return array


def wait_for_copies(device: torch.device) -> None:
    """Wait until every :func:`copy_to_cpu` from the device is done."""
    if device.type in _ASYNCHRONOUS:
        import torch

        torch.cuda.current_stream(device).synchronize()
