"""Text towers that read a word given as a vector (:class:`zsavs.protocols.PseudoWordEncoder`): its place in a prompt,
and gradients for it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.models.batching import within_memory
from zsavs.models.model_time import model_call
from zsavs.models.outputs import unit_rows
from zsavs.protocols import Pull

if TYPE_CHECKING:
    import torch

__all__ = ["differentiably", "mean_of_tokens", "with_place"]

#: Two words of one token in every tokenizer; the one token in which a prompt differs between them is the word's place.
_STAND_INS = ("x", "q")


def with_place(prompt: str, tokenize: Callable[[list[str]], torch.Tensor]) -> tuple[torch.Tensor, int]:
    """A prompt's ids with a stand-in for the word, and the place of that token.

    Args:
        prompt: holds one ``{}``, apart from letters and digits.
        tokenize: K texts to their ids (K, T).

    Returns:
        (1, T) ids, and the number of the word's token.

    Raises:
        InputError: no place for exactly one word in the prompt, or beyond where the tokenizer cuts texts.
    """
    if prompt.count("{}") != 1 or re.search(r"\w\{\}|\{\}\w", prompt):
        raise InputError(f"{prompt!r} must hold one {{}} that stands apart from letters, as in 'a sound of {{}}'.")
    ids = tokenize([prompt.replace("{}", word) for word in _STAND_INS])
    places = (ids[0] != ids[1]).nonzero().flatten().tolist()
    if len(places) != 1:
        raise InputError(
            f"{prompt!r}: the tokenizer gives the word no token of its own; use a shorter, plainer prompt."
        )
    return ids[:1], places[0]


def mean_of_tokens(vectors: torch.Tensor, own: torch.Tensor) -> NDArray[np.float32]:
    """Mean of each text's own tokens.

    Args:
        vectors: (K, T, W) what the tokens enter with.
        own: (K, T) bool, which of them are the text's: no mark of beginning or end, no padding.

    Returns:
        (K, W); zeros for a text without tokens.
    """
    weights = own.to(vectors.device)[..., None].float()
    rows: NDArray[np.float32] = ((vectors.float() * weights).sum(1) / weights.sum(1).clamp(min=1)).cpu().numpy()
    return rows


def differentiably(
    encode: Callable[[torch.Tensor], torch.Tensor],
    vectors: NDArray[np.float32],
    device: torch.device,
    dtype: torch.dtype,
    model: str,
) -> tuple[NDArray[np.float32], Pull]:
    """Embed vectors and keep the way back to them; the weights, which are frozen, get no gradient.

    Args:
        encode: (N, W) vectors to (N, D) rows of any length.
        vectors: (N, W).
        device, dtype: of the model.
        model: its name, for messages.

    Returns:
        (N, D) float32 unit rows, and the way back, to be asked once.

    Raises:
        WeightsError: NaN came out of the model, or the device's memory is too small.
    """
    import torch
    from torch.nn import functional

    with model_call(model), _gradients(), within_memory(model):
        given = torch.tensor(np.asarray(vectors, np.float32), device=device).requires_grad_()
        rows = functional.normalize(encode(given.to(dtype)).float(), dim=-1)

    def pull(gradient: NDArray[np.floating]) -> NDArray[np.float32]:
        with model_call(model), _gradients(), within_memory(model):
            # A copy, as a gradient may be a read-only view.
            from_above = torch.tensor(np.array(gradient, np.float32), device=device)
            (back,) = torch.autograd.grad(rows, given, from_above)
        answer: NDArray[np.float32] = back.cpu().numpy()
        return answer

    return unit_rows(rows, model), pull


@contextlib.contextmanager
def _gradients() -> Iterator[None]:
    """Gradients whatever the caller has switched off, and attention whose way back is deterministic on every device."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with torch.inference_mode(False), torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        yield
