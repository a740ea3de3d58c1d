"""What every embedding adapter shares: checked inputs, unit rows, and text embeddings computed once per phrase."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import AudioError, ImageError, InputError, OutOfMemory, WeightsError
from zsavs.media.arrays import frozen
from zsavs.models.runtime import ran_out_of_memory
from zsavs.storage.disk_cache import CachedTexts
from zsavs.types import AudioClip

if TYPE_CHECKING:
    import torch

__all__ = [
    "TextMemory",
    "arrived",
    "batches",
    "check_clips",
    "check_images",
    "check_phrases",
    "finite",
    "in_batches",
    "inference",
    "normalise",
    "onto",
    "prepared",
    "sent_for",
    "unit_rows",
    "within_memory",
]

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

#: Texts are short: this many at once fit anywhere.
TEXT_BATCH = 64

#: More threads than this would wait for each other and for memory.
_MAX_THREADS = 8

#: Devices that copy while the processor goes on. Others could be asked to, and do not all keep what they are given.
_QUEUEING = ("cuda",)

#: A model is recognised by what it answers to this.
_FINGERPRINT = "a dog and an accordion, heard from the next room"


def check_phrases(phrases: Sequence[str]) -> list[str]:
    """Return the phrases as a list.

    Raises:
        InputError: one bare string (which would be taken for its letters), or an item that is not a string.
    """
    if isinstance(phrases, str):
        raise InputError(f"encode_text takes a list of phrases, got the single string {phrases!r}; use [{phrases!r}].")
    for phrase in phrases:
        if not isinstance(phrase, str):
            raise InputError(f"encode_text takes strings, got {type(phrase).__name__}.")
    return list(phrases)


def check_clips(clips: Sequence[AudioClip]) -> list[AudioClip]:
    """Return the clips as a list.

    Raises:
        AudioError: an item is not an :class:`AudioClip`, or one bare clip instead of a list.
    """
    if isinstance(clips, AudioClip):
        raise AudioError("expected a list of AudioClip, got a single one; use [clip].")
    for clip in clips:
        if not isinstance(clip, AudioClip):
            raise AudioError(f"expected zsavs.AudioClip, got {type(clip).__name__}; use AudioClip(waveform, rate).")
    return list(clips)


def check_images(images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Return the images as a list of read-only arrays.

    An image that its owner can still change comes back as a new view of it: answers are remembered by the identity
    of the array (:class:`zsavs.storage.memo.Memo`), and so none is remembered for it beyond the call.

    Raises:
        ImageError: an item is not (H, W, 3) uint8, or one bare image instead of a list.
    """
    if isinstance(images, np.ndarray) and images.ndim < 4:
        raise ImageError("expected a list of images, got a single array; use [image].")
    checked = []
    for image in images:
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            raise ImageError(f"expected uint8 RGB arrays, got {getattr(image, 'dtype', type(image).__name__)}.")
        if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ImageError(f"an image must be (height, width, 3) and not empty, got shape {image.shape}.")
        checked.append(frozen(image) if image.flags.writeable else image)
    return checked


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Split items into lists of at most ``size``, in order, taking no more items than the current list needs.

    Raises:
        InputError: a size below 1.
    """
    if size < 1:
        raise InputError(f"batch_size must be at least 1, got {size}.")
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def in_batches(compute: Callable[[list[T]], Iterable[R]], items: Iterable[T], size: int) -> list[R]:
    """Answer for every item, at most ``size`` at once, and fewer where the device has no room for so many.

    A batch that runs out of memory is halved until it fits, and what follows in this call comes in batches of the size
    that did. No item is taken before its batch, so that of an endless row of large ones only a batch is in memory.

    Args:
        compute: takes a list of items, gives one answer for each.
        items: in order.
        size: at least 1.

    Raises:
        InputError: a size below 1.
        OutOfMemory: one item alone does not fit.
    """
    answers: list[R] = []
    for batch in batches(items, size):
        while batch:
            part, fits = batch[:size], True
            try:
                answers += list(compute(part))
            except OutOfMemory:
                if len(part) == 1:
                    raise
                fits = False
            if fits:
                del batch[: len(part)]
            else:  # not in the handler, where the error still holds on to what the failed attempt had computed
                size = len(part) // 2
                log.warning("the device ran out of memory with %d items at once; going on with %d", len(part), size)
                _release_memory()
    return answers


def _release_memory() -> None:
    """Give back what nobody uses any more."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@contextlib.contextmanager
def inference(model: str) -> Iterator[None]:
    """Run a model without gradients; what runs in it is called by :func:`in_batches`.

    Raises:
        OutOfMemory: the device's memory is too small for the batch.
    """
    import torch

    with torch.inference_mode(), within_memory(model):
        yield


@contextlib.contextmanager
def within_memory(model: str) -> Iterator[None]:
    """Word the one failure that is no fault of anybody's; :func:`in_batches` then tries with fewer items.

    Raises:
        OutOfMemory: the device's memory is too small for the batch.
    """
    try:
        yield
    except RuntimeError as error:
        if not ran_out_of_memory(error):
            raise
        raise OutOfMemory(
            f"{model}: the device's memory is too small for one item alone; use a smaller preset or device='cpu', "
            f"or free the memory that other programs hold."
        ) from error


def prepared(prepare: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """What a model is shown of each item, in order; several at once, as what works on pixels lets other threads run.

    Args:
        prepare: from an item to its tensor; called from several threads.
        items: of one batch.

    Raises:
        What ``prepare`` raises for the first item that it raises for.
    """
    threads = min(len(items), os.cpu_count() or 1, _MAX_THREADS)
    if threads < 2:
        return [prepare(item) for item in items]
    with ThreadPoolExecutor(threads, "prepare") as pool:
        return list(pool.map(prepare, items))


def onto(tensor: torch.Tensor, device: torch.device, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A tensor of the CPU on the device, in ``dtype`` if one is given.

    Nobody waits for a GPU to be free to take it: CUDA has a copy of its own when this returns.
    """
    return tensor.to(device, dtype or tensor.dtype, non_blocking=device.type in _QUEUEING)


def sent_for(tensor: torch.Tensor) -> NDArray[Any]:
    """A tensor of a model on its way to the CPU, not to be read before :func:`arrived`.

    So a GPU is given the next image's work while it is still at this one's.
    """
    array: NDArray[Any] = tensor.to("cpu", non_blocking=tensor.device.type in _QUEUEING).numpy()
    return array


def arrived(device: torch.device) -> None:
    """Wait until all that was :func:`sent_for` from the device is on the CPU."""
    if device.type in _QUEUEING:
        import torch

        torch.cuda.current_stream(device).synchronize()


def finite(features: torch.Tensor, model: str) -> NDArray[np.float32]:
    """A tensor of any floating dtype and device as float32 on the CPU.

    Args:
        features: what the model returned.
        model: the model's name, for the message.

    Raises:
        WeightsError: NaN or infinity came out of the model, as half precision or broken weights can cause.
    """
    values: NDArray[np.float32] = features.detach().float().cpu().numpy()
    if not np.isfinite(values).all():
        raise WeightsError(
            f"{model} returned NaN or infinity; load it with dtype='float32', and if that does not help, "
            "the weights are broken: delete and fetch them again"
        )
    return values


def unit_rows(features: torch.Tensor, model: str) -> NDArray[np.float32]:
    """Normalise the rows of an (N, D) tensor in float32: (N, D) float32 on the CPU.

    Raises:
        WeightsError: as :func:`finite`.
    """
    return normalise(finite(features, model))


def normalise(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring the rows of an (N, D) array to unit length; a row of zeros stays as it is."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = rows / np.maximum(norms, np.finfo(np.float32).tiny)
    return unit


class TextMemory:
    """Text embeddings by phrase: each is computed once, and at most ``max_items`` are held, oldest out first.

    Where many are asked for at once, as a vocabulary in its templates is, they are kept on disk too
    (:class:`zsavs.storage.disk_cache.CachedTexts`), and the next process need not compute them again.

    Args:
        compute: takes K phrases, returns their (K, D) embeddings, unit rows where they are kept on disk.
        max_items: at 512 dimensions the default is 200 MB.
        space: name of the space, to keep texts on disk under; "" keeps none.
    """

    def __init__(
        self, compute: Callable[[list[str]], NDArray[np.float32]], max_items: int = 100_000, space: str = ""
    ) -> None:
        self._compute = compute
        self._max_items = max_items
        self._space = space
        self._rows: dict[str, NDArray[np.float32]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __call__(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Embed K checked phrases: (K, D), a new array. No phrases give (0, D)."""
        if not phrases:
            return self([""])[:0]
        missing = [phrase for phrase in dict.fromkeys(phrases) if phrase not in self._rows]
        new = self._recalled(missing) if self._space and len(missing) > TEXT_BATCH else self._computed(missing)
        result = np.stack([new[phrase] if phrase in new else self._rows[phrase] for phrase in phrases])
        self._rows |= new
        for phrase in list(islice(self._rows, max(0, len(self._rows) - self._max_items))):
            del self._rows[phrase]
        return result

    def _computed(self, phrases: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        return dict(zip(phrases, in_batches(self._compute, phrases, TEXT_BATCH), strict=True))

    def _recalled(self, phrases: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """The rows that are kept on disk, and the others computed and kept."""
        kept = CachedTexts(self._space, self._compute([_FINGERPRINT]))
        known = kept.read()
        rows = {phrase: known[key] for phrase in phrases if (key := kept.key(phrase)) in known}
        new = self._computed([phrase for phrase in phrases if phrase not in rows])
        if new:
            kept.add(new)
        return rows | new
