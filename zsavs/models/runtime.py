"""Device and dtype by name, and one part of a transformers model from a folder: offline, quiet, with our errors."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsavs.errors import (
    BrokenInstallation,
    MissingWeights,
    OutOfMemory,
    UnknownName,
    WeightsError,
    ZsavsError,
    first_line,
)
from zsavs.storage.files import MAX_TEXT_BYTES
from zsavs.storage.weights import fetch_again

if TYPE_CHECKING:
    import torch

__all__ = ["check_names", "import_transformers", "load_part", "resolve_device", "resolve_dtype"]

log = logging.getLogger(__name__)

_DTYPES = ("auto", "float32", "bfloat16", "float16")


def check_names(device: str, dtype: str) -> None:
    """Refuse words that name no device or dtype on any machine, without loading torch.

    Raises:
        UnknownName: not a device name, or not a dtype name.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", str(device)):
        raise UnknownName("device", str(device), ["auto", "cpu", "cuda", "cuda:0", "mps"])
    if dtype not in _DTYPES:
        raise UnknownName("dtype", str(dtype), _DTYPES)


def resolve_device(device: str = "auto") -> torch.device:
    """Turn ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"`` into a device that is there.

    ``"auto"`` takes CUDA, then MPS, then the CPU.

    Raises:
        UnknownName: not a device name, or no such device on this machine.
    """
    import torch

    here = ["cpu"]
    if torch.backends.mps.is_available():
        here.insert(0, "mps")
    if torch.cuda.is_available():
        here[:0] = ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if device == "auto":
        return torch.device(here[0])
    if str(device) not in here:
        raise UnknownName("device", str(device), ["auto", *here], "(these are the ones on this machine)")
    return torch.device(device)


def resolve_dtype(dtype: str, device: torch.device, *, half_is_safe: bool = True) -> torch.dtype:
    """Turn ``"auto"`` or a name into a dtype.

    ``"auto"`` is bfloat16 on CUDA cards that compute in it natively, for models marked ``half_is_safe``;
    float32 everywhere else.

    Raises:
        UnknownName: not one of "auto", "float32", "bfloat16", "float16".
    """
    import torch

    check_names("auto", dtype)
    if dtype != "auto":
        return getattr(torch, dtype)  # type: ignore[no-any-return]
    fast = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.bfloat16 if fast and half_is_safe else torch.float32


def import_transformers() -> Any:
    """Import transformers, turning the known ways in which an installation breaks it into one clear sentence.

    Raises:
        BrokenInstallation: transformers cannot be imported, or torchaudio of another torch stands in its way.
    """
    try:
        import transformers
    except ImportError as error:
        raise BrokenInstallation(
            f"transformers cannot be imported ({error}); run: pip install 'transformers>=5.24,<6'"
        ) from error
    return transformers


def explain_import_failure(error: Exception) -> BrokenInstallation:
    """Word the failure of a model class to import, or of a model to find a package that it is made with.

    transformers imports torchaudio wherever it is installed, even for images; a torchaudio built for another torch
    then breaks every model class with a message that does not mention it.
    """
    import importlib.util

    if importlib.util.find_spec("torchaudio") is not None:
        try:
            import torchaudio  # noqa: F401
        except Exception as broken:
            return BrokenInstallation(
                "the installed torchaudio does not fit the installed torch and breaks every model of transformers "
                f"({first_line(broken)}); zsavs does not need it, run: pip uninstall torchaudio"
            )
    if "timm" in str(error) and importlib.util.find_spec("timm") is None:
        return BrokenInstallation(
            "the model's image encoder is one of timm's, which is not installed; run: pip install timm"
        )
    return BrokenInstallation(f"a model class of transformers cannot be imported: {first_line(error)}")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the progress bars and load reports of transformers, and put its settings back afterwards."""
    transformers = import_transformers()
    settings = transformers.utils.logging
    verbosity, bars = settings.get_verbosity(), settings.is_progress_bar_enabled()
    settings.set_verbosity_error()
    settings.disable_progress_bar()
    try:
        yield
    finally:
        settings.set_verbosity(verbosity)
        if bars:
            settings.enable_progress_bar()


def load_part(class_name: str, folder: Path, **settings: Any) -> Any:
    """``transformers.<class_name>.from_pretrained(folder)``: offline, no remote code, quiet, our errors.

    Args:
        class_name: a public class of transformers ("ClapModel").
        folder: where :func:`zsavs.storage.weights.locate` found the checkpoint.
        settings: passed on; pass ``dtype=`` for a model, as the default is the checkpoint's.

    Raises:
        BrokenInstallation: the class cannot be imported.
        MissingWeights: a file is missing in the folder.
        WeightsError: a file is there and cannot be read as this model.
    """
    transformers = import_transformers()
    try:
        cls = getattr(transformers, class_name)
    except Exception as error:
        raise explain_import_failure(error) from error
    _check_texts(folder)
    try:
        with quiet():
            return cls.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **settings)
    except ZsavsError:
        raise
    except ImportError as error:
        raise explain_import_failure(error) from error
    except OSError as error:
        raise MissingWeights(
            f"{folder}: a file that {class_name} needs is missing or unreadable ({first_line(error)}). "
            f"To replace it, {fetch_again(folder)}"
        ) from error
    except Exception as error:
        raise WeightsError(
            f"{folder}: cannot be loaded as {class_name} ({type(error).__name__}: {first_line(error)}). "
            f"The file is broken or belongs to another model; to replace it, {fetch_again(folder)}"
        ) from error


def _check_texts(folder: Path) -> None:
    """Keep transformers from reading gigabytes of what is a text of some kilobytes in every checkpoint.

    Raises:
        WeightsError: a file of the checkpoint is far too large; naming it.
    """
    for path in sorted((*folder.glob("*.json"), *folder.glob("*.txt"), *folder.glob("*.jinja"))):
        if path.is_file() and (size := path.stat().st_size) > MAX_TEXT_BYTES:
            raise WeightsError(
                f"{path}: {size / 1e6:.0f} MB are no text of a checkpoint (at most {MAX_TEXT_BYTES / 1e6:.0f} MB); to "
                f"replace it, {fetch_again(path)}"
            )


def ran_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch gave up for want of memory.

    CUDA and MPS say "out of memory", the CPU "can't allocate memory", and CUDA's libraries "..._STATUS_ALLOC_FAILED".
    """
    text = str(error).lower()
    return any(words in text for words in ("out of memory", "can't allocate memory", "status_alloc_failed"))


def to_device(model: Any, device: torch.device) -> Any:
    """Move a model, put it into evaluation mode and freeze it."""
    try:
        return model.to(device).eval().requires_grad_(False)
    except RuntimeError as error:
        if ran_out_of_memory(error):
            raise OutOfMemory(
                f"{type(model).__name__} does not fit into the memory of {device}; use a smaller preset or the CPU."
            ) from error
        raise
