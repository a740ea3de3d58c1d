"""A device that is pretended: tensors on it live in the CPU's memory, and meet no tensor that is not on it.

For machines without a GPU. It finds what a GPU would refuse (tensors of two devices in one operation, an array of a
tensor that is not on the CPU), counts where the processor would wait for the device, and fills what is read before it
has arrived with NaN. It says nothing about speed. It needs a process of its own, as torch cannot forget a device.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

__all__ = ["DEVICE", "pretended"]

_setup_privateuseone_for_python_backend("far")
DEVICE = torch.device("far:0")

aten = torch.ops.aten
_COPIES = (aten.copy_.default, aten._to_copy.default)
#: What a GPU takes indices of the CPU for.
_INDEXED = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default)
#: What the processor cannot go on without the answer of, or without its size.
_WAITING = (
    aten._local_scalar_dense.default,
    aten.equal.default,
    aten.masked_select.default,
    aten.nonzero.default,
    aten.repeat_interleave.Tensor,
    aten._unique2.default,
)

_waits: list[str] = []
_on_their_way: list[tuple[torch.Tensor, torch.Tensor]] = []


class Far(torch.Tensor):
    """A tensor that says it is on the device, and holds one of the CPU."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, near: torch.Tensor) -> Far:
        return torch.Tensor._make_wrapper_subclass(
            cls,
            near.shape,
            strides=near.stride(),
            storage_offset=near.storage_offset(),
            dtype=near.dtype,
            device=DEVICE,
        )

    def __init__(self, near: torch.Tensor) -> None:
        self.near = near

    def tolist(self) -> Any:
        _wait("tolist")
        return self.near.tolist()

    def __repr__(self) -> str:  # type: ignore[override]
        _wait("repr")
        return repr(self.near)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Everywhere(TorchDispatchMode):
    """Sees also what is made on the device, or brought to it."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with _disable_current_modes():
            return _run(func, args, kwargs or {})


def _wait(what: str) -> None:
    """The processor waits until the device has done everything, and what was on its way has arrived."""
    _waits.append(what)
    for there, values in _on_their_way:
        there.copy_(values)
    _on_their_way.clear()


def _mapped(change: Callable[[Any], Any], tree: Any) -> Any:
    """Arguments or answers of an operation with each leaf changed; faster than torch's own ``tree_map``."""
    if type(tree) is tuple or type(tree) is list:
        return type(tree)([_mapped(change, part) for part in tree])
    if type(tree) is dict:
        return {name: _mapped(change, part) for name, part in tree.items()}
    return change(tree)


def _leaves(tree: Any) -> list[Any]:
    found: list[Any] = []
    _mapped(found.append, tree)
    return found


def _near(tree: Any) -> Any:
    return _mapped(lambda leaf: leaf.near if isinstance(leaf, Far) else leaf, tree)


@functools.cache
def _is_made_of_others(func: Any) -> bool:
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd")


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    if func in _COPIES:
        return _copy(func, args, kwargs)
    if _is_made_of_others(func):
        with _Everywhere():
            answer = func.decompose(*args, **kwargs)
        if answer is not NotImplemented:
            return answer
    tensors = [leaf for leaf in _leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    far = [tensor for tensor in tensors if isinstance(tensor, Far)]
    if "device" in kwargs:
        to_far = torch.device(kwargs["device"] or "cpu").type == DEVICE.type
        kwargs = {**kwargs, "device": torch.device("cpu")}
    else:
        to_far = bool(far)
    if func in _INDEXED:
        if not isinstance(args[0], Far) and far:
            raise RuntimeError(f"{func}: indices on {DEVICE} for a tensor of the CPU")
        indices = [index for index in args[1] if index is not None]
        if far and any(not isinstance(index, Far) or index.dtype == torch.bool for index in indices):
            _wait(str(func))
    elif far and any(tensor.ndim for tensor in tensors if not isinstance(tensor, Far)):
        raise RuntimeError(f"{func}: tensors on {DEVICE} and on the CPU")
    if far and func in _WAITING:
        _wait(str(func))
    if func is aten.histc.default and not args[0].is_floating_point():  # a GPU counts whole numbers, too
        answer = func(_near(args[0]).float(), *args[1:], **kwargs).to(args[0].dtype)
    else:
        answer = func(*_near(args), **_near(kwargs))
    if not to_far:
        return answer
    given = {id(tensor.near): tensor for tensor in far}  # what is changed in place stays the same tensor

    def on_device(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor):
            return leaf
        return given[id(leaf)] if id(leaf) in given else Far(leaf)

    return _mapped(on_device, answer)


def _copy(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    kwargs = dict(kwargs)
    in_place = func is aten.copy_.default
    waits = not kwargs.pop("non_blocking", args[2] if len(args) > 2 else False)
    source = args[1] if in_place else args[0]
    wanted = kwargs.pop("device", None)
    from_far = isinstance(source, Far)
    if in_place:
        to_far = isinstance(args[0], Far)
    else:
        to_far = from_far if wanted is None else torch.device(wanted).type == DEVICE.type
    answer = func(*_near(args[: 1 + in_place]), **kwargs)
    if from_far != to_far and waits:
        _wait("copy")
    elif from_far and not to_far:
        _on_their_way.append((answer, answer.clone()))
        answer.fill_(float("nan") if answer.is_floating_point() else 0)
    if in_place:
        return args[0]
    return Far(answer) if to_far else answer


class _Stream:
    def synchronize(self) -> None:
        _wait("synchronize")


def _no_grad(mode: Any) -> None:
    """Enter ``torch.no_grad`` in place of the inference mode."""
    mode.instead = torch.no_grad() if mode.mode else contextlib.nullcontext()
    mode.instead.__enter__()


def _grad_again(mode: Any, *error: Any) -> None:
    mode.instead.__exit__(*error)


_tensor = torch.tensor


def _of_numbers(data: Any, **how: Any) -> torch.Tensor:
    """``torch.tensor``, which reads numbers of the device below what a tensor written in Python can answer."""
    return _tensor(_mapped(lambda leaf: leaf.item() if isinstance(leaf, Far) else leaf, data), **how)


@contextlib.contextmanager
def pretended() -> Iterator[list[str]]:
    """Within it ``DEVICE`` is a device of this machine; gives the list of waits for it."""
    from zsavs.models import device_copies

    torch.__future__.set_overwrite_module_params_on_conversion(True)
    _waits.clear()
    with contextlib.ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.startswith("zsavs.models.") and hasattr(module, "resolve_device"):
                stack.enter_context(mock.patch.object(module, "resolve_device", torch.device))
        stack.enter_context(mock.patch.object(device_copies, "_ASYNCHRONOUS", (DEVICE.type,)))
        stack.enter_context(mock.patch.object(torch, "tensor", _of_numbers))
        stack.enter_context(mock.patch.object(torch.cuda, "current_stream", return_value=_Stream()))
        # Tensors that were made in it are not to be wrapped; transformers has methods that are decorated with it.
        stack.enter_context(mock.patch.multiple(torch.inference_mode, __enter__=_no_grad, __exit__=_grad_again))
        stack.callback(torch._C._set_only_lift_cpu_tensors, torch._C._only_lift_cpu_tensors())
        torch._C._set_only_lift_cpu_tensors(True)
        stack.enter_context(_Everywhere())
        yield _waits
