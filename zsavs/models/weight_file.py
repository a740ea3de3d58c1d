"""A single file of weights, read without running anything in it: safetensors, or a pickle of torch's."""

from __future__ import annotations

import contextlib
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsavs.errors import WeightsError, first_line

if TYPE_CHECKING:
    import torch

__all__ = ["is_program", "numbers_of_numpy", "read_content", "read_weights"]

#: Under which name a checkpoint of a training run holds the weights, beside what the run noted for itself.
_UNDER = ("model", "state_dict", "model_state_dict")
#: What torch.nn.parallel puts in front of every name.
_PARALLEL = "module."

#: How numpy's numbers are made of a pickle, in all its releases. Optimizers keep some, as LAION-CLAP's do.
_NUMPY = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype")


class _Noted:
    """Stands for a number of numpy's that a training run noted beside its weights; nobody reads it."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


@contextlib.contextmanager
def numbers_of_numpy() -> Iterator[None]:
    """Let ``torch.load`` with ``weights_only=True`` put a stand-in for each number of numpy's; nothing of it is run."""
    import torch

    with torch.serialization.safe_globals([(_Noted, name) for name in _NUMPY]):
        yield


def read_weights(path: Path, again: str = "") -> dict[str, torch.Tensor]:
    """The tensors of a file by their names, mapped into memory where its format lets them be.

    Of a whole training run the weights alone are taken, and the ``module.`` of torch.nn.parallel is left out of the
    names.

    Args:
        path: a file; ``.safetensors``, or else what ``torch.save`` wrote.
        again: what to do to have the file again, to end a message with; a sentence without a full stop.

    Raises:
        WeightsError: it is broken, holds more than numbers, or no weights by name.
    """
    again = again or f"copy {path.name} there again from where it is published"
    content = read_content(path, again)
    if isinstance(content, Mapping):
        content = next((content[key] for key in _UNDER if isinstance(content.get(key), Mapping)), content)
    weights = _tensors(content)
    if not weights:
        raise WeightsError(f"{path}: holds no weights by name but a {type(content).__name__}; {again}.")
    if all(name.startswith(_PARALLEL) for name in weights):
        weights = {name.removeprefix(_PARALLEL): tensor for name, tensor in weights.items()}
    return weights


def _tensors(content: Any) -> dict[str, torch.Tensor]:
    """The content, if it is tensors by name and nothing else; nothing if it is not."""
    import torch

    if not isinstance(content, Mapping):
        return {}
    named = {name: tensor for name, tensor in content.items() if isinstance(name, str)}
    return named if len(named) == len(content) and all(map(torch.is_tensor, named.values())) else {}


def read_content(path: Path, again: str) -> Any:
    """What a file holds, tensors or not, without running anything in it. For a number of numpy's there is a stand-in.

    Args:
        path, again: as for :func:`read_weights`.

    Raises:
        WeightsError: it is broken, or holds more than numbers.
    """
    import torch
    from safetensors.torch import load_file

    if is_program(path):
        raise WeightsError(
            f"{path}: is a program (TorchScript) and no file of weights, and zsavs runs no code of a file; get the "
            "same weights as safetensors."
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # Files from before torch 1.6 are no zip archives and cannot be mapped.
        with numbers_of_numpy():
            return torch.load(path, map_location="cpu", mmap=zipfile.is_zipfile(path), weights_only=True)
    except Exception as error:
        # Whatever the bytes of a broken or foreign file provoke in the unpickler.
        raise WeightsError(f"{path}: {_reason(error)}; {again}.") from error


def is_program(path: Path) -> bool:
    """Whether torch.jit wrote a file, as OpenAI's of CLIP: it has a pickle of constants beside that of the weights."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):  # torch says what is wrong with it
        return False


def _reason(error: Exception) -> str:
    """Why a file cannot be read, in words."""
    if wanted := re.search(r"GLOBAL (\S+)", str(error)):
        return f"is more than weights: it asks for {wanted[1]}, and so for code to be run, which zsavs does not do"
    return (
        f"cannot be read as a file of weights ({type(error).__name__}: {first_line(error)}); it is broken, cut off or "
        "something else"
    )
